"""What every distillation loss has: its settings, what it needs of a run, and its value for a batch.

Settings, plans and tables read the records of this folder, so its files import torch inside functions alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from cdkd.config import Record, Weight

if TYPE_CHECKING:
    from torch import Tensor, nn

Need = Literal["decoder", "logits", "labels"]
"""decoder: the student's decoded maps and its gate; logits: a teacher that knows the student's classes; labels: of the
clips, so that the loss looks at labelled ones alone."""


@dataclass(frozen=True)
class LossBatch:
    """What a loss may look at: student and teacher on the same B clips of T time steps."""

    student_logits: Tensor
    """(B, K), before the softmax."""
    teacher_logits: Tensor
    """(B, K), before the softmax; another K where the teacher knows other classes."""
    labels: Tensor | None
    """(B,) int64; None for a loss that does not need them, which may meet clips without."""
    decoded: Tensor | None
    """(B, T, C, H, W), h_hat of Eq. 2; None for a student without pseudo-decoder."""
    teacher_maps: Tensor
    """(B, T, C, H, W), h of Eq. 4."""
    gate: Tensor | None
    """(B, T), alpha of Eq. 4, detached where Eq. 4 must not train it; None for a student without pseudo-decoder."""
    batch_mean: Callable[[Tensor], Tensor]
    """Mean over the clips of a whole step of what only scales a loss: () from (B,)."""
    all_clips: Callable[[Tensor], Tensor]
    """The clips of a whole step, for losses that compare clips: (B * processes, ...) from (B, ...), with gradient."""
    auxiliary: nn.Module | None = None
    """The network that the loss itself brings along (`LossSettings.build_auxiliary`)."""

    def labelled(self, labels: Tensor) -> LossBatch:
        """The first L clips alone, whose labels (L,) these are."""

        def first(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[: len(labels)]

        return replace(
            self,
            student_logits=self.student_logits[: len(labels)],
            teacher_logits=self.teacher_logits[: len(labels)],
            labels=labels,
            decoded=first(self.decoded),
            teacher_maps=self.teacher_maps[: len(labels)],
            gate=first(self.gate),
        )

    def own_labels(self) -> Tensor:
        """The clips' labels (B,).

        Raises:
            ValueError: the loss does not name labels among its needs.
        """
        if self.labels is None:
            raise ValueError("a loss that reads labels must name them among its needs")
        return self.labels

    def matched_maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """h_hat and h, both (B, T, C, H, W), and alpha (B, T).

        Raises:
            ValueError: the student has no pseudo-decoder, or the maps' shapes differ.
        """
        if self.decoded is None or self.gate is None:
            raise ValueError("this distillation needs a student with pseudo-decoder")
        if self.decoded.shape != self.teacher_maps.shape:
            ours, theirs = tuple(self.decoded.shape), tuple(self.teacher_maps.shape)
            raise ValueError(f"decoded maps {ours} and teacher maps {theirs} do not match")
        return self.decoded, self.teacher_maps, self.gate

    def matched_logits(self) -> tuple[Tensor, Tensor]:
        """The student's and the teacher's logits, both (B, K), in single precision or better.

        Raises:
            ValueError: the shapes differ (teacher and student know different classes).
        """
        ours, theirs = self.student_logits, self.teacher_logits
        if ours.shape != theirs.shape:
            raise ValueError(f"student logits {tuple(ours.shape)} and teacher logits {tuple(theirs.shape)} differ")
        return at_least_single(ours), at_least_single(theirs)


@dataclass(frozen=True)
class LossValue:
    """A loss of a batch."""

    total: Tensor
    """(), what is weighted and minimised."""
    logged: Mapping[str, Tensor] = field(default_factory=dict)
    """What is logged beside it, by name; each ()."""


class LossSettings(Record, ABC):
    """The settings of a loss; a subclass adds its own, and its docstring is the loss in a sentence."""

    title: ClassVar[str]
    """Name of the loss in tables."""
    symbol: ClassVar[str] = ""
    """What the paper calls its weight; empty: the paper does not have the loss."""
    source: ClassVar[str]
    """Who proposed it."""
    needs: ClassVar[frozenset[Need]]
    """What it cannot do without, beside the teacher."""
    pull: ClassVar[float]
    """What weight 1 means where weights are calibrated: how many times as strongly as the cross-entropy the loss pulls
    at the streams when the training starts."""

    enabled: bool = False
    """The loss takes part, where its weight is above 0 too."""
    weight: Weight = 1.0
    """What the loss is multiplied by in Eq. 7."""

    @property
    def is_used(self) -> bool:
        """The loss takes part."""
        return self.enabled and self.weight > 0

    @property
    def is_literal(self) -> bool:
        """The loss stands as its authors printed it, weight and all."""
        return False

    @abstractmethod
    def value(self, batch: LossBatch) -> LossValue:
        """The loss of a batch, without its weight.

        Raises:
            ValueError: the batch lacks what the loss needs, or shapes differ.
        """

    def build_auxiliary(self, num_channels: int) -> nn.Module | None:
        """A network that is trained with the student and thrown away after; None for most losses.

        Args:
            num_channels: C of the teacher's maps.
        """
        return None


def at_least_single(values: Tensor) -> Tensor:
    """Half-precision values as float32, whatever autocast made of them; float32 and float64 as they are; same shape."""
    # bfloat16 has 8 bits of mantissa: sums of thousands of squares would stop growing.
    return values.float() if values.dtype.itemsize < 4 else values
