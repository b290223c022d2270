"""A trained network tested again: as it was tested before, by another protocol, on other data."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from support.tiny import tiny

from cdkd.cli.compare import command as compare
from cdkd.cli.evaluate import command
from cdkd.data.opening import open_dataset
from cdkd.errors import CdkdError
from cdkd.experiment import RUNNER
from cdkd.experiment.evaluation import evaluate_checkpoint
from cdkd.experiment.paths import MODEL_NAME, teacher_folder
from cdkd.models.weights.checkpoints import load_tensors, save_model
from cdkd.models.weights.description import load_description
from cdkd.models.weights.loading import load_model
from cdkd.tracking.tracker import Outcome

CONFIG = tiny(train__epochs=1, evaluation__clips=1, data__input_size=32)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield RUNNER.run(CONFIG, tmp_path_factory.mktemp("cell"), lambda metrics, epoch: None)


def test_the_same_test_gives_the_same_scores(outcome: Outcome) -> None:
    found = evaluate_checkpoint(outcome.artifacts["checkpoint"], {})
    before = pd.read_parquet(outcome.artifacts["scores"])
    assert list(found.scores.videos) == list(before["video"])
    assert np.allclose(found.scores.scores, before.filter(like="score_").to_numpy(), atol=1e-5)
    top1 = [value for name, value in outcome.metrics.items() if name == "test/top1"]
    assert [found.scores.accuracy(1)] == pytest.approx(top1)
    assert found.metadata["views"] == outcome.metadata["views"]


def test_another_part_and_another_protocol(outcome: Outcome) -> None:
    validation = evaluate_checkpoint(outcome.artifacts["checkpoint"], {}, "validation")
    assert len(validation.scores.videos) == open_dataset(CONFIG.data).manifest.num_videos_per_part["validation"]
    views = {"evaluation.clips": 2, "evaluation.crops": 3, "evaluation.resize": 36}
    found = evaluate_checkpoint(outcome.artifacts["checkpoint"], views)
    assert found.metadata["views"] == "2 clips x 3 crops of 32 from 36 pixels"
    with pytest.raises(CdkdError, match="--part validaton: shapes has no such part; it has"):
        evaluate_checkpoint(outcome.artifacts["checkpoint"], {}, "validaton")  # type: ignore[arg-type]


def test_a_teacher_is_tested_as_when_it_was_trained(outcome: Outcome) -> None:
    checkpoint = teacher_folder(CONFIG) / MODEL_NAME
    found = evaluate_checkpoint(checkpoint, _shapes())
    assert found.scores.accuracy(1) == pytest.approx(float(load_description(checkpoint)["test/top1"]))


def _shapes() -> dict[str, object]:
    """The data set of the tiny runs: a teacher's checkpoint does not hold how the embedded one was made."""
    return {f"data.shapes.{name}": value for name, value in CONFIG.data.shapes.model_dump().items()}


def test_what_made_the_network_cannot_be_changed(outcome: Outcome) -> None:
    checkpoint = outcome.artifacts["checkpoint"]
    with pytest.raises(CdkdError, match=r"--set student.arch: a trained network stays what it was trained as"):
        evaluate_checkpoint(checkpoint, {"student.arch": "tdn"})
    with pytest.raises(CdkdError, match=r"reads clips of data.gops_per_clip=1, data.frames_per_gop=6; another shape"):
        evaluate_checkpoint(checkpoint, {"data.frames_per_gop": 3})


def test_classes_are_found_by_name(outcome: Outcome, tmp_path: Path) -> None:
    network, description = load_model(outcome.artifacts["checkpoint"])
    turned = {**description, "classes": list(reversed(description["classes"]))}
    other = tmp_path / "turned.safetensors"
    save_model(other, network, turned)
    same = evaluate_checkpoint(outcome.artifacts["checkpoint"], {})
    assert np.allclose(evaluate_checkpoint(other, {}).scores.scores, same.scores.scores[:, ::-1], atol=1e-5)
    save_model(other, network, {**description, "classes": ["walk", *description["classes"][1:]]})
    with pytest.raises(CdkdError, match="1 of the data set's 12 classes are none of its 12"):
        evaluate_checkpoint(other, {})
    assert load_tensors(other)


def test_the_command_writes_what_compare_reads(outcome: Outcome, tmp_path: Path) -> None:
    checkpoint, scores = str(outcome.artifacts["checkpoint"]), tmp_path / "again.npz"
    result = CliRunner().invoke(command, [checkpoint, "-o", str(scores), "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert (found["part"], found["num_videos"], found["scores"]) == ("test", 12, str(scores))
    compared = CliRunner().invoke(compare, [str(outcome.artifacts["scores"]), str(scores), "--json"])
    assert json.loads(compared.output)["difference"] == 0.0
    wrong = CliRunner().invoke(command, [checkpoint, "-o", "scores.txt"])
    assert "scores.txt: score files end in .parquet, .csv or .npz" in str(wrong.exception)
