"""A table with what others have published beside the paper's rows, each row marked by the evidence for it."""

from dataclasses import replace

from cdkd.report.published import EVIDENCE, PublishedFigure, more_figures
from cdkd.report.table_definition import RowDefinition, TableDefinition

_PAPER = "paper"


def extended(table: TableDefinition) -> TableDefinition:
    """The table with a row for each further method on its data sets; the same where it is none of other methods.

    A column gives each row's evidence, a letter and the number of its source among those of that letter.
    """
    datasets = {dataset for dataset, _ in table.published_columns}
    figures = [figure for figure in more_figures() if figure.dataset in datasets]
    if not figures or not table.is_on_own_data:
        return table
    # 1. Sources are numbered within their letter, in the rows' order.
    places: dict[str, dict[str, str]] = {code: {} for code in EVIDENCE}
    for figure in figures:
        known = places[figure.evidence]
        known.setdefault(figure.source, f"{figure.evidence}{len(known) + 1}")
    # 2. A row per method, those on compressed video first.
    first = {figure.row: figure for figure in reversed(figures)}
    found = sorted(reversed(first.values()), key=lambda figure: figure.modality == "RD")
    rows = [_row(figure, places[figure.evidence][figure.source]) for figure in found]
    own = [replace(row, labels={**row.labels, "evidence": _PAPER}) for row in table.rows]
    meanings = "; ".join(f"{code} {EVIDENCE[code]}" for code in EVIDENCE if places[code])
    sources = "; ".join(f"{mark} {source}" for known in places.values() for source, mark in known.items())
    return replace(
        table,
        label_columns=[*table.label_columns, ("evidence", "evidence")],
        rows=[*own, *rows],
        remarks=[
            *table.remarks,
            f"Evidence: {meanings}. Splits, views and what a network was trained on before differ from row to row.",
            f"Sources: {sources}.",
        ],
    )


def _row(figure: PublishedFigure, mark: str) -> RowDefinition:
    labels = {
        "backbone": figure.backbone,
        "modality": figure.modality,
        "year": figure.year or "-",
        "evidence": mark,
    }
    section = "more, raw frames" if figure.modality == "RD" else "more"
    return RowDefinition(figure.row, figure.method, None, labels=labels, section=section)
