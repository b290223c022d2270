"""Several teachers as one: averaged logits, the first one's maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cdkd.models.errors import ModelError
from cdkd.models.outputs import TeacherOutput
from cdkd.models.teacher.teacher import Teacher
from cdkd.segments import segment_middles


class TeacherEnsemble(Teacher):
    """The paper's TDN rows average the scores of an 8- and a 16-frame network over the same clip.

    The first member sees all T time steps, since its maps are the spatial knowledge; the others see as many of them
    as they have segments, evenly spread.

    Raises:
        ModelError: no members, members with different windows, or one with more segments than the first.
    """

    def __init__(self, members: Sequence[Teacher]) -> None:
        super().__init__()
        if not members:
            raise ModelError("a teacher ensemble needs at least one member")
        first = members[0]
        for member in members[1:]:
            if member.window != first.window:
                raise ModelError(
                    "the members of a teacher ensemble must read windows of the same length, "
                    f"not of {first.window} and of {member.window} frames"
                )
            if member.num_segments > first.num_segments:
                raise ModelError(
                    "the first member of a teacher ensemble must have the most segments, "
                    f"not {first.num_segments} where another has {member.num_segments}"
                )
        self.members = nn.ModuleList(members)
        # The same networks once more, since a ModuleList forgets what its modules are.
        self._members = tuple(members)
        self.window = first.window
        self.num_features = first.num_features
        self.num_segments = first.num_segments

    def forward(self, frames: Tensor) -> TeacherOutput:
        """Normalised frames (B, T, F, 3, H, W) to logits (B, K) and the first member's maps (B, T, C, H', W')."""
        chosen = [list(segment_middles(frames.shape[1], member.num_segments)) for member in self._members]
        outputs = [member(frames[:, steps]) for member, steps in zip(self._members, chosen, strict=True)]
        logits = torch.stack([output.logits for output in outputs])
        return TeacherOutput(logits.mean(dim=0), outputs[0].maps)
