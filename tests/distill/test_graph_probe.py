"""What edges tell of classes, on graphs whose classes are known to show, or not to."""

import numpy as np
import pytest

from cdkd.distill.graph_probe import Floats, GraphSample, leave_one_out, probe_graphs

T = 4
DRAW = np.random.default_rng(0)


def graphs(levels: Floats) -> Floats:
    """Symmetric graphs (N, T, T) with zero diagonals, all edges of a graph about its level."""
    noise = DRAW.normal(0, 0.01, (len(levels), T, T))
    upper = np.triu(levels[:, None, None] + noise, 1)
    return np.asarray(upper + upper.transpose(0, 2, 1))


def sample(levels: list[float], count: int) -> GraphSample:
    labels = np.arange(count) % len(levels)
    return GraphSample(graphs(np.array(levels)[labels]), labels)


def test_edges_that_tell_the_class_do_and_the_class_mean_is_a_good_guess() -> None:
    known, held_out = sample([0.2, 0.6, 1.0], 60), sample([0.2, 0.6, 1.0], 30)
    found = probe_graphs(known, held_out, held_out.edges)
    assert found["nearest_neighbour"] == found["logistic_regression"] == 100
    assert found["between_classes"] > 0.99
    # Levels of 0.2, 0.6 and 1 have a variance of 0.107; the largest edge, which is the unit, averages about 0.61.
    assert found["error_constant"] == pytest.approx(0.107 / 0.61**2, rel=0.1)
    assert found["error_class_mean"] < 0.001
    assert found["error_student"] == 0


def test_edges_that_are_alike_for_all_classes_tell_nothing() -> None:
    known, held_out = sample([0.5] * 4, 200), sample([0.5] * 4, 400)
    found = probe_graphs(known, held_out, None)
    assert found["nearest_neighbour"] < 40 and found["logistic_regression"] < 40
    assert abs(found["between_classes"]) < 0.1
    assert "error_student" not in found


def test_a_student_with_the_same_graph_for_all_clips_errs_as_the_constant_does() -> None:
    known, held_out = sample([0.2, 1.0], 40), sample([0.2, 1.0], 40)
    constant = np.broadcast_to(known.edges.mean(axis=0), held_out.edges.shape)
    found = probe_graphs(known, held_out, constant)
    assert found["error_student"] == pytest.approx(found["error_constant"])


def test_a_class_without_known_clips_is_guessed_as_the_mean_of_all() -> None:
    known, held_out = sample([0.2, 0.6], 20), sample([0.2, 0.6, 1.0], 30)
    assert probe_graphs(known, held_out, None)["nearest_neighbour"] == pytest.approx(200 / 3)


def test_graphs_without_any_motion_are_no_error() -> None:
    still = GraphSample(np.zeros((6, T, T)), np.arange(6) % 2)
    found = probe_graphs(still, still, still.edges)
    assert found["error_constant"] == found["error_student"] == found["between_classes"] == 0


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        probe_graphs(sample([1.0], 0), sample([1.0], 3), None)


def test_nearest_of_the_other_clips() -> None:
    clips = sample([0.2, 0.6], 20)
    assert leave_one_out(clips.edges, clips.labels) == 100
    # The only clip of its class finds none of its own.
    alone = sample([0.2, 0.6], 3)
    assert leave_one_out(alone.edges, alone.labels) == pytest.approx(200 / 3)
