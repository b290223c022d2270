"""Eq. 3, 5 and 6 against hand-computed cases and a slow version."""

import math
from collections.abc import Callable

import pytest
import torch

from cdkd.distill.losses.temporal import (
    TemporalSettings,
    edges,
    gaussian,
    laplacian,
    make_vertices,
    plain,
    quadratic,
    smallest_scale,
    temporal_loss,
)

# B = 1, T = 3, D = 2; the mean over t is (1, 1), the squared deviations are 2, 2 and 4.
VERTICES = torch.tensor([[[0.0, 0.0], [0.0, 2.0], [3.0, 1.0]]])


def test_edges_are_squared_distances() -> None:
    assert edges(VERTICES).tolist() == [[[0.0, 4.0, 10.0], [4.0, 0.0, 10.0], [10.0, 10.0, 0.0]]]


def test_the_three_mappings() -> None:
    assert gaussian(VERTICES).flatten().tolist() == pytest.approx([math.exp(-1), math.exp(-1), math.exp(-2)])
    roots = [math.exp(-math.sqrt(2) / 2), math.exp(-math.sqrt(2) / 2), math.exp(-1)]
    assert laplacian(VERTICES).flatten().tolist() == pytest.approx(roots)
    assert quadratic(VERTICES).tolist() == [[[1.0, 1.0], [1.0, 7.0], [13.0, 3.0]]]
    assert plain(VERTICES) is VERTICES


def slow_loss(student: list[list[float]], teacher: list[list[float]], form: str) -> float:
    """One clip, plain Python."""

    def unit(v: list[float]) -> list[float]:
        return [x / math.sqrt(sum(y * y for y in v)) for x in v]

    def graphs(vertices: list[list[float]]) -> list[list[list[float]]]:
        if form == "scaled":
            vertices = [unit(v) for v in vertices]
        mean = [sum(column) / len(vertices) for column in zip(*vertices, strict=True)]
        deviation = [sum((x - m) ** 2 for x, m in zip(v, mean, strict=True)) for v in vertices]
        return [
            [[math.exp(-d / 2)] for d in deviation],
            [[math.exp(-math.sqrt(d) / 2)] for d in deviation],
            [[x * x + x + 1 for x in v] for v in vertices],
        ]

    total = 0.0
    for ours, theirs in zip(graphs(student), graphs(teacher), strict=True):
        a = [[sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) for q in ours] for p in ours]
        b = [[sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) for q in theirs] for p in theirs]
        scale = max(map(max, b)) if form == "scaled" else 1.0
        squares = [((x - y) / scale) ** 2 for r, s in zip(a, b, strict=True) for x, y in zip(r, s, strict=True)]
        total += sum(squares) / (len(squares) if form == "scaled" else 1)
    return total


@pytest.mark.parametrize("form", ["scaled", "literal"])
def test_the_loss_equals_a_slow_version(form: str) -> None:
    student = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(1))
    teacher = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(2))
    expected = slow_loss(student[0].tolist(), teacher[0].tolist(), form)
    assert temporal_loss(student, teacher, form).total.item() == pytest.approx(expected, rel=1e-4)  # type: ignore[arg-type]


def test_identical_graphs_cost_nothing() -> None:
    assert temporal_loss(VERTICES, VERTICES.clone(), "literal").total.item() == 0


def test_the_loss_is_the_sum_of_the_graphs_that_are_named() -> None:
    student = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1))
    teacher = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(2))
    assert list(temporal_loss(student, teacher).by_graph) == ["gaussian", "laplacian", "quadratic"]
    alone = {name: temporal_loss(student, teacher, graphs=[name]).total.item() for name in ("plain", "quadratic")}
    together = temporal_loss(student, teacher, graphs=["plain", "quadratic"])
    assert {name: value.item() for name, value in together.by_graph.items()} == alone
    assert together.total.item() == pytest.approx(sum(alone.values()))


def test_graphs_are_named_once_and_in_any_order() -> None:
    assert TemporalSettings.model_validate({"graphs": ["quadratic", "plain"]}).graphs == ("plain", "quadratic")
    for names in ([], ["plain", "plain"], ["round"]):
        with pytest.raises(ValueError, match="graphs"):
            TemporalSettings.model_validate({"graphs": names})


def test_vertices_are_pooled_maps_whole_maps_or_positions() -> None:
    maps = torch.arange(2 * 3 * 2 * 2 * 2, dtype=torch.float32).reshape(2, 3, 2, 2, 2)  # (B, T, C, H, W)
    pooled, whole, position = (make_vertices(maps, kind) for kind in ("pooled", "map", "position"))  # type: ignore[arg-type]
    assert pooled[1, 2].tolist() == [maps[1, 2, 0].mean().item(), maps[1, 2, 1].mean().item()]
    assert whole[1, 2].tolist() == maps[1, 2].flatten().tolist()
    assert position.shape == (8, 3, 2)
    # The last position of the second clip.
    assert position[7].tolist() == maps[1, :, :, 1, 1].tolist()
    # Eq. 3's distance of two maps is the sum over positions.
    by_position = edges(position).reshape(2, 4, 3, 3).sum(dim=1)
    assert torch.equal(edges(whole), by_position)


def test_a_teacher_that_does_not_move_gives_a_finite_loss() -> None:
    still = torch.ones(2, 3, 4)
    moving = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = temporal_loss(still.clone().requires_grad_(), still).total
    assert loss.item() == 0
    temporal_loss(moving, still, "literal").total.backward()
    assert torch.isfinite(moving.grad).all()


@pytest.mark.parametrize("form", ["scaled", "literal"])
def test_gradients(form: str) -> None:
    draw = torch.Generator().manual_seed(0)
    student = torch.randn(2, 3, 4, generator=draw, dtype=torch.float64).requires_grad_()
    teacher = torch.randn(2, 3, 4, generator=draw, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s: temporal_loss(s, teacher, form).total, (student,))  # type: ignore[arg-type]


def test_a_teacher_that_hardly_moves_does_not_blow_the_scaled_loss_up() -> None:
    draw = torch.Generator().manual_seed(0)
    student, still = torch.randn(2, 3, 4, generator=draw), torch.ones(2, 3, 4)
    hardly = still + 1e-6 * torch.randn(2, 3, 4, generator=draw)
    assert temporal_loss(student, hardly).total.item() == pytest.approx(temporal_loss(student, still).total.item())


# Widths of the slim backbone, of ResNet-18 and of ResNet-50.
@pytest.mark.parametrize("width", [64, 512, 2048])
@pytest.mark.parametrize("mapping", [plain, gaussian, laplacian, quadratic])
def test_frames_that_differ_are_above_the_smallest_scale_at_every_width(width: int, mapping: Callable) -> None:  # type: ignore[type-arg]
    vertices = torch.rand(64, 6, width, generator=torch.Generator().manual_seed(width)).square()
    vertices = torch.nn.functional.normalize(vertices, dim=2)
    mapped = mapping(vertices)
    largest = edges(mapped).amax(dim=(1, 2)).mean().item()
    bound = smallest_scale(width, mapped.shape[2])
    assert bound < largest < 3000 * bound
    if mapped.shape[2] == 1:
        # The bound falls with the width as the edges do.
        assert bound * width == pytest.approx(0.064) and largest < 5 * bound


@pytest.mark.parametrize("width", [64, 512, 2048])
def test_a_teacher_that_does_not_move_does_not_blow_the_loss_up_at_any_width(width: int) -> None:
    draw = torch.Generator().manual_seed(width)
    still = torch.rand(4, 1, width, generator=draw).expand(4, 6, width)
    # Rounding of bfloat16, which is what is left of a still clip's differences.
    rounded = (still * (1 + 2.0**-9 * torch.randn(4, 6, width, generator=draw))).float()
    student = torch.rand(4, 6, width, generator=draw)
    by_graph = temporal_loss(student, rounded).by_graph
    assert all(value.item() < 5 for name, value in by_graph.items() if name != "quadratic")
