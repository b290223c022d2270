"""Rows are matched by any setting, exactly by their losses; a table knows its axes from its rows."""

from cdkd.report.table_definition import RowDefinition, TableDefinition

ROWS = (
    RowDefinition("print", "others", None),
    RowDefinition("gate", "gate", {"student.gate": "sigmoid", "train.learning_rate": 0.3}, {"spatial": None}),
    RowDefinition("weight", "weight", {"student.gate": "softmax"}, {"spatial": 0.3, "logits": None}),
)
TABLE = TableDefinition("mine", "A table", (), (), ROWS)


def _key(**settings: object) -> str | None:
    row = TABLE.row_of({key.replace("__", "."): value for key, value in settings.items()})
    return row.key if row else None


SPATIAL = {"distill__spatial__enabled": True, "distill__spatial__weight": 0.1 + 0.2}
LOGITS = {"distill__logits__enabled": True, "distill__logits__weight": 7}


def test_rows_match_settings_and_exactly_their_losses() -> None:
    assert _key(student__gate="sigmoid", train__learning_rate=0.1 * 3, **SPATIAL) == "gate"
    assert _key(student__gate="sigmoid", train__learning_rate=0.31, **SPATIAL) is None
    assert _key(student__gate="sigmoid", train__learning_rate=0.3, **SPATIAL, **LOGITS) is None
    assert _key(student__gate="softmax", **SPATIAL, **LOGITS) == "weight"
    assert _key(student__gate="softmax", **{**SPATIAL, "distill__spatial__weight": 0.4}, **LOGITS) is None


def test_what_was_not_logged_has_its_default() -> None:
    # student.gate: softmax
    assert _key(**SPATIAL, **LOGITS) == "weight"


def test_axes_follow_from_the_rows() -> None:
    assert TABLE.own_settings == {"student.gate", "train.learning_rate", "distill.spatial.weight"}
    assert TABLE.free_settings == frozenset()


def test_titles_and_file_names() -> None:
    numbered = TableDefinition("7", "A table", (), (), ())
    assert (numbered.title, numbered.file_stem) == ("Table 7. A table", "table7")
    assert (TABLE.title, TABLE.file_stem) == ("A table", "table-mine")
