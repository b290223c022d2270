"""The attention gate's forms and where they start."""

import pytest
import torch

from cdkd.models.errors import ModelError
from cdkd.models.student.attention_gate import AttentionGate, sigmoid_gate, softmax_gate, uniform_gate


def test_forms_by_hand():
    scores = torch.log(torch.tensor([[1.0, 2.0, 5.0], [3.0, 3.0, 3.0]]))
    torch.testing.assert_close(softmax_gate(scores), torch.tensor([[0.375, 0.75, 1.875], [1.0, 1.0, 1.0]]))
    torch.testing.assert_close(sigmoid_gate(scores), torch.tensor([[1 / 2, 2 / 3, 5 / 6], [3 / 4, 3 / 4, 3 / 4]]))
    assert uniform_gate(scores).tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(("form", "value"), [("softmax", 1.0), ("sigmoid", 0.5), ("uniform", 1.0)])
def test_every_gate_starts_with_all_frames_alike(form, value):
    gate = AttentionGate(20, form)
    torch.testing.assert_close(gate(torch.randn(3, 4, 20)), torch.full((3, 4), value))


def test_uniform_has_no_parameters():
    assert list(AttentionGate(20, "uniform").parameters()) == []


def test_a_frames_weight_depends_on_its_own_features():
    gate = AttentionGate(20, "sigmoid")
    torch.nn.init.normal_(gate.excitation[2].weight)
    pooled = torch.randn(2, 4, 20)
    other = pooled.clone()
    other[1, 2] += 1
    assert (gate(pooled) != gate(other)).tolist() == [[False] * 4, [False, False, True, False]]


def test_an_unknown_form_lists_the_known_ones():
    with pytest.raises(ModelError, match="unknown form 'hard'; known: softmax, sigmoid, uniform"):
        AttentionGate(20, "hard")
