"""What runs say of their cost and of their teacher: counted again by hooks, and scored again clip by clip."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from support.tiny import BASELINE, tiny
from torch import nn

from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.opening import open_dataset
from cdkd.experiment import RUNNER
from cdkd.experiment.description import teacher_metadata
from cdkd.experiment.inputs import ClipInputs
from cdkd.models.weights.loading import load_model
from cdkd.settings import RunConfig

_SHORT = {"train__epochs": 1, "data__gops_per_clip": 2, "data__frames_per_gop": 3, "evaluation__crops": 3}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def silent(metrics: dict[str, float], epoch: int) -> None:
    pass


def _counted(network: nn.Module, *inputs: torch.Tensor) -> float:
    """10^9 multiply-adds of the convolutions and linear layers that one forward pass calls."""
    counts = []

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        per_output = layer.weight[0].numel()  # type: ignore[index, operator]
        counts.append(output.numel() * per_output)

    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(*inputs)
    return sum(counts) / 1e9


def _test_accuracy(config: RunConfig, network: nn.Module) -> float:
    """Top-1 in percent over the test part, one clip of each video, the logits summed over the crops."""
    inputs = ClipInputs(config, open_dataset(config.data), torch.device("cpu"))
    layout = ClipLayout(config.data.gops_per_clip, config.data.frames_per_gop, 0, network.window)  # type: ignore[arg-type]
    source = inputs.source("test", layout)
    right, number = 0, 0
    with torch.inference_mode():
        for batch in source.view_batches(0, 1, 5):
            logits = sum(network(inputs.view(batch, crop).frames).logits for crop in range(3))
            right += int((logits.argmax(dim=1) == batch.labels).sum())  # type: ignore[union-attr]
            number += len(batch.labels)
    assert number == 12
    return 100 * right / number


def test_a_run_knows_its_cost(tmp_path: Path) -> None:
    outcome = RUNNER.run(tiny(**BASELINE, **_SHORT), tmp_path, silent)
    network, description = load_model(outcome.artifacts["checkpoint"])
    shapes = ((1, 2, 3, 32, 32), (1, 6, 1, 2, 32, 32), (1, 6, 1, 3, 32, 32))
    expected = _counted(network, *(torch.zeros(shape) for shape in shapes))
    assert float(outcome.metadata["gmacs_per_view"]) == pytest.approx(expected, rel=1e-9)
    assert int(outcome.metadata["parameters"]) == sum(p.numel() for p in network.parameters())
    assert outcome.metadata["num_views"] == "3"
    assert description["gmacs_per_view"] == outcome.metadata["gmacs_per_view"]
    assert not [name for name in outcome.metadata if name.startswith("teacher_")]


def test_a_teacher_is_tested_and_its_students_repeat_the_figures(tmp_path: Path) -> None:
    config = tiny(**_SHORT, evaluation__clips=1)
    path = RUNNER.ensure_teacher(config, silent)
    taught = RUNNER.teacher_outcome(path)
    network, _ = load_model(path)
    assert set(taught.metrics) == {"validation/top1", "test/top1", "test/top5", "cost/gmacs", "cost/parameters_m"}
    assert taught.metrics["test/top1"] == pytest.approx(_test_accuracy(config, network))
    expected = _counted(network, torch.zeros(1, 6, 1, 3, 32, 32))
    assert float(taught.metadata["gmacs_per_view"]) == pytest.approx(expected, rel=1e-9)
    assert taught.metadata["num_test_videos"] == "12" and taught.metadata["trained_on"] == "pretrain"
    assert taught.metadata["device"].startswith("CPU, ")
    # It keeps what it said of every test video, as students do.
    scores = pd.read_parquet(taught.artifacts["scores"])
    said = scores.filter(like="score_").to_numpy().argmax(axis=1)
    assert 100 * (said == scores.label.to_numpy()).mean() == pytest.approx(taught.metrics["test/top1"])

    # The second run finds the teacher of the first in the cache.
    for seed in (0, 1):
        outcome = RUNNER.run(tiny(**_SHORT, seed=seed), tmp_path / str(seed), silent)
        assert {name: text for name, text in outcome.metadata.items() if name.startswith("teacher_")} == {
            "teacher_test_top1": str(taught.metrics["test/top1"]),
            "teacher_test_top5": str(taught.metrics["test/top5"]),
            "teacher_validation_top1": str(taught.metrics["validation/top1"]),
            "teacher_trained_on": "pretrain",
            "teacher_gmacs_per_view": taught.metadata["gmacs_per_view"],
            "teacher_parameters": str(sum(p.numel() for p in network.parameters())),
        }
        assert float(outcome.metadata["gmacs_per_view"]) > 0


def test_an_interrupted_test_of_a_trained_teacher_is_made_up_for() -> None:
    config = tiny(teacher__seed=3)
    path = RUNNER.ensure_teacher(config, silent)
    before = json.loads(path.with_suffix(".json").read_text())
    path.unlink()
    epochs: list[int] = []
    assert RUNNER.ensure_teacher(config, lambda metrics, epoch: epochs.append(epoch)) == path
    assert epochs == [] and json.loads(path.with_suffix(".json").read_text()) == before


def test_figures_of_another_test_are_not_repeated() -> None:
    config = tiny()
    path = RUNNER.ensure_teacher(config, silent)

    def known(**changes: object) -> dict[str, str]:
        other = tiny(**changes)
        return teacher_metadata(other, ClipInputs(other, open_dataset(other.data), torch.device("cpu")).metadata, path)

    assert known()["teacher_test_top1"] == str(RUNNER.teacher_outcome(path).metrics["test/top1"])
    assert known(evaluation__clips=2) == {}
    assert known(evaluation__resize=36) == {}
    assert known(data__gops_per_clip=2, data__frames_per_gop=3) == {}
    assert known(data__shapes__seed=4) == {}
    assert known(teacher__members=["other.safetensors"]) == {}
    # Motion is nothing that a teacher sees.
    assert known(data__motion="per_frame", data__residual="coviar") == known()
