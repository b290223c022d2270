"""Losses are computed in single precision or better, whatever autocast made of the features."""

import torch
from torch import Tensor


def at_least_single(values: Tensor) -> Tensor:
    """Half-precision values as float32; float32 and float64 as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
