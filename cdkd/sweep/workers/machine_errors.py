"""Which errors are this machine's and never the cell's: the one place that tells them apart.

A cell that meets one of these is put back as if it had not been tried:

    the tracking store is away          locked, moved, unreachable (`tracking/outage.py`)
    the study's database is away        for longer than its users wait (`postgres_connection.py`)
    no space, too many open files ...   by the number of the system's error, or by the words of libraries that hide it
    imports                             a package that is missing or broken here
    a GPU that cannot be opened         by the words of CUDA; its memory running full is the cell's own affair
    a data loader that was killed       by the words of torch
"""

import errno
import re

from cdkd.errors import CdkdError
from cdkd.sweep.queue.queue_storage import StorageError
from cdkd.tracking.outage import causes, outage_reason

_ERRNOS = {
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.EROFS,
    errno.ESTALE,
}
_WORDS = (
    # Of torch.save, where a write fell short.
    "PytorchStreamWriter failed",
    "unexpected pos",
    "disk is full",
    "No CUDA GPUs are available",
    "Found no NVIDIA driver",
    "CUDA driver initialization failed",
    "CUDA error: initialization error",
    "CUDA error: no CUDA-capable device",
    "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
    "CUDA error: unknown error",
    "CUDA unknown error",
    # A loader that the kernel killed for memory, or a scheduler together with all processes of its job.
    "DataLoader worker",
)

# Libraries in Rust, as safetensors, put the system's number into the text.
_NUMBER_IN_TEXT = re.compile(r"\(os error (\d+)\)")


class MachineError(CdkdError):
    """Such an error of another process, which has said the reason."""


def machine_reason(error: BaseException) -> str | None:
    """What is wrong with the machine, in one line; None where the error is the cell's own."""
    reason = outage_reason(error)
    if reason is not None:
        return reason
    for one in causes(error):
        if isinstance(one, MachineError):
            return str(one)
        is_machines = (
            isinstance(one, ImportError | StorageError)
            or (isinstance(one, OSError) and one.errno in _ERRNOS)
            or any(words in str(one) for words in _WORDS)
            or any(int(number) in _ERRNOS for number in _NUMBER_IN_TEXT.findall(str(one)))
        )
        if is_machines:
            return f"{type(one).__name__}: {str(one).partition(chr(10))[0]}"
    return None
