"""Relational distillation against hand-computed cases."""

import math

import pytest
import torch
from support.loss_batches import batch

from cdkd.distill.losses.relational import RelationalSettings, angle_loss, distance_loss

# B = 3, D = 2: sides 3, 4, 5 with the right angle at the first clip; and sides 1, 1, sqrt 2 with it at the second.
STUDENT = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
TEACHER = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])


def test_distances_are_relative_to_their_mean() -> None:
    # Pairs 01, 02, 12. Student: 3, 4, 5 over their mean 4. Teacher: 1, sqrt 2, 1 over (2 + sqrt 2) / 3.
    root = math.sqrt(2)
    ours, theirs = [3 / 4, 1, 5 / 4], [3 / (2 + root), 3 * root / (2 + root), 3 / (2 + root)]
    # All of them differ by less than 1, where the Huber loss is half the square.
    expected = sum((a - b) ** 2 / 2 for a, b in zip(ours, theirs, strict=True)) / 3
    assert distance_loss(STUDENT, TEACHER).item() == pytest.approx(expected)


def test_angles_of_every_triplet() -> None:
    # Cosines at the clips 0, 1, 2. Student: 0, 3/5, 4/5. Teacher: 1 / sqrt 2, 0, 1 / sqrt 2. Each stands twice among
    # the six ordered triplets.
    half = 1 / math.sqrt(2)
    expected = (half**2 + 0.6**2 + (0.8 - half) ** 2) / 2 / 3
    assert angle_loss(STUDENT, TEACHER).item() == pytest.approx(expected)


def test_a_similar_figure_costs_nothing() -> None:
    turned = 7 * STUDENT @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]) + 2
    assert distance_loss(turned, STUDENT).item() == pytest.approx(0, abs=1e-9)
    assert angle_loss(turned, STUDENT).item() == pytest.approx(0, abs=1e-9)


def test_differences_above_one_count_linearly() -> None:
    # Relative distances: student 0, 3/2, 3/2 (the first two clips coincide), teacher 3/2, 3/2, 0.
    student = torch.tensor([[0.0], [0.0], [5.0]], requires_grad=True)
    teacher = torch.tensor([[0.0], [2.0], [2.0]])
    loss = distance_loss(student, teacher)
    assert loss.item() == pytest.approx((1.0 + 0 + 1.0) / 3)
    loss.backward()
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("num_clips", [1, 2])
def test_too_few_clips_have_no_relations(num_clips: int) -> None:
    assert angle_loss(STUDENT[:num_clips], TEACHER[:num_clips]).item() == 0
    assert distance_loss(STUDENT[:num_clips], TEACHER[:num_clips]).item() == 0


def test_shares_weigh_the_two_parts_of_pooled_features() -> None:
    example = batch()
    value = RelationalSettings(distance=3.0, angle=0.5).value(example)
    assert example.decoded is not None
    ours, theirs = example.decoded.mean(dim=(1, 3, 4)), example.teacher_maps.mean(dim=(1, 3, 4))
    expected = 3 * distance_loss(ours, theirs) + 0.5 * angle_loss(ours, theirs)
    assert value.total.item() == pytest.approx(expected.item())
    assert set(value.logged) == {"relational_distance", "relational_angle"}


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
def test_gradients(loss: object) -> None:
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(4, 3, generator=draw, dtype=torch.float64) for _ in range(2))
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), (student.requires_grad_(),))  # type: ignore[operator]
