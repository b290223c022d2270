"""Temporal knowledge: multi-birth temporal graphs of student and teacher agree (Eq. 3, 5, 6)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from cdkd.distill.losses.precision import at_least_single

TemporalForm = Literal["scaled", "literal"]

# Where the teacher sees nothing move, its largest edge says nothing either and must not blow the loss up.
_SMALLEST_SCALE = 1e-3
_ROOT_EPSILON = 1e-6  # the gradient of a square root is infinite at 0


def _deviation(vertices: Tensor) -> Tensor:
    """||h_t - mu||^2 with mu the clip's mean over t: (B, T, D) -> (B, T, 1)."""
    return (vertices - vertices.mean(dim=1, keepdim=True)).square().sum(dim=2, keepdim=True)


def plain(vertices: Tensor) -> Tensor:
    """Eq. 3's vertices: the features themselves."""
    return vertices


def gaussian(vertices: Tensor) -> Tensor:
    """Eq. 5, first line, sigma = 1: (B, T, D) -> (B, T, 1)."""
    return torch.exp(-_deviation(vertices) / 2)


def laplacian(vertices: Tensor) -> Tensor:
    """Eq. 5, second line, sigma = 1: (B, T, D) -> (B, T, 1)."""
    return torch.exp(-torch.sqrt(_deviation(vertices) + _ROOT_EPSILON**2) / 2)


def quadratic(vertices: Tensor) -> Tensor:
    """Eq. 5, third line, a = b = c = 1, elementwise: (B, T, D) -> (B, T, D)."""
    return vertices.square() + vertices + 1


MAPPINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "gaussian": gaussian,
    "laplacian": laplacian,
    "quadratic": quadratic,
}


def edges(vertices: Tensor) -> Tensor:
    """Eq. 3: A(i, j) = ||v_i - v_j||^2 for (B, T, D) -> (B, T, T)."""
    return (vertices[:, :, None] - vertices[:, None, :]).square().sum(dim=3)


@dataclass(frozen=True)
class TemporalLoss:
    """The loss and, by graph, its part of it and the teacher's largest edge averaged over the batch."""

    total: Tensor
    by_graph: dict[str, Tensor]
    largest_edge: dict[str, Tensor]


def temporal_loss(
    student: Tensor,
    teacher: Tensor,
    form: TemporalForm = "scaled",
    plain_graph: bool = False,
    batch_mean: Callable[[Tensor], Tensor] = torch.mean,
) -> TemporalLoss:
    """Eq. 6: sum over graphs of the squared difference of their edges, averaged over the batch.

    Args:
        student: pooled features h_hat (B, T, D).
        teacher: pooled features h (B, T, D).
        form: `literal`: as printed, edges of raw vertices, squared differences summed over T x T. `scaled`: vertices
            L2-normalised, both sides' edges divided by the teacher's largest edge (averaged over the batch), mean
            over T x T; so that each of the graphs, whose edges differ 200-fold, has its say.
        plain_graph: add the graph of Eq. 3.
        batch_mean: averages the largest edges (B,) of the teacher's graphs over the clips of a step.

    Raises:
        ValueError: the shapes differ.
    """
    if student.shape != teacher.shape or student.dim() != 3:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must both be (B, T, D)")
    student, teacher = at_least_single(student), at_least_single(teacher)
    if form == "scaled":
        student, teacher = functional.normalize(student, dim=2), functional.normalize(teacher, dim=2)
    mappings = {"plain": plain, **MAPPINGS} if plain_graph else MAPPINGS
    by_graph: dict[str, Tensor] = {}
    largest: dict[str, Tensor] = {}
    for name, mapping in mappings.items():
        ours, theirs = edges(mapping(student)), edges(mapping(teacher))
        largest[name] = batch_mean(theirs.amax(dim=(1, 2)))
        if form == "scaled":
            scale = largest[name].clamp(min=_SMALLEST_SCALE)
            by_graph[name] = ((ours - theirs) / scale).square().mean()
        else:
            by_graph[name] = (ours - theirs).square().sum(dim=(1, 2)).mean()
    return TemporalLoss(torch.stack(list(by_graph.values())).sum(), by_graph, largest)
