"""Table 5: the search of the paper's two weights, and logits distillation beside them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cdkd.effective_settings import active_losses
from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tables.networks import OVER_DECODER, OVER_PLAIN, SEARCHED_ON_TEST, student

if TYPE_CHECKING:
    from cdkd.report.aggregate import TableRow


def _plain_row() -> RowDefinition:
    labels = {"lambda1": "0", "lambda2": "0"}
    return RowDefinition("tsm-0-0", "TSM, three streams", student("tsm", False), block="tsm", labels=labels)


def lambda_row(lambda1: float, lambda2: float, logits: bool) -> RowDefinition:
    """A row with a decoder; both lambdas 0 is "decoder, no KD"."""
    is_ours = bool(lambda1 or lambda2)
    method = "TSM + ours" if is_ours else "TSM, decoder" if logits else "TSM, decoder, no KD"
    method += " + logits" if logits else ""
    key = (f"tsm-{lambda1:g}-{lambda2:g}" if is_ours else "tsm-decoder") + ("-logits" if logits else "")
    weights = {"spatial": float(lambda1), "temporal": float(lambda2)}
    losses: dict[str, float | None] = {name: weight for name, weight in weights.items() if weight}
    return RowDefinition(
        key=key,
        method=method,
        settings=student("tsm", True),
        losses={**losses, "logits": None} if logits else losses,
        block="tsm",
        baselines={OVER_PLAIN: "tsm-0-0", **({OVER_DECODER: "tsm-decoder"} if is_ours or logits else {})},
        labels={"lambda1": f"{lambda1:g}", "lambda2": f"{lambda2:g}"},
        full_name=f"{method} (λ1 {lambda1:g}, λ2 {lambda2:g})" if is_ours else "",
    )


def _free_row(settings: Mapping[str, Any]) -> RowDefinition | None:
    """The row of other weights of the same three losses."""
    weights = active_losses(settings)
    row = lambda_row(weights.get("spatial", 0.0), weights.get("temporal", 0.0), "logits" in weights)
    return row if row.shows(settings) else None


def _best_weights(rows: Sequence["TableRow"]) -> list[str]:
    """Which weights validation videos favour, one lambda after the other as the paper searched; only of rows that ran.

    Of rows that tie the smaller weight is held for the second lambda. A row of the table that has not run is said.
    """
    known = [row for row in rows if row.validation and row.definition.baselines and not _has_logits(row)]
    alone = [row for row in known if _weight(row, "lambda2") == "0" and _weight(row, "lambda1") != "0"]
    if not alone:
        return []
    asked = [row.labels for row in LAMBDA_SEARCH.rows if row.baselines and "logits" not in row.losses]
    first, said = _favourite(alone, "lambda1", [each["lambda1"] for each in asked if each["lambda1"] != "0"])
    text = f"Best on validation videos, of the rows that ran: {said} at λ2 = 0"
    held = [row for row in known if _weight(row, "lambda1") == first]
    if any(row not in alone for row in held):
        text += f"; then {_favourite(held, 'lambda2', [each['lambda2'] for each in asked])[1]} at λ1 = {first}"
    else:
        text += f"; no row with λ1 = {first} and λ2 above 0 has run"
    return [f"{text}."]


def _favourite(rows: Sequence["TableRow"], name: str, asked: Sequence[str]) -> tuple[str, str]:
    """The smallest of the best values of a lambda; and a text that names all of them, and what has not run."""
    most = max(map(_validation, rows))
    best = sorted({_weight(row, name) for row in rows if _validation(row) >= most - 1e-9}, key=float)
    missing = sorted({*asked} - {_weight(row, name) for row in rows}, key=float)
    text = f"λ{name[-1]} = {' and '.join(best)}"
    parts = ["alike"] if len(best) > 1 else []
    parts += [f"without a run of {', '.join(missing)}"] if missing else []
    return best[0], text + (f" ({'; '.join(parts)})" if parts else "")


def _weight(row: "TableRow", name: str) -> str:
    return row.definition.labels[name]


def _has_logits(row: "TableRow") -> bool:
    return "logits" in row.definition.losses


def _validation(row: "TableRow") -> float:
    return row.validation.mean if row.validation else 0.0


LAMBDA_SEARCH = TableDefinition(
    name="5",
    caption="Search of the distillation weights, and logits distillation",
    label_columns=(("lambda1", "λ1"), ("lambda2", "λ2")),
    published_columns=(("UCF-101", "top1"), ("SSV2", "top1"), ("SSV2", "top5")),
    rows=(
        _plain_row(),
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
    free_row=_free_row,
    own_notes=_best_weights,
    remarks=(SEARCHED_ON_TEST,),
    commands=("cdkd sweep lambda.yaml",),
)
