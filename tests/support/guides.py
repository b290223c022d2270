"""A folder in which the commands of README and guides are typed, with settings as small as can be."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.prepared import write_video
from support.tiny import TINY

from cdkd.config import flatten
from cdkd.tracking.runs import load_runs

REPOSITORY = Path(__file__).parent.parent.parent

SMALL = {**flatten(TINY), "train.epochs": 1}
ROWS = ("--only", "row=baseline", "--only", "row=both")

# They stand before the real ones on the path, and add what makes a command small.
_CDKD = """#!/bin/sh
case "$1" in
{cases}esac
exec {python} -m cdkd "$@" $more
"""
_TORCHRUN = """#!/bin/sh
exec {python} -m torch.distributed.run --standalone "$@" {small}
"""


class Workplace:
    """A folder with a `cdkd` on its path.

    Args:
        folder: where commands are typed; the embedded data set and teachers go beside it.
        extra: command -> arguments that are added to it.
        small: what trains is made as small as the embedded data set allows, too.
        home: where generated data and teachers go; a place that several share has them made once.
    """

    def __init__(
        self,
        folder: Path,
        extra: Mapping[str, Sequence[str]] | None = None,
        small: bool = True,
        home: Path | None = None,
    ) -> None:
        self.folder = folder
        tools = folder / ".tools"
        tools.mkdir(exist_ok=True)
        tiny = [argument for key, value in SMALL.items() if small for argument in ("--set", f"{key}={value}")]
        added = {"sweep": ["--workers", "0", *tiny], "plan": tiny, "train": tiny}
        for command, arguments in (extra or {}).items():
            added[command] = [*added.get(command, []), *arguments]
        cases = "".join(f"{name}) more={shlex.quote(' '.join(words))} ;;\n" for name, words in added.items())
        python = shlex.quote(sys.executable)
        scripts = {
            "cdkd": _CDKD.format(cases=cases, python=python),
            "torchrun": _TORCHRUN.format(python=python, small=" ".join(tiny)),
        }
        for name, script in scripts.items():
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"},
            "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "CDKD_HOME": str(home or folder / ".home"),
        }

    def shell(self, code: str) -> str:
        """What a block of commands prints; a failing one fails the test."""
        return self._run(["bash", "-euo", "pipefail", "-c", code])

    def python(self, code: str) -> str:
        """What a program prints."""
        return self._run([sys.executable, "-W", "ignore", "-c", code])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def make_runs(folder: Path) -> Path:
    """Sweeps two rows of Table 4 in a folder, and puts a student's checkpoint and a video there."""
    workplace = Workplace(folder)
    workplace.shell(f"cdkd sweep ablation.yaml {' '.join(ROWS)}")
    write_video(folder / "clip.mp4", num_frames=24, seed=0)
    run_id = load_runs(f"sqlite:///{folder}/mlflow.db").run_id[0]
    student = folder / f"mlartifacts/ablation/{run_id}/artifacts/checkpoint/model.safetensors"
    shutil.copy(student, folder / "student.safetensors")
    return folder
