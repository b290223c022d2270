"""Temporal knowledge: multi-birth temporal graphs of student and teacher agree (Eq. 3, 5, 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator

from cdkd.config import Weight
from cdkd.distill.losses.loss import LossBatch, LossSettings, LossValue, Need, at_least_single

if TYPE_CHECKING:
    from torch import Tensor

TemporalForm = Literal["scaled", "literal"]
Vertices = Literal["pooled", "map", "position"]
GraphName = Literal["plain", "gaussian", "laplacian", "quadratic"]


def _check_graphs(names: tuple[GraphName, ...]) -> tuple[GraphName, ...]:
    if not names or len(set(names)) < len(names):
        raise ValueError("name at least one graph, and each once")
    # In one order, whatever the order in which they are given: equal objectives have one identity.
    return tuple(name for name in MAPPINGS if name in names)


Graphs = Annotated[
    tuple[GraphName, ...],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
    AfterValidator(_check_graphs),
]


class TemporalSettings(LossSettings):
    """Temporal knowledge, Eq. 3, 5 and 6: graphs of the distances between a clip's frames agree."""

    title: ClassVar[str] = "temporal KD"
    symbol: ClassVar[str] = "λ2"
    source: ClassVar[str] = "Liu et al. 2023"
    needs: ClassVar[frozenset[Need]] = frozenset({"decoder"})
    pull: ClassVar[float] = 0.02

    enabled: bool = True
    """The loss takes part, where its weight is above 0 too."""
    weight: Weight = 1.0
    """lambda2."""
    form: TemporalForm = "scaled"
    """scaled: L2-normalised vertices, edges relative to the teacher's largest; literal: as printed."""
    vertices: Vertices = "pooled"
    """What a frame's vertex is. pooled: its map averaged over H and W; map: the whole map, as Eq. 3 has it; position:
    each position has a graph of its own."""
    graphs: Graphs = ("gaussian", "laplacian", "quadratic")
    """The graphs that agree: Eq. 3's own (plain), and those of the three mappings of Eq. 5."""

    @property
    def is_literal(self) -> bool:
        """See `LossSettings`."""
        return self.form == "literal"

    def value(self, batch: LossBatch) -> LossValue:
        """Eq. 6 of the decoded and the teacher's maps."""
        student, teacher, _ = batch.matched_maps()
        loss = temporal_loss(
            make_vertices(student, self.vertices),
            make_vertices(teacher, self.vertices),
            self.form,
            self.graphs,
            batch.batch_mean,
        )
        by_graph = {f"temporal_{name}": part for name, part in loss.by_graph.items()}
        return LossValue(loss.total, by_graph | {f"largest_edge_{name}": x for name, x in loss.largest_edge.items()})


def make_vertices(maps: Tensor, kind: Vertices) -> Tensor:
    """Maps (B, T, C, H, W) to vertices (N, T, D).

    pooled      N = B, D = C           the mean over H and W
    map         N = B, D = C * H * W   the map as it is
    position    N = B * H * W, D = C   every position is a sequence of its own
    """
    if kind == "pooled":
        return maps.mean(dim=(3, 4))
    if kind == "map":
        return maps.flatten(2)
    # (B, H, W, T, C) -> (B * H * W, T, C)
    return maps.permute(0, 3, 4, 1, 2).flatten(0, 2)


# Where the teacher sees nothing move, its largest edge says nothing either and must not blow the loss up.
_SMALLEST_SCALE = 1e-3
_WIDTH_OF_SMALLEST_SCALE = 64
_ROOT_EPSILON = 1e-6  # the gradient of a square root is infinite at 0


def _deviation(vertices: Tensor) -> Tensor:
    """||h_t - mu||^2 with mu the clip's mean over t: (B, T, D) -> (B, T, 1)."""
    return (vertices - vertices.mean(dim=1, keepdim=True)).square().sum(dim=2, keepdim=True)


def plain(vertices: Tensor) -> Tensor:
    """Eq. 3's vertices, the features themselves: (B, T, D) as they are."""
    return vertices


def gaussian(vertices: Tensor) -> Tensor:
    """Eq. 5, first line, sigma = 1: (B, T, D) -> (B, T, 1)."""
    return (-_deviation(vertices) / 2).exp()


def laplacian(vertices: Tensor) -> Tensor:
    """Eq. 5, second line, sigma = 1: (B, T, D) -> (B, T, 1)."""
    # The distance ||h_t - mu|| here, where the first line has its square.
    return (-(_deviation(vertices) + _ROOT_EPSILON**2).sqrt() / 2).exp()


def quadratic(vertices: Tensor) -> Tensor:
    """Eq. 5, third line, a = b = c = 1, elementwise: (B, T, D) -> (B, T, D)."""
    return vertices.square() + vertices + 1


MAPPINGS: dict[GraphName, Callable[[Tensor], Tensor]] = {
    "plain": plain,
    "gaussian": gaussian,
    "laplacian": laplacian,
    "quadratic": quadratic,
}


def edges(vertices: Tensor) -> Tensor:
    """Eq. 3: A(i, j) = ||v_i - v_j||^2 for (B, T, D) -> (B, T, T)."""
    # (B, T, T, D) in between: T is small, so this costs nothing beside the maps.
    return (vertices[:, :, None] - vertices[:, None, :]).square().sum(dim=3)


def smallest_scale(width: int, mapped_width: int) -> float:
    """What a graph's edges are divided by at least, for vertices of D = `width` channels.

    It goes with the largest edge of a clip whose frames have nothing to do with each other (six vectors of D positive
    numbers drawn at random, L2-normalised), which is about what an untrained student's graphs hold:

        plain, quadratic    about 1 at every width: the squared distance of two unit vectors
        gaussian            0.14 / D
        laplacian           0.09 / D

    The last two make one number of a frame, its distance from the mean: a sum over D channels, which is the more alike
    for all frames the more channels there are, with a variance that falls as 1 / D. So the bound is 1e-3 up to 64
    channels, and beyond them falls in the same way for these two: 1e-3 at every width would exceed all of their edges
    at the 2,048 channels of a ResNet-50, and shut both graphs out of the loss.

    Args:
        width: D.
        mapped_width: values per vertex of the graph's mapping, 1 or D.
    """
    is_one_number = mapped_width < width
    return _SMALLEST_SCALE * min(1.0, _WIDTH_OF_SMALLEST_SCALE / width if is_one_number else 1.0)


@dataclass(frozen=True)
class TemporalLoss:
    """Eq. 6 and what it is made of; every tensor is ()."""

    total: Tensor
    by_graph: dict[str, Tensor]
    """Each graph's part of the total."""
    largest_edge: dict[str, Tensor]
    """Each of the teacher's graphs' largest edge, averaged over the batch."""


def temporal_loss(
    student: Tensor,
    teacher: Tensor,
    form: TemporalForm = "scaled",
    graphs: Sequence[GraphName] = ("gaussian", "laplacian", "quadratic"),
    batch_mean: Callable[[Tensor], Tensor] = lambda per_clip: per_clip.mean(),
) -> TemporalLoss:
    """Eq. 6: sum over graphs of the squared difference of their edges, averaged over the batch.

    Args:
        student: vertices of h_hat (B, T, D).
        teacher: vertices of h (B, T, D).
        form: `literal`: as printed, edges of raw vertices, squared differences summed over T x T. `scaled`: vertices
            L2-normalised, both sides' edges divided by the teacher's largest edge (averaged over the batch), mean
            over T x T; so that each of the graphs, whose edges differ 200-fold, has its say.
        graphs: whose sum it is.
        batch_mean: averages the largest edges (B,) of the teacher's graphs over the clips of a step.

    Raises:
        ValueError: the shapes differ.
    """
    import torch
    from torch.nn import functional

    if student.shape != teacher.shape or student.dim() != 3:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must both be (B, T, D)")
    student, teacher = at_least_single(student), at_least_single(teacher)
    # Without it, a difference in scale between the two networks would enter the exponentials of Eq. 5.
    if form == "scaled":
        student, teacher = functional.normalize(student, dim=2), functional.normalize(teacher, dim=2)
    by_graph: dict[str, Tensor] = {}
    largest: dict[str, Tensor] = {}
    for name in graphs:
        mapping = MAPPINGS[name]
        mapped = mapping(teacher)
        ours, theirs = edges(mapping(student)), edges(mapped)
        # Of the teacher and over the whole step: a scale with the student in it could be made large to lower the loss.
        largest[name] = batch_mean(theirs.amax(dim=(1, 2)))
        if form == "scaled":
            scale = largest[name].clamp(min=smallest_scale(teacher.shape[2], mapped.shape[2]))
            by_graph[name] = ((ours - theirs) / scale).square().mean()
        else:
            by_graph[name] = (ours - theirs).square().sum(dim=(1, 2)).mean()
    return TemporalLoss(torch.stack(list(by_graph.values())).sum(), by_graph, largest)
