"""Eq. 1: the I-frame's features, rearranged by what motion vectors and residuals say about each P-frame."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.models.errors import ModelError

_NUM_HEADS = 8


def sine_positions(height: int, width: int, dim: int, device: torch.device) -> Tensor:
    """Sine and cosine of row and column at geometric frequencies, (L, D); D = `dim` is a multiple of 4."""
    # (D / 4,): sine and cosine of row and column make four codes.
    frequencies = torch.exp(torch.arange(dim // 4, device=device) * (-math.log(10_000.0) / max(1, dim // 4)))
    rows = torch.arange(height, device=device).unsqueeze(1) * frequencies
    columns = torch.arange(width, device=device).unsqueeze(1) * frequencies
    # (H, W, D / 2) each: a row's code is the same in all columns, a column's in all rows.
    row_code = torch.cat([rows.sin(), rows.cos()], dim=1).unsqueeze(1).expand(-1, width, -1)
    column_code = torch.cat([columns.sin(), columns.cos()], dim=1).unsqueeze(0).expand(height, -1, -1)
    return torch.cat([row_code, column_code], dim=2).flatten(0, 1)


class CrossAttention(nn.Module):
    """Two cross-attention blocks that share the I-frame's queries and values, as Eq. 1 does.

        h_rec_t = f_I + Attn(Q_I, K_M_t, V_I) W_OM + Attn(Q_I, K_R_t, V_I) W_OR

    f_I is the encoder's residual connection; inputs are layer-normalised, queries and keys know their position.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % _NUM_HEADS:
            raise ModelError(f"student.attention_dim: {dim} is no multiple of the {_NUM_HEADS} attention heads")
        self.dim = dim
        self.iframe_norm = nn.LayerNorm(dim)
        self.motion_norm = nn.LayerNorm(dim)
        self.residual_norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.motion_key = nn.Linear(dim, dim)
        self.residual_key = nn.Linear(dim, dim)
        self.motion_out = nn.Linear(dim, dim)
        self.residual_out = nn.Linear(dim, dim)

    def forward(self, iframe: Tensor, motion: Tensor, residual: Tensor) -> Tensor:
        """One I-frame and its P P-frames to reconstructions.

        Args:
            iframe: (N, D, H, W), N = B * G.
            motion: (N, P, D, H, W).
            residual: (N, P, D, H, W).

        Returns:
            (N, P, D, H, W).
        """
        # 1. Maps become tokens, one for each position; positions are known to queries and keys, not to values: what is
        # moved is what was seen, not where.
        height, width = iframe.shape[-2:]
        num_frames = motion.shape[1]
        positions = sine_positions(height, width, self.dim, iframe.device).to(iframe.dtype)
        tokens = iframe.flatten(2).transpose(1, 2)  # (N, L, D)
        normed = self.iframe_norm(tokens)
        # 2. The I-frame's side is computed once per GOP and read by each of its P-frames.
        query = self._per_frame(self.query(normed + positions), num_frames)
        value = self._per_frame(self.value(normed), num_frames)
        # (N, P, D, H, W) -> (N, P, D, L) -> (N, P, L, D)
        motion_key = self.motion_key(self.motion_norm(motion.flatten(3).transpose(2, 3)) + positions)
        residual_key = self.residual_key(self.residual_norm(residual.flatten(3).transpose(2, 3)) + positions)
        # 3. Both blocks of Eq. 1, (N * P, L, D) each, and their sum with f_I, (N, P, L, D).
        moved = self.motion_out(self._attend(query, motion_key, value))
        changed = self.residual_out(self._attend(query, residual_key, value))
        out = torch.unflatten(moved + changed, 0, (-1, num_frames)) + tokens.unsqueeze(1)
        # (N, P, D, L) -> (N, P, D, H, W)
        return torch.unflatten(out.transpose(2, 3), 3, (height, width))

    def _per_frame(self, tokens: Tensor, num_frames: int) -> Tensor:
        """(N, L, D) to (N * P, heads, L, D / heads): every P-frame of a GOP reads the same I-frame."""
        heads = torch.unflatten(tokens, 2, (_NUM_HEADS, -1)).transpose(1, 2)
        # (N, P, heads, L, D / heads); `expand` copies nothing, `flatten` does.
        return heads.unsqueeze(1).expand(-1, num_frames, -1, -1, -1).flatten(0, 1)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Query and value (N * P, heads, L, D / heads), key (N, P, L, D) to (N * P, L, D)."""
        heads = torch.unflatten(key.flatten(0, 1), 2, (_NUM_HEADS, -1)).transpose(1, 2)
        return F.scaled_dot_product_attention(query, heads, value).transpose(1, 2).flatten(2)
