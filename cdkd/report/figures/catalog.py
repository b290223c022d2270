"""The table of figures: one line each."""

from cdkd.report.assemble import Report
from cdkd.report.figures.ablation import ABLATION
from cdkd.report.figures.classes import CLASSES
from cdkd.report.figures.clip_numbers import ARCHIVE, LABELS
from cdkd.report.figures.confused import CONFUSED
from cdkd.report.figures.confusion import CONFUSION
from cdkd.report.figures.costs import COSTS
from cdkd.report.figures.curves import CURVES
from cdkd.report.figures.definition import Evidence, FigureDefinition
from cdkd.report.figures.features import FEATURES
from cdkd.report.figures.gate import GATE
from cdkd.report.figures.graph_errors import GRAPH_ERRORS
from cdkd.report.figures.graphs import GRAPHS
from cdkd.report.figures.lambda_search import LAMBDA_SEARCH
from cdkd.report.figures.style import Drawing, picture
from cdkd.report.tracked import ReportError
from cdkd.suggestion import hint

FIGURES: dict[str, FigureDefinition] = {
    figure.name: figure
    for figure in (
        ABLATION,
        LAMBDA_SEARCH,
        LABELS,
        ARCHIVE,
        CURVES,
        COSTS,
        CLASSES,
        CONFUSION,
        CONFUSED,
        FEATURES,
        GATE,
        GRAPHS,
        GRAPH_ERRORS,
    )
}
"""By what `--figure` calls them, in the order in which a page shows them."""


def find_figure(name: str) -> FigureDefinition:
    """A figure by name.

    Raises:
        ReportError: there is none of that name; the text says what was meant, or which there are.
    """
    if name not in FIGURES:
        raise ReportError(f"figure {name}: no such figure; {hint(name, FIGURES, 'figures')}")
    return FIGURES[name]


def drawing_of_table(report: Report) -> Drawing | None:
    """A table's own figure; None for a table without one, or without runs."""
    own = [figure for figure in FIGURES.values() if figure.table == report.table.name]
    return next((drawing for figure in own for drawing in figure.drawings(Evidence([report]))), None)


def figure_bytes(report: Report, format_name: str) -> bytes | None:
    """The same as SVG, PDF or PNG."""
    drawing = drawing_of_table(report)
    return None if drawing is None else picture(drawing, format_name)
