"""What a teacher's temporal graphs know, measured without training anything, and how much of it a student has learnt.

A loss that compares graphs can teach a class only as far as graphs tell it. So of the edges A(i, j) of Eq. 3, i < j,
on clips that the student was trained on (known) and on clips that it was not (held out):

    nearest_neighbour     held-out clips, in percent, whose class is that of the known clip with the most similar edges
    logistic_regression   the same for a linear classifier of the edges
    between_classes       the share of the edges' variance that the class explains: 1 - class mean's / constant's error
    error_constant        squared error of one graph for all clips, the mean of the known ones
    error_class_mean      squared error of the mean graph of the clip's class
    error_student         squared error of the student's own graphs

Errors are per edge, in units of the teacher's largest edge (averaged over the known clips), on held-out clips. A
student whose error is above the class mean's knows less of the graphs than the label says: it has nothing of them to
teach its classifier.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_STEPS = 300
_RIDGE = 1e-3


@dataclass(frozen=True)
class GraphSample:
    """Edges of some clips and their classes."""

    edges: Floats
    """(N, T, T), A(i, j) of Eq. 3."""
    labels: Labels
    """(N,)."""


def probe_graphs(known: GraphSample, held_out: GraphSample, student: Floats | None) -> dict[str, float]:
    """The figures above, by name; accuracies in percent.

    Args:
        known: the teacher's edges.
        held_out: the same.
        student: the student's edges of the held-out clips (N, T, T); None: there are none to judge.

    Raises:
        ValueError: a sample is empty.
    """
    if not len(known.labels) or not len(held_out.labels):
        raise ValueError("graphs of at least one known and one held-out clip are needed")
    scale = max(float(known.edges.max(axis=(1, 2)).mean()), np.finfo(np.float64).tiny)
    ours, theirs = _upper(known.edges) / scale, _upper(held_out.edges) / scale
    constant = _error(ours.mean(axis=0), theirs)
    by_class = _error(_class_means(ours, known.labels, held_out.labels), theirs)
    found = {
        "nearest_neighbour": _accuracy(known.labels[_nearest(ours, theirs)], held_out.labels),
        "logistic_regression": _accuracy(_classify(ours, known.labels, theirs), held_out.labels),
        "between_classes": 1.0 - by_class / constant if constant > 0 else 0.0,
        "error_constant": constant,
        "error_class_mean": by_class,
    }
    return found if student is None else {**found, "error_student": _error(_upper(student) / scale, theirs)}


def leave_one_out(edges: Floats, labels: Labels) -> float:
    """Clips, in percent, whose class is that of the other clip with the most similar edges.

    Args:
        edges: (N, T, T) of at least two clips.
        labels: (N,).
    """
    ours = _upper(edges)
    distances = np.square(ours[:, None] - ours[None, :]).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return _accuracy(labels[distances.argmin(axis=1)], labels)


def _upper(edges: Floats) -> Floats:
    """(N, T, T) to (N, T (T - 1) / 2): graphs are symmetric and their diagonals 0."""
    rows, columns = np.triu_indices(edges.shape[1], 1)
    upper: Floats = edges[:, rows, columns].astype(np.float64)
    return upper


def _error(guess: Floats, edges: Floats) -> float:
    return float(np.square(guess - edges).mean())


def _accuracy(guess: Labels, labels: Labels) -> float:
    return float((guess == labels).mean() * 100)


def _class_means(edges: Floats, labels: Labels, wanted: Labels) -> Floats:
    """For each wanted label the mean of its class's edges, (N, E); of all where the class has no known clip."""
    everything = edges.mean(axis=0)
    means = {label: edges[labels == label].mean(axis=0) for label in np.unique(labels)}
    return np.stack([means.get(label, everything) for label in wanted])


def _nearest(known: Floats, held_out: Floats) -> NDArray[np.intp]:
    """For each held-out row the known row at the smallest Euclidean distance, (N,)."""
    # ||x - y||^2 without x's own square, which is the same for all y.
    nearest: NDArray[np.intp] = (np.square(known).sum(axis=1) - 2 * held_out @ known.T).argmin(axis=1)
    return nearest


def _classify(known: Floats, labels: Labels, held_out: Floats) -> Labels:
    """Classes (N,) of the held-out rows by multinomial logistic regression with a small ridge on the known ones."""
    classes, targets = np.unique(labels, return_inverse=True)
    mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-12
    ours, theirs = (_with_one((edges - mean) / deviation) for edges in (known, held_out))
    wanted = np.eye(len(classes))[targets]
    # Nesterov's accelerated gradient with the step that the curvature allows: softmax's is at most a half.
    step = 1 / (0.5 * np.linalg.norm(ours, ord=2) ** 2 / len(ours) + _RIDGE)
    weights = ahead = np.zeros((ours.shape[1], len(classes)))
    for index in range(_STEPS):
        gradient = ours.T @ (_softmax(ours @ ahead) - wanted) / len(ours) + _RIDGE * ahead
        moved = ahead - step * gradient
        ahead = moved + index / (index + 3) * (moved - weights)
        weights = moved
    guess: Labels = classes[(theirs @ weights).argmax(axis=1)]
    return guess


def _with_one(rows: Floats) -> Floats:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
