"""Switches that save memory or time change no result."""

from typing import Any

import pytest
import torch
from support.data_parallel import one_step

from cdkd.experiment.runtime import accelerate
from cdkd.models.backbones.resnet import build_backbone
from cdkd.settings import OptimizerSettings, RuntimeSettings
from cdkd.train.processes import ALONE

# Residual batch norms and dropout inside a checkpointed stage would show in statistics and gradients.
OPTIONS: dict[str, Any] = {"student__dropout": 0.2, "runtime__channels_last": False}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield one_step(OPTIONS, ALONE)


def test_activation_checkpoints_change_no_bit(plain: dict[str, torch.Tensor]) -> None:
    found = one_step({**OPTIONS, "runtime__checkpoint_activations": True}, ALONE)
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in plain.items())


def test_channels_last_gives_the_same_step(plain: dict[str, torch.Tensor]) -> None:
    found = one_step({**OPTIONS, "runtime__channels_last": True}, ALONE)
    torch.testing.assert_close(found["loss"], plain["loss"], rtol=1e-5, atol=0)
    for name in plain:
        if name.startswith("buffer"):
            torch.testing.assert_close(found[name], plain[name], rtol=1e-3, atol=1e-5, msg=name)
    # Flat motion gives max-pooling ties, which rounding breaks one way or the other: single gradients may differ.
    names = [name for name in plain if name.startswith("gradient")]
    ours, theirs = (torch.cat([values[name].flatten() for name in names]) for values in (found, plain))
    assert float((ours - theirs).norm() / theirs.norm()) < 0.02
    assert any(p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous() for p in found.values()
               if p.dim() == 4)  # fmt: skip


def test_activations_are_kept_unless_asked() -> None:
    for wanted in (False, True):
        network = build_backbone("slim")
        runtime = RuntimeSettings(checkpoint_activations=wanted)
        accelerate(network, runtime, OptimizerSettings(), ALONE, torch.device("cpu"))
        calls: list[int] = []
        for index, stage in enumerate(network.stages):
            block = stage.get_submodule("0")
            block.register_forward_pre_hook(lambda module, inputs, index=index, calls=calls: calls.append(index))
        network(torch.randn(2, 3, 32, 32)).sum().backward()
        assert sorted(calls) == sorted([0, 1, 2] * (1 + wanted))
