"""Which errors put a cell back, and which are its own."""

import errno
import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from cdkd.sweep.workers.machine_errors import machine_reason
from cdkd.train.training_state import CheckpointError, TrainingState, save_checkpoint


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        ModuleNotFoundError("No module named 'torchvision'"),
        RuntimeError("No CUDA GPUs are available"),
        RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nsecond line"),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
    ],
)
def test_the_machines_errors(error: Exception) -> None:
    assert machine_reason(error)
    try:
        raise ValueError("the cell's own words") from error
    except ValueError as wrapped:
        reason = machine_reason(wrapped)
    assert reason and "\n" not in reason


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("tdn fails as told"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        RuntimeError("CUDA error: device-side assert triggered"),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ZeroDivisionError(),
    ],
)
def test_the_cells_own_errors(error: Exception) -> None:
    assert machine_reason(error) is None


def test_a_checkpoint_that_finds_no_room_is_the_machines(tmp_path: Path) -> None:
    network = nn.Linear(300, 300)
    child = os.fork()
    if not child:
        # No file may grow beyond this: to the process it looks like a full disk.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            save_checkpoint(tmp_path, network, {}, TrainingState(1))
        except CheckpointError as error:
            os._exit(0 if machine_reason(error) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
