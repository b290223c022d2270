"""One training step, alone or as one of two processes; run as a module it writes what came of it to a file."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from support.tiny import tiny

from cdkd.experiment.assembly import assemble
from cdkd.experiment.launch import launched_processes
from cdkd.train.processes import Processes


def one_step(options: dict[str, Any], processes: Processes) -> dict[str, torch.Tensor]:
    """The mean loss over all processes, all gradients and all batch-norm statistics after the first step."""
    experiment = tiny(**options)
    run = assemble(experiment, lambda metrics, epoch: None, processes)
    run.student.train()
    batch = next(iter(run.inputs.training_batches(run.source("train"), 0, 0, experiment.train.batch_size)))
    torch.manual_seed(5)
    loss = run.loss(batch, 0)
    loss.total.backward()
    found = {f"gradient {name}": p.grad for name, p in run.student.named_parameters() if p.grad is not None}
    found |= {f"buffer {name}": buffer for name, buffer in run.student.named_buffers()}
    return {**found, "loss": processes.mean(loss.total.detach())}


def environment(rank: int, world: int, port: int) -> dict[str, str]:
    """What torchrun tells a process."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, **{name: str(value) for name, value in place.items()}, "PYTHONPATH": paths}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run_two(command: list[str], folder: Path) -> str:
    """Both processes' output; fails with it where one of them fails."""
    port = free_port()
    running = [
        subprocess.Popen(
            command, env=environment(rank, 2, port), cwd=folder, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for rank in range(2)
    ]  # fmt: skip
    texts = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], "\n".join(texts)
    return "\n".join(texts)


if __name__ == "__main__":
    with launched_processes("cpu") as own:
        result = one_step(eval(sys.argv[2]), own)
        if own.is_first:
            torch.save(result, sys.argv[1])
