"""The start of a training and its first step, alone or as one of two processes; run as a module it writes a file."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from support.tiny import tiny

from cdkd.experiment.build import assemble
from cdkd.experiment.runtime import launched_processes
from cdkd.train.calibration import Conditions, calibrate
from cdkd.train.processes import Processes


def one_step(options: dict[str, Any], processes: Processes) -> dict[str, torch.Tensor]:
    """Units of losses; mean loss of all processes, all gradients and batch-norm statistics of the first step."""
    config = tiny(**options)
    run = assemble(config, lambda metrics, epoch: None, processes)
    run.student.train()
    batches = run.inputs.step_clips(run.source("train"), run.unlabelled_source(), 0, config.train.batch_size)
    assert run.calibration is not None
    calibrate(run.calibration, run.student, batches, len(batches), Conditions(0, processes, nullcontext, False, 1))
    batch = next(iter(batches))
    torch.manual_seed(5)
    loss = run.loss(batch, 0)
    loss.total.backward()
    found = {f"gradient {name}": p.grad for name, p in run.student.named_parameters() if p.grad is not None}
    found |= {f"buffer {name}": buffer for name, buffer in run.student.named_buffers()}
    found |= {f"unit {name}": torch.tensor(unit) for name, unit in run.units.values.items()}
    return {**found, "loss": processes.mean(loss.total.detach())}


def run_two(module: str, arguments: list[str], folder: Path) -> None:
    """Runs a module in two processes, as a user does; fails with their output where one of them fails."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", module]
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [*torchrun, *arguments], env={**os.environ, "PYTHONPATH": paths}, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    with launched_processes("cpu") as own:
        result = one_step(eval(sys.argv[2]), own)
        if own.is_main:
            torch.save(result, sys.argv[1])
