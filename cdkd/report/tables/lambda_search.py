"""Table 5: the search of the paper's two weights, and logits distillation beside them.

The paper searched on TSM and took over what it found for TDN. So TSM's rows are the table's; those of TDN's own search
stand below them where there are runs of it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cdkd.effective_settings import active_losses
from cdkd.report.table_definition import RowDefinition, TableDefinition
from cdkd.report.tables.networks import NETWORKS, OVER_DECODER, OVER_PLAIN, SEARCHED_ON_TEST, student

if TYPE_CHECKING:
    from cdkd.report.aggregate import TableRow

_STUDIES = {"tsm": "lambda.yaml", "tdn": "lambda-tdn.yaml"}


def plain_key(arch: str) -> str:
    """Key of a network's row without distillation and decoder."""
    return f"{arch}-0-0"


def decoder_key(arch: str) -> str:
    """Key of a network's row "decoder, no KD"."""
    return f"{arch}-decoder"


def _plain_row(arch: str = "tsm") -> RowDefinition:
    return RowDefinition(
        key=plain_key(arch),
        method=f"{NETWORKS[arch]}, three streams",
        settings=student(arch, False),
        block=arch,
        labels={"lambda1": "0", "lambda2": "0"},
        section=arch,
        study=_STUDIES[arch],
    )


def lambda_row(lambda1: float, lambda2: float, logits: bool, arch: str = "tsm") -> RowDefinition:
    """A row with a decoder; both lambdas 0 is "decoder, no KD"."""
    is_ours = bool(lambda1 or lambda2)
    network = NETWORKS[arch]
    method = f"{network} + ours" if is_ours else f"{network}, decoder" if logits else f"{network}, decoder, no KD"
    method += " + logits" if logits else ""
    key = (f"{arch}-{lambda1:g}-{lambda2:g}" if is_ours else decoder_key(arch)) + ("-logits" if logits else "")
    weights = {"spatial": float(lambda1), "temporal": float(lambda2)}
    losses: dict[str, float | None] = {name: weight for name, weight in weights.items() if weight}
    return RowDefinition(
        key=key,
        method=method,
        settings=student(arch, True),
        losses={**losses, "logits": None} if logits else losses,
        block=arch,
        baselines={OVER_PLAIN: plain_key(arch), **({OVER_DECODER: decoder_key(arch)} if is_ours or logits else {})},
        labels={"lambda1": f"{lambda1:g}", "lambda2": f"{lambda2:g}"},
        section=arch,
        full_name=f"{method} (λ1 {lambda1:g}, λ2 {lambda2:g})" if is_ours else "",
        study=_STUDIES[arch],
    )


def _free_row(settings: Mapping[str, Any]) -> RowDefinition | None:
    """The row of other weights of the same three losses, or of another network."""
    weights = active_losses(settings)
    lambda1, lambda2 = weights.get("spatial", 0.0), weights.get("temporal", 0.0)
    rows = (
        row for arch in NETWORKS for row in (_plain_row(arch), lambda_row(lambda1, lambda2, "logits" in weights, arch))
    )
    return next((row for row in rows if row.shows(settings)), None)


def _best_weights(rows: Sequence["TableRow"]) -> list[str]:
    """Which weights validation videos favour, one lambda after the other as the paper searched; only of rows that ran.

    Of rows that tie the smaller weight is held for the second lambda. A row of the table that has not run is said.
    """
    by_network = {arch: [row for row in rows if row.definition.block == arch] for arch in NETWORKS}
    return [note for arch, own in by_network.items() for note in _best_of_network(NETWORKS[arch], own)]


def _best_of_network(network: str, rows: Sequence["TableRow"]) -> list[str]:
    known = [row for row in rows if row.validation and row.definition.baselines and not _has_logits(row)]
    alone = [row for row in known if _weight(row, "lambda2") == "0" and _weight(row, "lambda1") != "0"]
    if not alone:
        return []
    asked = [row.labels for row in LAMBDA_SEARCH.rows if row.baselines and "logits" not in row.losses]
    first, said = _favourite(alone, "lambda1", [each["lambda1"] for each in asked if each["lambda1"] != "0"])
    text = f"Best on validation videos, of the rows of {network} that ran: {said} at λ2 = 0"
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
