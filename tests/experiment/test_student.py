"""One run end to end on real encoded video: what it leaves behind, for TSM and TDN, and its faults."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.prepared import prepared_folder
from support.tiny import BASELINE, tiny

from cdkd.data.loading.dataset import ClipDataset, UnreadableError
from cdkd.data.shapes.writing import prepare_shapes
from cdkd.experiment import RUNNER
from cdkd.experiment.inputs import RunError
from cdkd.experiment.paths import teacher_folder
from cdkd.experiment.teacher_fit import TeacherError
from cdkd.models.weights.description import load_description
from cdkd.settings import EvaluationSettings
from cdkd.tracking.inspection import Inspection, read_inspection
from cdkd.train.evaluate import Scores, evaluate


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def silent(metrics: dict[str, float], epoch: int) -> None:
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("arch", ["tsm", "tdn"])
def test_a_run_leaves_model_scores_and_facts(arch: str, tmp_path: Path) -> None:
    config = tiny(student__arch=arch, teacher__arch=arch, train__epochs=1, evaluation__clips=2)
    told: list[tuple[str, float]] = []
    outcome = RUNNER.run(config, tmp_path, silent, lambda share, /, phase="training": told.append((phase, share)))
    assert outcome.status == "finished" and told[-1] == ("testing", 1.0)
    assert told == sorted(told, key=lambda each: (each[0] == "testing", each[1]))
    frame = pd.read_parquet(outcome.artifacts["scores"])
    assert list(frame.columns) == ["video", "label", *(f"score_{k}" for k in range(12))]
    assert len(frame) == 12 and sorted(frame["label"]) == list(range(12))
    best = frame.filter(like="score_").to_numpy().argmax(axis=1)
    assert outcome.metrics["test/top1"] == pytest.approx((best == frame["label"]).mean() * 100)
    assert outcome.metadata["views"] == "2 clips x 1 crop of 32 from 32 pixels"
    assert outcome.metadata["num_test_videos"] == "12"
    assert load_description(outcome.artifacts["checkpoint"])["role"] == "student"
    graphs = {name.removeprefix("graph/"): x for name, x in outcome.metrics.items() if name.startswith("graph/")}
    assert list(graphs) == [
        "nearest_neighbour",
        "logistic_regression",
        "between_classes",
        "error_constant",
        "error_class_mean",
        "error_student",
    ]
    assert all(0 <= graphs[name] <= 100 for name in ("nearest_neighbour", "logistic_regression"))
    assert graphs["error_student"] > 0
    _check_inspection(read_inspection(outcome.artifacts["inspection"]), frame)


def _check_inspection(kept: Inspection, scores: pd.DataFrame) -> None:
    """What figures need, of the scored test videos."""
    logits, labels = scores.filter(like="score_").to_numpy(), dict(zip(scores["video"], scores["label"], strict=True))
    wrong = scores["video"][logits.argmax(axis=1) != scores["label"]]
    assert set(kept.confused_videos) <= set(wrong) and len(kept.confused_videos) == min(8, len(wrong))
    assert [labels[video] for video in kept.confused_videos] == kept.confused_labels.tolist()
    assert scores.attrs["classes"] == kept.classes.tolist()
    assert kept.example_frames.shape == (2, 6, 32, 32, 3) and kept.example_frames.std() > 0
    assert kept.example_motion.max() > 0 and kept.confused_residual.max() > 0
    assert kept.gates.shape == (12, 6) and kept.example_gates.shape == (2, 6)
    # One clip is looked at with the others and shown by itself.
    assert np.allclose(kept.example_gates, kept.gates[[0, -1]], atol=1e-4)
    assert kept.teacher_edges.shape == kept.student_edges.shape == (4, 6, 6)
    # The mean over clips of edges in units of the largest cannot exceed 1.
    assert 0 < kept.teacher_edges.max() <= 1 + 1e-6
    assert np.allclose(kept.student_features.mean(axis=0), 0, atol=1e-4)
    assert 0 < kept.teacher_variance[1] <= kept.teacher_variance[0] <= 1


def test_validation_has_one_view_and_no_pass_is_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[tuple[str, int]] = []

    def counted(network: Any, predict: Any, source: ClipDataset, settings: EvaluationSettings, *rest: Any) -> Scores:
        passes.append((source.part, settings.clips * settings.crops))
        return evaluate(network, predict, source, settings, *rest)

    monkeypatch.setattr("cdkd.experiment.network_run.evaluate", counted)
    views = {"evaluation__clips": 2, "evaluation__crops": 3, "evaluation__resize": 36}
    config = tiny(**BASELINE, **views, evaluation__every_epochs=1)
    logged: list[dict[str, float]] = []
    outcome = RUNNER.run(config, tmp_path, lambda metrics, epoch: logged.append(dict(metrics)))
    assert passes == [("validation", 1), ("validation", 1), ("test", 6)]
    assert outcome.metrics["validation/top1"] == logged[-1]["validation/top1"]
    # Trained to its end before: the test alone is left.
    again = RUNNER.run(config, tmp_path, silent)
    assert passes[3:] == [("test", 6)] and again.metrics == outcome.metrics


def test_all_training_videos_are_trained_on_where_no_share_is_held_out(tmp_path: Path) -> None:
    prepared_folder(tmp_path / "set", num_train=6, num_test=4)
    options = {**BASELINE, "train__batch_size": 3, "data__name": "folder", "data__root": str(tmp_path / "set")}
    full = {"data__validation_share": 0, "data__sampling": "segments"}
    outcome = RUNNER.run(tiny(**options, **full), tmp_path / "a", silent)
    assert set(outcome.metrics) == {"test/top1", "test/top5", "cost/gmacs", "cost/parameters_m"}
    assert outcome.metadata["num_train_videos"] == "6" and "num_validation_videos" not in outcome.metadata
    with pytest.raises(RunError, match=r"select=best_validation: there are no validation videos.*hold out a share"):
        RUNNER.run(tiny(**options, **full, evaluation__select="best_validation"), tmp_path / "b", silent)


def test_the_teacher_is_trained_once_and_found_again() -> None:
    config = tiny(teacher__seed=5)
    assert not RUNNER.has_teacher(config)
    epochs: list[int] = []
    path = RUNNER.ensure_teacher(config, lambda metrics, epoch: epochs.append(epoch))
    assert RUNNER.has_teacher(config) and epochs == [1]
    written = path.stat().st_mtime_ns
    assert RUNNER.ensure_teacher(config, lambda metrics, epoch: epochs.append(epoch)) == path
    assert epochs == [1] and path.stat().st_mtime_ns == written
    assert load_description(path)["trained_on"] == "pretrain"


def test_rows_without_distillation_need_no_teacher(tmp_path: Path) -> None:
    config = tiny(**BASELINE, teacher__seed=9, train__epochs=1)
    assert RUNNER.has_teacher(config)
    outcome = RUNNER.run(config, tmp_path, silent)
    assert not teacher_folder(config).exists()
    kept = read_inspection(outcome.artifacts["inspection"])
    assert not kept.has_gate and not len(kept.teacher_edges) and not len(kept.student_edges)
    assert kept.student_features.shape == (12, 2) and kept.example_frames.std() > 0


def test_a_missing_teacher_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match=r"no\.safetensors does not exist"):
        RUNNER.run(tiny(teacher__checkpoint=str(tmp_path / "no.safetensors")), tmp_path, silent)


def test_a_diverging_run_says_so_and_has_no_accuracy(tmp_path: Path) -> None:
    config = tiny(**BASELINE, train__optimizer="sgd", train__learning_rate=1e30, train__clip_norm=0.0)
    outcome = RUNNER.run(config, tmp_path, lambda metrics, epoch: None)
    assert (outcome.status, outcome.artifacts) == ("diverged", {})
    assert outcome.metrics.keys() == {"run/diverged_epoch", "run/last_finite_loss"}
    assert outcome.metrics["run/diverged_epoch"] == 1
    assert outcome.metadata["diverged"].startswith("the loss was not finite in epoch 1, step 2; the last finite loss")


def test_unreadable_videos_stop_a_run_unless_accepted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = {**BASELINE, "data__shapes__seed": 3, "train__epochs": 1}
    RUNNER.prepare_data(tiny(**options))
    manifest = prepare_shapes(tiny(**options).data.shapes)
    broken = manifest.file(manifest.part("train")[0])
    broken.write_bytes(b"no video")
    with pytest.raises(UnreadableError, match=rf"1 of 24 videos of the train part.*max_unreadable[\s\S]*{broken.name}"):
        RUNNER.run(tiny(**options), tmp_path / "a", silent)
    assert RUNNER.run(tiny(**options, data__max_unreadable=0.05), tmp_path / "b", silent).status == "finished"
    assert broken.name in caplog.text


def test_teachers_can_be_averaged_and_a_teacher_of_another_width_is_refused(tmp_path: Path) -> None:
    first = RUNNER.ensure_teacher(tiny(), silent)
    second = RUNNER.ensure_teacher(tiny(teacher__seed=7), silent)
    options = {"train__epochs": 1, "distill__logits__enabled": True, "teacher__checkpoint": str(first)}
    alone = RUNNER.run(tiny(**options), tmp_path / "alone", silent)
    averaged = RUNNER.run(tiny(**options, teacher__members=[str(second)]), tmp_path / "averaged", silent)
    scores = [pd.read_parquet(outcome.artifacts["scores"])["score_0"] for outcome in (alone, averaged)]
    assert not np.allclose(*scores)
    with pytest.raises(TeacherError, match=r"64 channels.*teacher.backbone=resnet18 512"):
        RUNNER.run(tiny(**options, teacher__backbone="resnet18"), tmp_path / "wide", silent)
