"""Mistakes in configuration: file, line, key and remedy, whichever way the values came in."""

from pathlib import Path

import pytest

from cdkd.config import (
    ConfigError,
    Record,
    build_record,
    build_value,
    flatten,
    load_document,
    merge_dotted,
    parse_override,
)


class Inner(Record):
    share: float = 0.5
    names: tuple[str, ...] = ()


class Outer(Record):
    title: str
    inner: Inner = Inner()


def error_of(values: dict[object, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        build_record(Outer, values)
    return str(caught.value)


def test_every_wrong_key_is_named() -> None:
    assert error_of({}) == "title: required, but not given"
    assert error_of({"title": 3, "inner": {"share": "1e-1"}}).splitlines() == [
        "title: Input should be a valid string, not 3",
        "inner.share: Input should be a valid number, not '1e-1' (YAML reads this as text; write 0.1)",
    ]
    assert error_of({"title": "a", "inner": {"zzz": 1}}) == "inner.zzz: unknown key; known keys: share, names"
    assert error_of({"title": "a", 7: 1}) == "7: unknown key; known keys: title, inner"


def test_a_misspelt_key_is_told_once() -> None:
    assert error_of({"titel": "a"}) == "titel: unknown key; did you mean 'title'?"


def test_the_line_of_a_nested_key(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("# a comment\nouter:\n  title: a\n  inner:\n    shares: 0.25\n")
    document = load_document(file)
    with pytest.raises(ConfigError) as caught:
        build_record(Outer, document.values["outer"], document, ("outer",))
    assert str(caught.value) == f"{file}:5: outer.inner.shares: unknown key; did you mean 'share'?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: a: given twice (first on line 1)"),
        ("a: [1, 2\nb: 3\n", ":2: not valid YAML: expected ',' or ']', but got ':'"),
        ("- a\n", ":1: a mapping of keys is expected at the top level"),
    ],
)
def test_files_that_are_no_mapping(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_document(file)
    assert str(caught.value) == f"{file}{message}"


def test_one_value_alone() -> None:
    assert build_value(Inner.model_fields["share"], 0.25) == 0.25
    with pytest.raises(ConfigError, match=r"^Input should be a valid number, not 'half'$"):
        build_value(Inner.model_fields["share"], "half")


def test_key_value_pairs() -> None:
    assert parse_override("train.step_epochs=[3, 5]") == ("train.step_epochs", [3, 5])
    with pytest.raises(ConfigError, match=r"^--set train: expected dotted\.key=value, for example train\.epochs=10$"):
        parse_override("train")
    with pytest.raises(ConfigError, match=r"^--where a=\[: the value is not valid YAML$"):
        parse_override("a=[", "--where")


def test_dotted_and_nested_are_one() -> None:
    merged = merge_dotted({"a": {"b": 1, "c": 2}}, {"a.b": 3, "d": {"e": 4}})
    assert merged == {"a": {"b": 3, "c": 2}, "d": {"e": 4}}
    assert flatten(merged) == {"a.b": 3, "a.c": 2, "d.e": 4}
    with pytest.raises(ConfigError, match=r"^a\.b\.c: 'b' is a value, not a group of keys$"):
        merge_dotted({"a": {"b": 1}}, {"a.b.c": 2})
