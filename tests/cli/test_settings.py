"""`cdkd settings` as a user types it."""

import json
from pathlib import Path

from click.testing import CliRunner

from cdkd.cli.settings import command
from cdkd.settings import RunConfig, flat_settings

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "settings.md"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_one_setting() -> None:
    assert run("runtime.num_threads").splitlines() == [
        "runtime: What cannot change a result; no part of a cell's identity.",
        "",
        "  runtime.num_threads = 1 (no part of a cell's identity)",
        "      Threads of the process.",
        "      [whole number, at least 1]",
    ]


def test_json_holds_them_all() -> None:
    assert {entry["key"]: entry["default"] for entry in json.loads(run("--json"))} == flat_settings(RunConfig())


def test_the_written_reference_is_the_printed_one() -> None:
    assert REFERENCE.read_text() == run("--format", "markdown"), "cdkd settings --format markdown > docs/settings.md"
