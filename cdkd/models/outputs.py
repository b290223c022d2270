"""Shape-checked records of what a teacher and a student return."""

from dataclasses import dataclass

from torch import Tensor

from cdkd.models.errors import ModelError


def _require(name: str, tensor: Tensor, wanted: tuple[int | None, ...], letters: str) -> None:
    shape = tuple(tensor.shape)
    fits = len(shape) == len(wanted) and all(w is None or s == w for s, w in zip(shape, wanted, strict=True))
    if not fits:
        numbers = ", ".join("*" if w is None else str(w) for w in wanted)
        raise ModelError(f"{name}: expected ({letters}) = ({numbers}), got {shape}")


@dataclass(frozen=True)
class TeacherOutput:
    """What the raw-domain network says about B clips of T frames.

    Raises:
        ModelError: a field has the wrong number of axes, or the batch sizes differ.
    """

    logits: Tensor
    """(B, K), before the softmax."""
    maps: Tensor
    """(B, T, C, H, W), h_t of Eq. 4: the last feature map at each of the T time steps."""

    def __post_init__(self) -> None:
        _require("teacher logits", self.logits, (None, None), "B, K")
        _require("teacher maps", self.maps, (self.logits.shape[0], None, None, None, None), "B, T, C, H, W")


@dataclass(frozen=True)
class StudentOutput:
    """What the compressed-domain network says about B clips of T P-frames.

    Raises:
        ModelError: a field has the wrong number of axes, or batch sizes or T differ.
    """

    logits: Tensor
    """(B, K), before the softmax."""
    decoded: Tensor | None = None
    """(B, T, C, H, W), h_hat_t of Eq. 2, as wide as the teacher's maps; None without a pseudo-decoder."""
    gate: Tensor | None = None
    """(B, T), alpha_t of Eq. 4; None without a pseudo-decoder."""

    def __post_init__(self) -> None:
        _require("student logits", self.logits, (None, None), "B, K")
        batch = self.logits.shape[0]
        if self.decoded is not None:
            _require("decoded maps", self.decoded, (batch, None, None, None, None), "B, T, C, H, W")
        if self.gate is not None:
            num_frames = None if self.decoded is None else self.decoded.shape[1]
            _require("gate", self.gate, (batch, num_frames), "B, T")
