"""Parameter groups of the published recipes, and partial batch norm."""

import pytest
import torch
from torch import nn

from cdkd.models.teacher.teacher import build_teacher
from cdkd.settings import OptimizerSettings, StudentOptimizerSettings, TeacherSettings
from cdkd.train.batch_norm import freeze_parameters, freeze_statistics, frozen_norms
from cdkd.train.optimizer import build_optimizer

TSM_SETTINGS = OptimizerSettings(
    optimizer="sgd",
    learning_rate=0.02,
    weight_decay=1e-4,
    classifier_weight_multiplier=5.0,
    classifier_bias_multiplier=10.0,
)


def tsm50(num_classes: int = 101) -> nn.Module:
    settings = TeacherSettings(arch="tsm", backbone="resnet50", shift_div=8)
    with torch.device("meta"):
        return build_teacher(settings, num_classes=num_classes, num_segments=8)


def groups(network: nn.Module, settings: OptimizerSettings) -> set[tuple[float, float, int, int]]:
    """(learning rate, weight decay, tensors, parameters) of each group."""
    return {
        (round(g["initial_lr"], 9), g["weight_decay"], len(g["params"]), sum(p.numel() for p in g["params"]))
        for g in build_optimizer(network, settings).param_groups
    }


def test_tsm_groups_are_those_of_the_published_code() -> None:
    # Its table for 101 classes: convolutions 1 + 52 tensors, classifier x5 and x10, batch norms without decay.
    assert groups(tsm50(), TSM_SETTINGS) == {
        (0.02, 1e-4, 53, 9_408 + 23_445_504),
        (0.1, 1e-4, 1, 206_848),
        (0.2, 0.0, 1, 101),
        (0.02, 0.0, 106, 53_120),
    }


def test_partial_batch_norm_leaves_one_norm_of_tsm_to_train() -> None:
    network = tsm50()
    freeze_parameters(network)
    assert (0.02, 0.0, 2, 128) in groups(network, TSM_SETTINGS)
    network.train()
    freeze_statistics(network)
    training = [name for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d) and m.training]
    assert training == ["encoder.backbone.bn1"]
    assert len(frozen_norms(network)) == 52
    assert network.training


def test_tdn_decays_everything_at_one_rate() -> None:
    settings = OptimizerSettings(optimizer="sgd", learning_rate=0.02, weight_decay=1e-4, decay_all=True)
    found = groups(tsm50(), settings)
    assert {(rate, decay) for rate, decay, _, _ in found} == {(0.02, 1e-4)}


def test_frozen_norms_neither_move_nor_learn() -> None:
    network = build_teacher(TeacherSettings(), num_classes=3, num_segments=2)
    freeze_parameters(network)
    network.train()
    freeze_statistics(network)
    frozen = [(norm, {k: v.clone() for k, v in norm.state_dict().items()}) for norm in frozen_norms(network)]
    optimizer = build_optimizer(network, OptimizerSettings(optimizer="sgd", learning_rate=0.1))
    stem = network.get_submodule("encoder.backbone.bn1")
    before = {k: v.clone() for k, v in stem.state_dict().items()}
    network(torch.randn(4, 2, 1, 3, 32, 32)).logits.square().sum().backward()
    optimizer.step()
    assert frozen
    assert all(torch.equal(norm.state_dict()[k], v) for norm, state in frozen for k, v in state.items())
    assert all(not torch.equal(stem.state_dict()[k], v) for k, v in before.items())


def test_a_students_classifier_has_multipliers_too() -> None:
    network = nn.ModuleDict({"streams": nn.Linear(3, 2), "head": nn.Linear(2, 5)})
    rates = sorted({g["initial_lr"] for g in build_optimizer(network, TSM_SETTINGS).param_groups})
    assert rates == pytest.approx([0.02, 0.1, 0.2])


def test_a_students_decoder_and_gate_have_a_rate_of_their_own() -> None:
    parts = ("streams", "decoder", "gate", "head")
    network = nn.ModuleDict({name: nn.Linear(2, 3) for name in parts})
    settings = StudentOptimizerSettings(learning_rate=0.01, decoder_multiplier=0.3, classifier_weight_multiplier=2.0)
    rates = {id(p): g["initial_lr"] for g in build_optimizer(network, settings).param_groups for p in g["params"]}
    found = {name: [rates[id(p)] for p in network[name].parameters()] for name in parts}
    assert found == {
        "streams": [0.01, 0.01],
        "decoder": [0.003, 0.003],
        "gate": [0.003, 0.003],
        "head": [0.02, 0.01],
    }
