"""The table of tables: one line each."""

from collections.abc import Sequence
from pathlib import Path

from cdkd.report.table_definition import TableDefinition
from cdkd.report.tables.ablation import ABLATION
from cdkd.report.tables.comparison import KINETICS400, MEASURED_NETWORKS, SSV2, UCF101_AND_HMDB51
from cdkd.report.tables.lambda_search import LAMBDA_SEARCH
from cdkd.report.tables.methods import METHODS
from cdkd.report.tracked import ReportError
from cdkd.suggestion import hint

TABLES: dict[str, TableDefinition] = {
    table.name: table
    for table in (
        UCF101_AND_HMDB51,
        SSV2,
        KINETICS400,
        ABLATION,
        LAMBDA_SEARCH,
        METHODS,
        MEASURED_NETWORKS,
    )
}
"""By what `--table` calls them, in the order in which they are printed."""


def find_table(name: str) -> TableDefinition:
    """A table by name.

    Raises:
        ReportError: there is none of that name; the text says what was meant, or which there are.
    """
    if name not in TABLES:
        raise ReportError(f"table {name}: no such table; {hint(name, TABLES, 'tables')}")
    return TABLES[name]


def studies_beside(study: str, tables: Sequence[str]) -> list[str]:
    """Names of the studies of cdkd that train the other rows of a study's tables, such as the TDN rows of Table 4.

    Args:
        study: name of the study; one that no row names has none beside it.
        tables: names of tables.

    Raises:
        ReportError: there is no such table.
    """
    found = {Path(row.study).stem for name in tables for row in find_table(name).rows if row.study}
    return sorted(found - {study}) if study in found else []
