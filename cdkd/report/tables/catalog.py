"""The table of tables: one line each."""

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
