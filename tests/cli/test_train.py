"""A teacher and a student trained by hand, tracked, registered, and used by the name of the model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.tiny import TINY

from cdkd.cli import group
from cdkd.config import flatten
from cdkd.data.shapes.settings import ShapesSettings
from cdkd.data.shapes.writing import prepare_shapes
from cdkd.models.devices import DeviceError
from cdkd.models.errors import ModelError
from cdkd.models.weights.description import load_description
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client, tracking_uri

SETTINGS = [f"--set={key}={json.dumps(value)}" for key, value in flatten(TINY).items()]


@pytest.fixture(scope="module", autouse=True)
def workplace(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(tmp_path_factory.mktemp("work"))
        yield


def cdkd(*arguments: str) -> Result:
    done = CliRunner().invoke(group, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_from_training_to_a_registered_model() -> None:
    cdkd("train", "teacher", "--arch", "tsm", *SETTINGS, "-o", "teacher.safetensors")
    again = cdkd("train", "teacher", "--arch", "tsm", *SETTINGS, "-o", "copy.safetensors")
    assert "epoch" not in again.output
    assert Path("copy.safetensors").read_bytes() == Path("teacher.safetensors").read_bytes()
    assert load_description(Path("teacher.safetensors"))["role"] == "teacher"
    done = cdkd("train", "student", *SETTINGS, "--set", "teacher.checkpoint=teacher.safetensors", "-o", "s.safetensors")
    assert "epoch 2:" in done.output and "test/top1:" in done.output
    assert json.loads(Path("s.json").read_text())["role"] == "student"

    runs = load_runs()
    assert list(runs["stage"]) == ["students"] and list(runs["status"]) == ["finished"]
    assert runs["settings.teacher.checkpoint"][0] == "teacher.safetensors"
    taught = load_description(Path("teacher.safetensors"))
    assert runs["metadata.teacher_test_top1"][0] == str(taught["test/top1"])
    client = open_client(tracking_uri())
    (config,) = client.search_experiments(filter_string="name = 'train'")
    teachers = client.search_runs([config.experiment_id], "tags.`cdkd.role` = 'teacher'")
    assert [run.data.metrics["test/top1"] for run in teachers] == [taught["test/top1"]] * 2
    assert {run.data.tags["cdkd.metadata.gmacs_per_view"] for run in teachers} == {taught["gmacs_per_view"]}
    run_id, teacher_id = runs["run_id"][0], teachers[0].info.run_id
    assert cdkd("register", run_id, "--name", "gestures").output == "registered: models:/gestures/1\n"
    manifest = prepare_shapes(ShapesSettings.model_validate(TINY["data"]["shapes"]))
    video = str(manifest.file(manifest.part("test")[0]))
    tops = [
        json.loads(cdkd("predict", video, "--model", model, "--json").output)[0]["top"]
        for model in ("s.safetensors", run_id, "models:/gestures/1")
    ]
    assert tops[0] == tops[1] == tops[2] and len(tops[0]) == 5
    seen = [
        json.loads(cdkd("predict", video, "--model", model, "--json").output)[0]["top"]
        for model in ("teacher.safetensors", teacher_id)
    ]
    assert seen[0] == seen[1] != tops[0]


def test_every_command_has_help_with_examples() -> None:
    for names in (["train"], ["train", "teacher"], ["train", "student"], ["predict"], ["export"], ["register"]):
        assert "Examples:" in cdkd(*names, "--help").output


def test_what_cannot_work_is_said_before_any_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for arguments in (["student"], ["teacher", "--arch", "s3d"]):
        with pytest.raises(ModelError, match=r"--output .*/file: cannot be written: .*; name another place"):
            cdkd("train", *arguments, "-o", str(tmp_path / "file" / "x.safetensors"))
    with pytest.raises(DeviceError, match=r"^runtime\.device=cuda:99: not usable here"):
        cdkd("train", "student", *SETTINGS, "--set=runtime.device=cuda:99", "-o", str(tmp_path / "x.safetensors"))
