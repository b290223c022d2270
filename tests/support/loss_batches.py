"""What a loss sees of three clips: B = 3, T = 2, C = 4, H = 1, W = 5, K = 6, drawn with a fixed seed."""

from typing import Any

import torch
from torch import Tensor

from cdkd.distill.losses.loss import LossBatch


def batch(**changes: Any) -> LossBatch:
    """The batch with some of its fields changed; student's fields ask for gradients."""
    draw = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    fields: dict[str, Any] = {
        "student_logits": random(3, 6).requires_grad_(),
        "teacher_logits": random(3, 6),
        "labels": torch.tensor([4, 1, 0]),
        "decoded": random(3, 2, 4, 1, 5).requires_grad_(),
        "teacher_maps": random(3, 2, 4, 1, 5),
        "gate": torch.rand(3, 2, generator=draw),
        "batch_mean": torch.mean,
        "all_clips": lambda per_clip: per_clip,
    }
    return LossBatch(**{**fields, **changes})
