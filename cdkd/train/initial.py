"""Initial weights, drawn for each submodule from its own random stream."""

import torch
from torch import nn

from cdkd.seeding import derive_seed


def initialise(network: nn.Module, seed: int) -> None:
    """Re-draws every weight from the stream (seed, "weights", name of the submodule).

    Two networks that share some submodules by name start with equal weights there, whatever else they hold. Children
    come before their parents, so that a parent's own rule has the last word.
    """
    with torch.random.fork_rng(devices=[]):
        for name, module in reversed(list(network.named_modules())):
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                torch.manual_seed(derive_seed(seed, "weights", name))
                reset()
