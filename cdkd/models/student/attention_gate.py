"""The attention gate of Eq. 4: how much each frame's spatial knowledge counts, from motion and residuals alone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cdkd.models.errors import ModelError

_REDUCTION = 16


class _LastLinear(nn.Linear):
    """Starts at zero, so that every gate starts with all frames alike."""

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


def softmax_gate(scores: Tensor) -> Tensor:
    """alpha_t = T softmax_t(score), (B, T): mean 1, so Eq. 4 keeps its scale whatever the gate prefers."""
    return torch.softmax(scores, dim=1) * scores.shape[1]


def sigmoid_gate(scores: Tensor) -> Tensor:
    """alpha_t = sigmoid(score), (B, T): a squeeze-and-excitation block's own output, the paper's literal form."""
    return torch.sigmoid(scores)


def uniform_gate(scores: Tensor) -> Tensor:
    """alpha_t = 1, (B, T)."""
    return torch.ones_like(scores)


GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": softmax_gate,
    "sigmoid": sigmoid_gate,
    "uniform": uniform_gate,
}


class AttentionGate(nn.Module):
    """Squeeze-and-excitation over the pooled [f_M_t, f_R_t] of each frame; `uniform` has no parameters.

    Raises:
        ModelError: an unknown form.
    """

    def __init__(self, num_features: int, form: str) -> None:
        super().__init__()
        if form not in GATES:
            raise ModelError(f"student.gate: unknown form '{form}'; known: {', '.join(GATES)}")
        self.form = form
        self.excitation: nn.Module | None = None
        if form != "uniform":
            # At least 8: of narrow streams a sixteenth would be too few to tell frames apart.
            hidden = max(8, num_features // _REDUCTION)
            self.excitation = nn.Sequential(nn.Linear(num_features, hidden), nn.ReLU(), _LastLinear(hidden, 1))

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled motion and residual features (B, T, D) to alpha (B, T)."""
        if self.excitation is None:
            return uniform_gate(pooled[..., 0])
        # (B, T, D) -> (B, T, 1) -> (B, T): each frame is rated by itself; only the softmax compares them.
        scores = self.excitation(pooled).squeeze(2)
        return GATES[self.form](scores)
