"""The device that a name means, refused with the remedy where this machine does not have it."""

import torch

from cdkd.errors import CdkdError


class DeviceError(CdkdError):
    """A device that is asked for cannot be used on this machine."""


def choose_device(name: str, option: str = "runtime.device") -> torch.device:
    """The device of a name; auto is the first GPU, else the CPU.

    Args:
        name: auto, cpu, cuda, cuda:1 ...
        option: what the user set, for errors.

    Raises:
        DeviceError: the name means nothing, or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{option}={name}: no device is called so; use auto, cpu, cuda or cuda:N") from error
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        number = torch.cuda.device_count()
        found = f"PyTorch finds {number} GPUs" if number else "PyTorch finds no GPU"
        raise DeviceError(f"{option}={name}: not usable here ({found}); use auto or cpu") from error
    return device


def device_words(device: torch.device) -> str:
    """A device as a run's metadata names it: the model of a GPU, or a CPU's threads."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    number = torch.get_num_threads()
    return f"{device.type.upper()}, {number} thread{'s' * (number != 1)}"
