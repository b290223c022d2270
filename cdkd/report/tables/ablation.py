"""Table 4: spatial and temporal knowledge, each alone and both."""

from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tables.networks import (
    NETWORKS,
    OVER_DECODER,
    OVER_PLAIN,
    SEARCHED_ON_TEST,
    STUDIES,
    WHY_DECODER_ROW,
    student,
)

_YES_NO = {True: "yes", False: "no"}
# Key of the row without its network, and the losses that take part.
_ROWS: dict[str, tuple[str, ...]] = {
    "decoder": (),
    "spatial": ("spatial",),
    "temporal": ("temporal",),
    "both": ("spatial", "temporal"),
}


def _rows(arch: str) -> tuple[RowDefinition, ...]:
    network, baseline = NETWORKS[arch], f"{arch}-none"
    none = {"spatial": "no", "temporal": "no"}
    plain = RowDefinition(
        key=baseline,
        method=f"{network}, three streams",
        settings=student(arch, False),
        block=arch,
        labels=none,
        section=arch,
        study=STUDIES[arch],
    )
    # Last: what the students could reach at best, and whether there was anything to learn.
    teacher = RowDefinition(
        f"{arch}-teacher",
        f"{network}'s teacher (raw)",
        settings=None,
        block=arch,
        section=arch,
        is_own_teacher=True,
    )
    return plain, *(_row(arch, key, losses) for key, losses in _ROWS.items()), teacher


def _row(arch: str, key: str, losses: tuple[str, ...]) -> RowDefinition:
    network = NETWORKS[arch]
    labels = {name: _YES_NO[name in losses] for name in ("spatial", "temporal")}
    apart = ", ".join(f"{name} {label}" for name, label in labels.items())
    return RowDefinition(
        key=f"{arch}-{key}",
        method=f"{network} + ours" if losses else f"{network}, decoder, no KD",
        settings=student(arch, True),
        losses=dict.fromkeys(losses),
        block=arch,
        baselines={OVER_PLAIN: f"{arch}-none", **({OVER_DECODER: f"{arch}-decoder"} if losses else {})},
        labels=labels,
        section=arch,
        full_name=f"{network} + ours ({apart})" if losses else "",
        study=STUDIES[arch],
    )


ABLATION = TableDefinition(
    name="4",
    caption="Spatial and temporal knowledge distillation, each alone and both",
    label_columns=(("spatial", "spatial\nKD"), ("temporal", "temporal\nKD")),
    published_columns=(("UCF-101", "top1"), ("SSV2", "top1"), ("SSV2", "top5")),
    rows=(*_rows("tsm"), *_rows("tdn")),
    remarks=(WHY_DECODER_ROW, SEARCHED_ON_TEST),
    commands=tuple(f"cdkd sweep {study}" for study in STUDIES.values()),
)
