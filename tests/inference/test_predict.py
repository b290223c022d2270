"""Predictions of trained networks: those of the test, from any video, by file, run or registered model."""

import doctest
import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from support.foreign_videos import reencode
from support.tiny import tiny

from cdkd.cli.predict import command
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.opening import open_dataset
from cdkd.errors import CdkdError
from cdkd.experiment import RUNNER
from cdkd.experiment.inputs import ClipInputs
from cdkd.inference import predict
from cdkd.inference.model_reference import ModelReferenceError, checkpoint_file
from cdkd.inference.predict import Predictor
from cdkd.inference.preprocessing import PreprocessingError
from cdkd.models.devices import DeviceError
from cdkd.models.weights.checkpoints import load_tensors, save_model
from cdkd.models.weights.description import load_description
from cdkd.models.weights.loading import load_model, load_teacher
from cdkd.tracking.tracker import Outcome

EXPERIMENT = tiny(train__epochs=1, evaluation__clips=2, evaluation__crops=3, evaluation__resize=36, data__input_size=32)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield RUNNER.run(EXPERIMENT, tmp_path_factory.mktemp("cell"), lambda metrics, epoch: None)


def a_video(index: int = 3) -> Path:
    manifest = open_dataset(EXPERIMENT.data).manifest
    return manifest.file(manifest.part("test")[index])


def test_predictions_are_the_softmax_of_the_tested_scores(outcome: Outcome) -> None:
    frame = pd.read_parquet(outcome.artifacts["scores"])
    predictor = Predictor(outcome.artifacts["checkpoint"], CPU)
    classes = open_dataset(EXPERIMENT.data).manifest.classes
    root = open_dataset(EXPERIMENT.data).manifest.root
    for row in (0, 7):
        logits = [frame[f"score_{k}"][row] for k in range(12)]
        total = sum(math.exp(value) for value in logits)
        expected = sorted(((math.exp(v) / total, name) for v, name in zip(logits, classes, strict=True)), reverse=True)
        found = predictor.predict(root / frame["video"][row], top=4)
        assert found.classes == tuple(name for _, name in expected[:4])
        assert found.scores == pytest.approx([score for score, _ in expected[:4]], rel=1e-4)
        assert found.transcoded_because == "" and found.transcode_seconds == 0.0
        assert found.decode_seconds > 0 and found.network_seconds > 0


def test_teachers_predict_as_they_are_tested(outcome: Outcome) -> None:
    path = RUNNER.ensure_teacher(EXPERIMENT, lambda metrics, epoch: None)
    dataset = open_dataset(EXPERIMENT.data)
    teacher = load_teacher(path)
    inputs = ClipInputs(EXPERIMENT, dataset, CPU)
    source = inputs.source("test", ClipLayout(1, 6, student_window=0, teacher_window=1))
    batch = next(iter(source.view_batches(0, 1, 5)))
    logits = torch.stack([teacher(inputs.view(batch, crop).frames).logits for crop in range(3)]).mean(dim=0)
    scores = logits[3].softmax(dim=0)
    found = Predictor(path, CPU).predict(a_video(3), top=12)
    assert found.scores == pytest.approx(sorted(scores.tolist(), reverse=True), rel=1e-4)
    assert found.classes[0] == dataset.manifest.classes[int(scores.argmax())]


@pytest.mark.parametrize(("codec", "name"), [("libx264", "b.mp4"), ("libvpx-vp9", "c.webm")])
def test_other_videos_are_transcoded_as_the_data_set_was(
    outcome: Outcome, codec: str, name: str, tmp_path: Path
) -> None:
    reencode(a_video(), tmp_path / name, codec)
    predictor = Predictor(outcome.artifacts["checkpoint"], CPU)
    assert predictor.preprocessing.transcode is not None
    assert predictor.preprocessing.transcode.model_dump() == dict(width=32, height=32, gop_length=12, quantiser=5)
    found = predictor.predict(tmp_path / name)
    assert len(found.classes) == 5 and found.transcode_seconds > 0
    assert found.transcoded_because
    assert not list(tmp_path.glob("*transcoded*"))


def test_groups_of_another_length_are_transcoded(outcome: Outcome, tmp_path: Path) -> None:
    from cdkd.video.transcode import transcode

    transcode(a_video(), tmp_path / "other.mp4", width=48, height=32, gop_length=8)
    found = Predictor(outcome.artifacts["checkpoint"], CPU).predict(tmp_path / "other.mp4")
    assert found.transcoded_because == "its groups of pictures have 8 frames; the network learnt from 12"


def test_residuals_are_those_of_the_training(outcome: Outcome, tmp_path: Path) -> None:
    network, description = load_model(outcome.artifacts["checkpoint"])
    assert description["preprocessing"]["residual"] == "exact"
    found = {}
    for residual in ("exact", "coviar", None):
        preprocessing = {**description["preprocessing"], "residual": residual}
        if residual is None:  # as checkpoints of earlier versions
            del preprocessing["residual"]
        save_model(tmp_path / "a.safetensors", network, {**description, "preprocessing": preprocessing})
        found[residual] = Predictor(tmp_path / "a.safetensors", CPU).predict(a_video()).scores
    assert found[None] == found["exact"] != found["coviar"]


def test_frames_lie_where_they_lay_in_the_training(outcome: Outcome, tmp_path: Path) -> None:
    """In a video of four GOPs every sampling looks elsewhere; of old checkpoints it is the middles of whole GOPs."""
    long = open_dataset("shapes", shapes={**EXPERIMENT.data.shapes.model_dump(), "num_frames": 48}).manifest
    network, description = load_model(outcome.artifacts["checkpoint"])
    assert description["preprocessing"]["sampling"] == "segments"
    found = {}
    for sampling in ("segments", "gops", "dense", None):
        preprocessing = {**description["preprocessing"], "sampling": sampling}
        if sampling is None:
            del preprocessing["sampling"]
        save_model(tmp_path / "a.safetensors", network, {**description, "preprocessing": preprocessing})
        found[sampling] = Predictor(tmp_path / "a.safetensors", CPU).predict(long.file(long.part("test")[3])).scores
    assert found[None] == found["gops"] and len(set(found.values())) == 3


def test_a_broken_video_is_reported_and_the_others_predicted(outcome: Outcome, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    arguments = [str(tmp_path / "broken.mp4"), str(a_video()), "--model", str(outcome.artifacts["checkpoint"])]
    done = CliRunner().invoke(command, [*arguments, "--json", "--top", "2"])
    assert done.exit_code == 1
    broken, good = json.loads(done.stdout)
    assert "broken.mp4" in broken["error"] and "broken.mp4" in done.stderr
    assert good["error"] is None and len(good["top"]) == 2
    assert set(good["seconds"]) == {"transcode", "decode", "network"}
    text = CliRunner().invoke(command, arguments[1:])
    assert text.exit_code == 0 and "decoding" in text.stdout and text.stdout.count("%") == 5


def test_a_video_shorter_than_a_clip_is_named(outcome: Outcome, tmp_path: Path) -> None:
    from cdkd.video.transcode import transcode

    transcode(a_video(), tmp_path / "long.mp4", width=32, height=32, gop_length=4)
    import av

    with av.open(str(tmp_path / "long.mp4")) as source, av.open(str(tmp_path / "short.mp4"), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in list(source.demux(video=0))[:4]:
            packet.stream = copy
            target.mux(packet)
    with pytest.raises(CdkdError, match=r"short.mp4: is too short: 4 frames, the network reads 7 in a row"):
        Predictor(outcome.artifacts["checkpoint"], CPU).predict(tmp_path / "short.mp4")


def test_checkpoints_load_with_one_call_and_faulty_ones_are_named(outcome: Outcome, tmp_path: Path) -> None:
    network, description = load_model(outcome.artifacts["checkpoint"])
    weights = load_tensors(outcome.artifacts["checkpoint"])
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())
    assert len(description["classes"]) == 12
    del description["preprocessing"], description["format"]
    save_model(tmp_path / "old.safetensors", network, description)
    assert "preprocessing" not in load_description(tmp_path / "old.safetensors")
    with pytest.raises(PreprocessingError, match=r"old.safetensors: does not say how videos"):
        Predictor(tmp_path / "old.safetensors", CPU)


def test_the_examples_run(outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(outcome.artifacts["checkpoint"], "student.safetensors")
    shutil.copy(a_video(), "clip.mp4")
    assert doctest.testmod(predict) == doctest.TestResults(failed=0, attempted=3)


def test_a_file_is_a_reference_too_and_a_missing_device_is_named(outcome: Outcome) -> None:
    checkpoint = outcome.artifacts["checkpoint"]
    found = Predictor.from_run(str(checkpoint), "cpu").predict(str(a_video()))
    assert found.classes == Predictor(checkpoint, CPU).predict(a_video()).classes
    with pytest.raises(DeviceError, match=r"^device=cuda:99: not usable here"):
        Predictor(checkpoint, "cuda:99")
    arguments = [str(a_video()), "--model", str(checkpoint), "--device", "cuda:99"]
    with pytest.raises(DeviceError, match=r"^--device=cuda:99: not usable here"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_a_name_that_is_no_model_is_explained() -> None:
    with (
        pytest.raises(ModelReferenceError, match="gestures: no such file; give a checkpoint"),
        checkpoint_file("gestures"),
    ):
        pass
