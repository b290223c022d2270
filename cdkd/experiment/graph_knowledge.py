"""What the teacher's temporal graphs tell of a run's classes, and how much of them its student has learnt."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from cdkd.data.clips.clip import ClipBatch
from cdkd.data.loading.dataset import ClipDataset
from cdkd.data.manifest import Part
from cdkd.distill.graph_probe import Floats, GraphSample, probe_graphs
from cdkd.distill.losses.temporal import edges, make_vertices
from cdkd.experiment.build import StudentRun
from cdkd.models.teacher.teacher import FrozenTeacher

MAX_CLIPS = 1200
"""So many clips of a part are looked at: on large data sets more would cost time and change no figure by much."""
_BATCH = 50


def graph_knowledge(run: StudentRun) -> dict[str, float]:
    """`probe_graphs` of a trained student and its teacher, under the names `graph/...`.

    Known clips are those of the training part, held-out ones of the validation part, up to `MAX_CLIPS` of each; the
    graph is Eq. 3's own, of L2-normalised vertices as the run has them (`distill.temporal.vertices`). {} without a
    teacher or a validation part.
    """
    if run.teacher is None or "validation" not in run.dataset.manifest.num_videos_per_part:
        return {}
    known, _ = _graphs(run, run.teacher, "train", with_student=False)
    held_out, ours = _graphs(run, run.teacher, "validation", with_student=run.config.student.decoder)
    return {f"graph/{name}": value for name, value in probe_graphs(known, held_out, ours).items()}


def _graphs(
    run: StudentRun, teacher: FrozenTeacher, part: Part, with_student: bool
) -> tuple[GraphSample, Floats | None]:
    """The teacher's graphs of a part, under the view of a validation, and the student's (N, T, T) of the same clips."""
    theirs: list[Tensor] = []
    ours: list[Tensor] = []
    labels: list[Tensor] = []
    run.student.eval()
    # With the raw frames that the teacher sees, as in training; a validation does without.
    source = run.inputs.source(part, run.layout("train"))
    with torch.inference_mode():
        for batch in _batches(source):
            inputs = run.inputs.view(batch, 0, run.inputs.validation)
            labels.append(batch.labels)
            theirs.append(_edges(teacher(inputs.frames).maps, run))
            decoded = run.student(inputs.iframes, inputs.motion, inputs.residual).decoded if with_student else None
            if decoded is not None:
                ours.append(_edges(decoded, run))
    sample = GraphSample(torch.cat(theirs).numpy(), torch.cat(labels).cpu().numpy())
    return sample, torch.cat(ours).numpy() if ours else None


def _batches(source: ClipDataset) -> Iterator[ClipBatch]:
    """Clips evenly from the part's list."""
    chosen = torch.linspace(0, len(source) - 1, min(MAX_CLIPS, len(source))).round().long().tolist()
    for start in range(0, len(chosen), _BATCH):
        yield source.collate([source[index] for index in chosen[start : start + _BATCH]])


def _edges(maps: Tensor, run: StudentRun) -> Tensor:
    """(B, T, T) float64 on the CPU from maps (B, T, C, H, W); of positions, which have a graph each, the mean graph."""
    vertices = make_vertices(maps.float(), run.config.distill.temporal.vertices)
    graphs = edges(functional.normalize(vertices, dim=2))
    return torch.unflatten(graphs, 0, (len(maps), -1)).mean(dim=1).cpu().double()
