"""The paper's five tables as data: rows are matched to runs by settings, never by a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdkd.report.method_factors import MethodFactors
from cdkd.report.published import published_figures


@dataclass(frozen=True)
class RowDefinition:
    """One row: which runs belong to it."""

    key: str
    """Joins the row with its published figures."""
    method: str
    match: Mapping[str, Any] | None
    """Value of each axis (cdkd.report.method_factors.Axes); None: a row of other authors, known from print only."""
    block: str = ""
    """Rows of one network; they share a baseline and, except for the rows' own axes, every setting."""
    baseline: str | None = None
    """Key of the row that this one is compared with."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Text of the label columns."""
    section: str = ""
    """A rule is drawn where it changes from row to row."""
    teacher: str | None = None
    """Architecture of the teacher whose accuracy the row shows; None: no teacher's row."""

    @property
    def name(self) -> str:
        """The method, with what sets it apart from rows of the same method."""
        apart = {_AXIS_NAMES[key]: value for key, value in self.labels.items() if key in _AXIS_NAMES}
        if not set(apart.values()) - {"no", "0"}:
            return self.method
        return f"{self.method} ({', '.join(f'{name} {value}' for name, value in apart.items())})"


_AXIS_NAMES = {"spatial": "spatial", "temporal": "temporal", "lambda1": "λ1", "lambda2": "λ2"}


@dataclass(frozen=True)
class TableDefinition:
    """One table of the paper."""

    number: int
    caption: str
    label_columns: Sequence[tuple[str, str]]
    """(key in RowDefinition.labels, header)."""
    published_columns: Sequence[tuple[str, str]]
    """(data set, top1, top5 or gflops)."""
    rows: Sequence[RowDefinition]
    own_settings: frozenset[str]
    """Settings that the rows differ in: no part of the protocol that all rows must share."""
    free_rows: bool = False
    """Runs with other values of lambda become rows of their own."""
    remarks: Sequence[str] = ()
    """Sentences below the table, whatever was measured."""


_ROW_SETTINGS = frozenset({"student.arch", "student.decoder", "student.model"})
_LAMBDA_SETTINGS = frozenset({"distill.spatial.weight", "distill.temporal.weight"})
_THREE_STREAM = {"model": "three_stream"}
_NETWORKS = {"tsm": "TSM", "tdn": "TDN"}
_YES_NO = {True: "yes", False: "no"}
_SEARCHED_ON_TEST = (
    "The paper chose both lambdas on the test sets that it reports; here a study chooses them on validation videos."
)

_WHY_DECODER_ROW = (
    'The paper\'s baseline has no pseudo-decoder; the row "decoder, no KD" is ours and separates what the decoder '
    "changes from what the distillation changes."
)


def _plain(arch: str) -> dict[str, Any]:
    return {**_THREE_STREAM, "arch": arch, "decoder": False, "spatial": False, "temporal": False, "logits": False}


def _distilled(arch: str, *, spatial: bool, temporal: bool) -> dict[str, Any]:
    return {**_THREE_STREAM, "arch": arch, "decoder": True, "spatial": spatial, "temporal": temporal, "logits": False}


def _ablation_rows(arch: str) -> tuple[RowDefinition, ...]:
    name, baseline = _NETWORKS[arch], f"{arch}-none"
    none = {"spatial": "no", "temporal": "no"}
    rows = [RowDefinition(baseline, f"{name}, three streams", _plain(arch), arch, None, none, section=arch)]
    for key, spatial, temporal in (
        ("decoder", False, False),
        ("spatial", True, False),
        ("temporal", False, True),
        ("both", True, True),
    ):
        rows.append(
            RowDefinition(
                key=f"{arch}-{key}",
                method=f"{name}, decoder, no KD" if key == "decoder" else f"{name} + ours",
                match=_distilled(arch, spatial=spatial, temporal=temporal),
                block=arch,
                baseline=baseline,
                labels={"spatial": _YES_NO[spatial], "temporal": _YES_NO[temporal]},
                section=arch,
            )
        )
    return tuple(rows)


def lambda_row(lambda1: float, lambda2: float, logits: bool) -> RowDefinition:
    """A row of Table 5 with a decoder; both lambdas 0 is "decoder, no KD"."""
    method = "TSM + ours" if lambda1 or lambda2 else "TSM, decoder, no KD"
    if logits:
        method = "TSM + ours + logits" if lambda1 or lambda2 else "TSM, decoder + logits"
    suffix = "-logits" if logits else ""
    key = f"tsm-{lambda1:g}-{lambda2:g}{suffix}" if lambda1 or lambda2 else f"tsm-decoder{suffix}"
    return RowDefinition(
        key=key,
        method=method,
        match={
            **_THREE_STREAM,
            "arch": "tsm",
            "decoder": True,
            "lambda1": float(lambda1),
            "lambda2": float(lambda2),
            "logits": logits,
        },
        block="tsm",
        baseline="tsm-0-0",
        labels={"lambda1": f"{lambda1:g}", "lambda2": f"{lambda2:g}"},
    )


def free_row(table: TableDefinition, factors: MethodFactors) -> RowDefinition | None:
    """The row of a run that fits none of the table's own; None where the table has no place for it."""
    fits = factors.model == "three_stream" and factors.arch == "tsm" and factors.decoder
    return lambda_row(factors.lambda1, factors.lambda2, factors.logits) if table.free_rows and fits else None


# Rows of Tables 1 to 3 that the students' runs tell of, since these have learnt from them.
_TEACHERS = {"tsm-raw": "tsm", "tdn-raw": "tdn"}

# Rows of Tables 1 to 3 that this package can measure; the others are known from print only.
_MEASURABLE: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "coviar": ("coviar", None, {"model": "coviar"}),
    "tsm-none": ("tsm", None, _plain("tsm")),
    "tdn-none": ("tdn", None, _plain("tdn")),
    "tsm-both": ("tsm", "tsm-none", _distilled("tsm", spatial=True, temporal=True)),
    "tdn-both": ("tdn", "tdn-none", _distilled("tdn", spatial=True, temporal=True)),
}


def _comparison_rows(table: int) -> tuple[RowDefinition, ...]:
    rows: list[RowDefinition] = []
    figures = {figure.row: figure for figure in reversed(published_figures(table))}
    for figure in reversed(figures.values()):
        # Tables 1 and 3 lack the undistilled networks, without which nothing shows what the distillation gains.
        arch = figure.row.removesuffix("-both")
        if figure.row.endswith("-both") and f"{arch}-none" not in figures:
            labels = {"backbone": "as measured", "modality": "CD", "year": "-"}
            rows.append(_comparison_row(f"{arch}-none", f"{_NETWORKS[arch]}, three streams", labels, "ours"))
        labels = {"backbone": figure.backbone, "modality": figure.modality, "year": figure.year or "-"}
        section = "ours" if figure.row.endswith("-both") else figure.modality[:2]
        rows.append(_comparison_row(figure.row, figure.method, labels, section))
    return tuple(rows)


def _comparison_row(key: str, method: str, labels: Mapping[str, str], section: str) -> RowDefinition:
    block, baseline, match = _MEASURABLE.get(key, ("", None, None))
    return RowDefinition(key, method, match, block, baseline, labels, section, _TEACHERS.get(key))


_COMPARISON_LABELS = (("backbone", "backbone"), ("modality", "modality"), ("year", "year"))
_COSTS = (
    'GFLOPs are 10^9 multiply-adds per view times the number of views, as in the paper, which calls them "FLOPs"; the '
    "measured column counts the row's own network at its own input size."
)

TABLES: dict[int, TableDefinition] = {
    1: TableDefinition(
        number=1,
        caption="Accuracy on UCF-101 and HMDB-51 beside other methods",
        label_columns=_COMPARISON_LABELS,
        published_columns=(("UCF-101", "top1"), ("HMDB-51", "top1")),
        rows=_comparison_rows(1),
        own_settings=_ROW_SETTINGS,
    ),
    2: TableDefinition(
        number=2,
        caption="Accuracy on Something-Something V2 beside other methods",
        label_columns=_COMPARISON_LABELS,
        published_columns=(("SSV2", "top1"), ("SSV2", "top5"), ("SSV2", "gflops")),
        rows=_comparison_rows(2),
        own_settings=_ROW_SETTINGS,
        remarks=(_COSTS, "The names of Table 2's methods are inferred from backbone, year and figures."),
    ),
    3: TableDefinition(
        number=3,
        caption="Accuracy on Kinetics-400 beside other methods",
        label_columns=_COMPARISON_LABELS,
        published_columns=(("Kinetics-400", "top1"), ("Kinetics-400", "top5"), ("Kinetics-400", "gflops")),
        rows=_comparison_rows(3),
        own_settings=_ROW_SETTINGS,
        remarks=(_COSTS,),
    ),
    4: TableDefinition(
        number=4,
        caption="Spatial and temporal knowledge distillation, each alone and both",
        label_columns=(("spatial", "spatial\nKD"), ("temporal", "temporal\nKD")),
        published_columns=(("UCF-101", "top1"), ("SSV2", "top1"), ("SSV2", "top5")),
        rows=(*_ablation_rows("tsm"), *_ablation_rows("tdn")),
        own_settings=_ROW_SETTINGS,
        remarks=(
            _WHY_DECODER_ROW,
            _SEARCHED_ON_TEST,
        ),
    ),
    5: TableDefinition(
        number=5,
        caption="Search of the distillation weights, and logits distillation",
        label_columns=(("lambda1", "λ1"), ("lambda2", "λ2")),
        published_columns=(("UCF-101", "top1"), ("SSV2", "top1"), ("SSV2", "top5")),
        rows=(
            RowDefinition(
                "tsm-0-0", "TSM, three streams", _plain("tsm"), "tsm", None, {"lambda1": "0", "lambda2": "0"}
            ),
            lambda_row(0.0, 0.0, logits=False),
            lambda_row(0.01, 0.0, logits=False),
            lambda_row(0.1, 0.0, logits=False),
            lambda_row(1.0, 0.0, logits=False),
            lambda_row(0.1, 0.0, logits=True),
            lambda_row(0.1, 0.1, logits=False),
            lambda_row(0.1, 1.0, logits=False),
            lambda_row(0.1, 5.0, logits=False),
            lambda_row(0.1, 1.0, logits=True),
        ),
        own_settings=_ROW_SETTINGS | _LAMBDA_SETTINGS,
        free_rows=True,
        remarks=(_SEARCHED_ON_TEST,),
    ),
}
