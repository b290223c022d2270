"""Several teachers as one: averaged scores, the first one's maps."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from cdkd.models.errors import ModelError
from cdkd.models.outputs import TeacherOutput
from cdkd.models.teacher.teacher import Teacher
from cdkd.segments import segment_middles


class TeacherEnsemble(nn.Module):
    """The paper's TDN rows average the scores of an 8- and a 16-frame network over the same clip.

    The first member sees all T time steps, since its maps are the spatial knowledge; the others see as many of them
    as they have segments, evenly spread. Logits are the mean of the members' logits, or the logarithm of the mean of
    their softmax.

    Raises:
        ModelError: no members, members with different windows, or one with more segments than the first.
    """

    def __init__(self, members: Sequence[nn.Module], average: Literal["logits", "softmax"] = "logits") -> None:
        super().__init__()
        if not members:
            raise ModelError("a teacher ensemble needs at least one member")
        first = cast(Teacher, members[0])
        for member in members[1:]:
            if cast(Teacher, member).window != first.window:
                raise ModelError("the members of a teacher ensemble must read windows of the same length")
            if cast(Teacher, member).num_segments > first.num_segments:
                raise ModelError("the first member of a teacher ensemble must have the most segments")
        self.members = nn.ModuleList(members)
        self.average = average
        self.window = first.window
        self.num_features = first.num_features
        self.num_segments = first.num_segments

    def forward(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, W, 3, H, W) to logits (B, K) and the first member's maps (B, T, C, H', W')."""
        outputs: list[TeacherOutput] = []
        for member in self.members:
            chosen = segment_middles(frames.shape[1], cast(Teacher, member).num_segments)
            outputs.append(member(frames[:, list(chosen)]))
        logits = torch.stack([output.logits for output in outputs])
        if self.average == "softmax":
            mean = torch.logsumexp(logits.log_softmax(dim=2), dim=0) - torch.tensor(float(len(outputs))).log()
        else:
            mean = logits.mean(dim=0)
        return TeacherOutput(mean, outputs[0].maps)
