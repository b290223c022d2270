"""Pages as HTML: Jinja templates with every text escaped, one style sheet inline, pictures as data."""

import base64
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cdkd.report.assemble import Report
from cdkd.report.figures.catalog import drawing_of_table
from cdkd.report.figures.style import BLUE, DARK, GRID, INK, MUTED, PAPER, Drawing, adaptive_svg, picture
from cdkd.report.grid import GridLine, grid_of
from cdkd.report.page.content import Page, run_facts

if TYPE_CHECKING:
    from jinja2 import Environment


def render_page(page: Page) -> str:
    """The page, self-contained."""
    parts = [
        {
            "record": part.record,
            "table": table_view(part.report),
            "summaries": [(one.section, one.text) for one in part.summaries],
            "provenance": part.provenance,
            "runs": [(run_facts(run), page.address_of(run)) for run in part.runs],
        }
        for part in page.studies
    ]
    return _render(
        "page.html",
        page=page,
        parts=parts,
        tables=[table_view(report) for report in page.tables],
        figures=[figure_view(drawing) for drawing in page.drawings],
    )


def render_tables(reports: Sequence[Report]) -> str:
    """Tables alone, each with its figure, in the same look."""
    views = []
    for report in reports:
        drawing = drawing_of_table(report)
        views.append((table_view(report), None if drawing is None else figure_view(drawing)))
    return _render("tables.html", title=reports[0].title, views=views)


def table_view(report: Report) -> dict[str, Any]:
    """What the templates need of a table: texts, and which of them name a row.

    The first column names the rows and stays in sight; on a narrow screen the other columns of texts, such as a study's
    further axes, stand below it instead of beside it.
    """
    grid = grid_of(report)
    first = next((index for index, column in enumerate(report.columns) if column.is_text), 0)
    return {
        "id": _identifier(f"table-{report.table.name}-{report.dataset or 'published'}"),
        "title": report.title,
        "subtitle": report.subtitle,
        "groups": grid.groups,
        "columns": [(column, column.is_text and index != first) for index, column in enumerate(report.columns)],
        "first": first,
        "lines": [(line.starts_section, line.cells, _below_name(line, first)) for line in grid.lines],
        "footnotes": grid.footnotes,
        "notes": report.notes,
    }


def _below_name(line: GridLine, first: int) -> str:
    """The other texts of a line as one; what says only yes or no, with the column's name."""
    texts = []
    for index, cell in enumerate(line.cells):
        if cell.column.is_text and index != first and cell.text not in ("", "-"):
            header = cell.column.header.replace("\n", " ")
            texts.append(f"{header} {cell.text}" if _is_bare(cell.text) else cell.text)
    return ", ".join(texts)


def _is_bare(text: str) -> bool:
    return text in ("yes", "no", "true", "false") or text.replace(".", "", 1).isdigit()


def figure_view(drawing: Drawing) -> dict[str, str]:
    """What the templates need of a figure; its picture follows the reader's light or dark setting."""
    svg = adaptive_svg(picture(drawing, "svg"))
    return {
        "id": _identifier(f"figure-{drawing.name}"),
        "title": drawing.title,
        "caption": drawing.caption,
        "alt": drawing.alt,
        "data": base64.b64encode(svg).decode("ascii"),
    }


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", text)


def _render(template: str, **context: Any) -> str:
    colours = {"ink": INK, "muted": MUTED, "grid": GRID, "paper": PAPER, "link": BLUE}
    return _environment().get_template(template).render(colours=colours, dark=DARK, **context) + "\n"


def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader

    folder = files("cdkd.report.page")
    loader = FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8"))
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
