"""Printed figures, each with its source: the paper's own, and what others have published beside them."""

import csv
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
    text = files("cdkd.report").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedFigure(
            table=line["table"],
            row=line["row"],
            method=line["method"],
            backbone=line["backbone"],
            modality=line["modality"],
            year=line["year"],
            dataset=line["dataset"],
            top1=_number(line["top1"]),
            top5=_number(line["top5"]),
            gflops=_number(line["gflops"]),
            source=line["source"],
            note=line["note"],
        )
        for line in csv.DictReader(text.splitlines())
        if line["table"] == table
    )


@cache
def more_figures() -> tuple[PublishedFigure, ...]:
    """What others have published on the paper's data sets, first on compressed video; `table` is empty.

    Without costs: every source counts them in a way of its own.
    """
    text = files("cdkd.report").joinpath("published_more.csv").read_text(encoding="utf-8")
    return tuple(
        PublishedFigure(
            table="",
            row=line["row"],
            method=line["method"],
            backbone=line["backbone"],
            modality=line["modality"],
            year=line["year"],
            dataset=line["dataset"],
            top1=_number(line["top1"]),
            top5=_number(line["top5"]),
            gflops=None,
            source=line["source"],
            note="",
            evidence=line["evidence"],
        )
        for line in csv.DictReader(text.splitlines())
    )


def figures_of_row(table: str, row: str) -> tuple[PublishedFigure, ...]:
    """One row's figures, a data set each; empty for a row that nobody has published."""
    return tuple(figure for figure in (*published_figures(table), *more_figures()) if figure.row == row)
