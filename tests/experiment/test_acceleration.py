"""Switches that save memory or time change no result."""

from typing import Any

import pytest
import torch
from support.data_parallel import one_step

from cdkd.train.processes import ALONE

# Residual batch norms and dropout inside a recomputed stage would show in statistics and gradients.
OPTIONS: dict[str, Any] = {"student__dropout": 0.2}


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
    for name, tensor in plain.items():
        scale = float(tensor.abs().max())
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4 * scale + 1e-7, msg=name)


def test_stages_really_are_recomputed(monkeypatch: pytest.MonkeyPatch) -> None:
    from cdkd.models.resnet import build_backbone
    from cdkd.train.activation_checkpoints import checkpoint_stages

    network = build_backbone("slim")
    checkpoint_stages(network)
    calls: list[int] = []
    for index, stage in enumerate(network.stages):
        stage[0].register_forward_pre_hook(lambda module, inputs, index=index: calls.append(index))
    network(torch.randn(2, 3, 32, 32)).sum().backward()
    assert sorted(calls) == [0, 0, 1, 1, 2, 2]
    calls.clear()
    network.eval()(torch.randn(2, 3, 32, 32))
    assert calls == [0, 1, 2]
