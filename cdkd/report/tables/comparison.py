"""Tables 1 to 3: other authors' methods as printed, beside the networks that this package can measure.

These stand in them on the tables' own data sets alone, and on every other in a table of theirs, `networks`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdkd.report.published import published_figures
from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tables.networks import COVIAR, NETWORKS, OVER_PLAIN, STUDIES, backbones, student


@dataclass(frozen=True)
class _Measurable:
    """What this package can put beside a printed row."""

    settings: Mapping[str, Any] | None = None
    losses: Sequence[str] = ()
    block: str = ""
    baselines: Mapping[str, str] = field(default_factory=dict)
    teacher: str | None = None
    """A raw-domain row: students tell what the teacher that they have learnt from reaches."""


_OURS = ("spatial", "temporal")
# By key of the row; all other rows are known from print only.
_MEASURABLE = {
    "coviar": _Measurable(COVIAR, block="coviar"),
    "tsm-none": _Measurable(student("tsm", False), block="tsm"),
    "tdn-none": _Measurable(student("tdn", False), block="tdn"),
    "tsm-both": _Measurable(student("tsm", True), _OURS, "tsm", {OVER_PLAIN: "tsm-none"}),
    "tdn-both": _Measurable(student("tdn", True), _OURS, "tdn", {OVER_PLAIN: "tdn-none"}),
    "tsm-raw": _Measurable(block="tsm", teacher="tsm"),
    "tdn-raw": _Measurable(block="tdn", teacher="tdn"),
}


def _rows(table: str) -> tuple[RowDefinition, ...]:
    rows: list[RowDefinition] = []
    figures = {figure.row: figure for figure in reversed(published_figures(table))}
    for figure in reversed(figures.values()):
        # Tables 1 and 3 lack the undistilled networks, without which nothing shows what the distillation gains.
        arch = figure.row.removesuffix("-both")
        if figure.row.endswith("-both") and f"{arch}-none" not in figures:
            labels = {"modality": "CD", "year": "-"}
            rows.append(_row(f"{arch}-none", f"{NETWORKS[arch]}, three streams", labels, "ours"))
        labels = {"backbone": figure.backbone, "modality": figure.modality, "year": figure.year or "-"}
        section = "ours" if figure.row.endswith("-both") else figure.modality[:2]
        rows.append(_row(figure.row, figure.method, labels, section))
    return tuple(rows)


def _measured_rows() -> tuple[RowDefinition, ...]:
    """The networks of these tables, on whatever data: no year, no backbone but that which was measured."""
    titles = {"coviar": "CoViAR"} | {
        f"{arch}-{key}": f"{network}{suffix}"
        for arch, network in NETWORKS.items()
        for key, suffix in (("none", ", three streams"), ("both", " + ours"), ("raw", ", raw frames"))
    }
    # By network: the teacher last, as what the others could reach.
    rows = [_row(key, title, {}, key.partition("-")[0]) for key, title in titles.items()]
    return tuple(rows)


def _row(key: str, method: str, labels: Mapping[str, str], section: str) -> RowDefinition:
    known = _MEASURABLE.get(key, _Measurable())
    return RowDefinition(
        key=key,
        method=method,
        settings=known.settings,
        losses=dict.fromkeys(known.losses),
        block=known.block,
        baselines=known.baselines,
        labels=labels,
        section=section,
        teacher=known.teacher,
        study=STUDIES.get(known.block, ""),
    )


_LABELS = (("backbone", "backbone"), ("modality", "modality"), ("year", "year"))
_COSTS = (
    'GFLOPs are 10^9 multiply-adds per view times the number of views, as in the paper, which calls them "FLOPs"; the '
    "measured column counts the row's own network at its own input size."
)


def _sweeps(*recipes: str) -> tuple[str, ...]:
    return tuple(
        f"cdkd sweep {study} --recipe {recipe} --set data.root=prepared/{recipe} --teacher {arch}=FILE"
        for recipe in recipes
        for arch, study in STUDIES.items()
    )


UCF101_AND_HMDB51 = TableDefinition(
    name="1",
    caption="Accuracy on UCF-101 and HMDB-51 beside other methods",
    label_columns=_LABELS,
    published_columns=(("UCF-101", "top1"), ("HMDB-51", "top1")),
    rows=_rows("1"),
    commands=_sweeps("ucf101", "hmdb51"),
    is_on_own_data=True,
    measured_labels=backbones,
)
SSV2 = TableDefinition(
    name="2",
    caption="Accuracy on Something-Something V2 beside other methods",
    label_columns=_LABELS,
    published_columns=(("SSV2", "top1"), ("SSV2", "top5"), ("SSV2", "gflops")),
    rows=_rows("2"),
    remarks=(_COSTS, "The names of Table 2's methods are inferred from backbone, year and figures."),
    commands=_sweeps("ssv2"),
    is_on_own_data=True,
    measured_labels=backbones,
    has_costs=True,
)
KINETICS400 = TableDefinition(
    name="3",
    caption="Accuracy on Kinetics-400 beside other methods",
    label_columns=_LABELS,
    published_columns=(("Kinetics-400", "top1"), ("Kinetics-400", "top5"), ("Kinetics-400", "gflops")),
    rows=_rows("3"),
    remarks=(_COSTS,),
    commands=_sweeps("kinetics400"),
    is_on_own_data=True,
    measured_labels=backbones,
    has_costs=True,
)
MEASURED_NETWORKS = TableDefinition(
    name="networks",
    caption="The networks of Tables 1 to 3 as they were measured, and what a video costs",
    label_columns=_LABELS[:2],
    published_columns=(),
    rows=_measured_rows(),
    remarks=(_COSTS.partition(",")[0] + ".",),
    commands=tuple(f"cdkd sweep {study}" for study in STUDIES.values()),
    measured_labels=backbones,
    has_costs=True,
)
