"""Printed figures, each with its source: the paper's own, and what others have published beside them."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PublishedFigure:
    """One method's printed result on one data set."""

    table: str
    """Number of the paper's table."""
    row: str
    """Key of the row, the same in every data set's column."""
    method: str
    backbone: str
    modality: str
    """RD: raw domain; CD: compressed domain."""
    year: str
    dataset: str
    top1: float | None
    """Percent."""
    top5: float | None
    """Percent."""
    gflops: float | None
    """As printed; the published "FLOPs" of TSM and TDN are multiply-adds."""
    source: str
    note: str
    """What is known to be wrong or special about the figure; empty for most."""
    evidence: str = ""
    """What its source is worth, a key of `EVIDENCE`; empty for the paper's own figures."""


EVIDENCE = {
    "P": "printed by those who measured it",
    "C": "recomputed from their released scores",
    "R": "reproduced by others",
    "S": "quoted by others",
}
"""Code -> what it says of where a figure beyond the paper's tables comes from."""


def _number(text: str) -> float | None:
    return float(text) if text else None


@cache
def published_figures(table: str) -> tuple[PublishedFigure, ...]:
    """The figures of one table, in the paper's order; none for a table that the paper does not have."""
    return tuple(_figure(line) for line in _lines("published.csv") if line["table"] == table)


@cache
def more_figures() -> tuple[PublishedFigure, ...]:
    """What others have published on the paper's data sets, first on compressed video; `table` is empty.

    Without costs: every source counts them in a way of its own.
    """
    return tuple(_figure(line) for line in _lines("published_more.csv"))


def _lines(name: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(files("cdkd.report").joinpath(name).read_text(encoding="utf-8").splitlines())


def _figure(line: Mapping[str, str]) -> PublishedFigure:
    """Of a line; the columns `table`, `gflops`, `note` and `evidence` are not in both files."""
    return PublishedFigure(
        table=line.get("table", ""),
        row=line["row"],
        method=line["method"],
        backbone=line["backbone"],
        modality=line["modality"],
        year=line["year"],
        dataset=line["dataset"],
        top1=_number(line["top1"]),
        top5=_number(line["top5"]),
        gflops=_number(line.get("gflops", "")),
        source=line["source"],
        note=line.get("note", ""),
        evidence=line.get("evidence", ""),
    )


def figures_of_row(table: str, row: str) -> tuple[PublishedFigure, ...]:
    """One row's figures, a data set each; empty for a row that nobody has published."""
    return tuple(figure for figure in (*published_figures(table), *more_figures()) if figure.row == row)
