"""`cdkd plan --json`: the plan as a program reads it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cdkd.cli.plan import command


def test_stages_cells_and_what_is_not_known_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["lambda.yaml", "--seeds", "3,5", "--json"], catch_exceptions=False)
    plan = json.loads(result.output)
    assert plan["study"] == "lambda"
    assert [stage["stage"] for stage in plan["stages"]] == ["lambda1", "lambda2", "logits"]
    first, second, _ = plan["stages"]
    assert [(cell["labels"], cell["seed"], cell["status"]) for cell in first["cells"]] == [
        ({"lambda1": label}, seed, "waiting") for label in ("0", "0.01", "0.1", "1") for seed in (3, 5)
    ]
    assert len({cell["cell"] for cell in first["cells"]}) == 8
    assert second["cells"] is None and second["taken"] == {}
