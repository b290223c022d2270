"""The paper's losses beside other distillation methods: every known loss alone, under one protocol."""

from cdkd.distill.losses.table import LOSSES
from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tables.networks import OVER_DECODER, OVER_PLAIN, WHY_DECODER_ROW, student

_BASELINE, _DECODER = "tsm-none", "tsm-decoder"
_BOTH = ("spatial", "temporal")


def _row(key: str, method: str, losses: tuple[str, ...]) -> RowDefinition:
    return RowDefinition(
        key=f"tsm-{key}",
        method=method,
        settings=student("tsm", True),
        losses=dict.fromkeys(losses),
        block="tsm",
        baselines={OVER_PLAIN: _BASELINE, **({OVER_DECODER: _DECODER} if losses else {})},
        labels={"source": " + ".join(dict.fromkeys(LOSSES[name].source for name in losses)) or "-"},
        section="paper" if set(losses) <= set(_BOTH) else "others",
    )


METHODS = TableDefinition(
    name="methods",
    caption="Distillation methods under one protocol, for a TSM student",
    label_columns=(("source", "source"),),
    published_columns=(),
    rows=(
        RowDefinition(
            _BASELINE,
            "three streams",
            student("tsm", False),
            block="tsm",
            labels={"source": "-"},
            section="paper",
        ),
        _row("decoder", "decoder, no KD", ()),
        *(_row(name, LOSSES[name].title, (name,)) for name in _BOTH),
        _row("both", "spatial and temporal KD", _BOTH),
        *(_row(name, loss.title, (name,)) for name, loss in LOSSES.items() if name not in _BOTH),
    ),
    weights_by_row=True,
    commands=("cdkd sweep methods.yaml",),
    remarks=(
        "Each row shows the weight that was run with most seeds; of several the one that is best on validation videos, "
        "and of equals the smallest.",
        WHY_DECODER_ROW,
    ),
)
