"""What a table of many runs takes: a store made for it, read by the command and by MLflow's own client in turns."""

import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdkd.bench.training import BenchError
from cdkd.config import build_record, merge_dotted
from cdkd.distill.losses.table import ALL_OFF
from cdkd.experiment.identity import logged_settings
from cdkd.metric_names import TEST_TOP1, TEST_TOP5, VALIDATION_TOP1
from cdkd.settings import RunConfig
from cdkd.tracking import tags
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.tracker import SCORES, LoggedEpoch, RunStart

NUM_VIDEOS, NUM_CLASSES = 200, 10
"""Of each run's per-video scores."""
_ONE_LOSS = ("distill.spatial.enabled", "distill.temporal.enabled")
_OF_A_NETWORK: tuple[dict[str, Any], ...] = (
    {"student.decoder": False, "student.head": "streams", **ALL_OFF},
    {**ALL_OFF},
    {_ONE_LOSS[1]: False},
    {_ONE_LOSS[0]: False},
    {},
)
"""The rows of Table 4, which has two networks."""
_STUDY, _STAGE = "ablation", "rows"
_METADATA = {
    "dataset": "shapes",
    "dataset_version": "0123456789abcdef",
    "split": "1",
    "views": "1 clip x 1 crop",
    "num_test_videos": str(NUM_VIDEOS),
}
_SEARCH = """
import os
from mlflow import MlflowClient
client, token, runs = MlflowClient(os.environ["MLFLOW_TRACKING_URI"]), None, []
experiments = [found.experiment_id for found in client.search_experiments()]
while token or not runs:
    page = client.search_runs(experiments, "tags.`cdkd.role` = 'cell'", max_results=1000, page_token=token)
    runs += page
    token = page.token
    if not token:
        break
print(len(runs))
"""
"""What anybody would write; it makes no table."""


@dataclass(frozen=True)
class ReportRow:
    """One way to read the store."""

    name: str
    cpu_seconds: float
    """Of its whole process, in user and system mode; median over the repeats."""
    wall_seconds: float
    """The same by the clock, which other processes slow down."""
    ratio: float
    """In processor time, to the first row."""
    target: str = ""


def measure_report(
    folder: Path, num_runs: int, repeats: int, tell: Callable[[str], None] = lambda text: None
) -> list[ReportRow]:
    """Reads a new store of finished runs of Table 4, which all keep per-video scores; the ways take turns.

    Args:
        folder: for the store; empty.
        num_runs: ten rows in turn, seed by seed.
        repeats: turns of each way.
        tell: called with what comes next.

    Raises:
        BenchError: a command failed; the text has its last line.
    """
    tell(f"making a store of {num_runs:,} runs")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": make_store(folder, num_runs)}
    report = [sys.executable, "-m", "cdkd", "report", "--table", "4"]
    ways = (
        ("their runs by MLflow's client, no table", [sys.executable, "-c", _SEARCH], ""),
        ("cdkd report --table 4 --no-over-videos", [*report, "--no-over-videos"], "at most 3 s"),
        # From six seeds on it reads every run's scores, too, and compares rows over seeds and videos.
        ("cdkd report --table 4", report, ""),
    )
    taken: list[list[tuple[float, float]]] = [[] for _ in ways]
    for turn in range(repeats):
        for (name, command, _), times in zip(ways, taken, strict=True):
            tell(f"{name} ({turn + 1} of {repeats})")
            times.append(_seconds(name, command, folder, environment))
    medians = [tuple(statistics.median(each) for each in zip(*times, strict=True)) for times in taken]
    return [
        ReportRow(name, cpu, wall, cpu / medians[0][0], target)
        for (name, _, target), (cpu, wall) in zip(ways, medians, strict=True)
    ]


def _seconds(name: str, command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Of processor and clock, from a process's start to its end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise BenchError(f"{name} failed: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def make_store(folder: Path, num_runs: int) -> str:
    """A store of finished runs, as a sweep would have written them; returns its address.

    Args:
        folder: empty.
        num_runs: how many.
    """
    folder = folder.resolve()
    file = folder / "mlflow.db"
    tracker = MlflowTracker(f"sqlite:///{file}", _STUDY, folder)
    tracker.prepare([_STAGE])
    # A run through MLflow takes a tenth of a second: those of the first seed are made so, all others are their copies.
    runs = [_first_run(tracker, number, settings) for number, settings in enumerate(_rows()[:num_runs])]
    with closing(sqlite3.connect(file)) as connection, connection:
        for number in range(len(runs), num_runs):
            seed, row = divmod(number, len(_rows()))
            runs.append(_copy_run(connection, runs[row], row, seed))
    rng = np.random.default_rng(0)
    for run in runs:
        scores = folder / "mlartifacts" / _STUDY / run / "artifacts" / SCORES / "scores.parquet"
        scores.parent.mkdir(parents=True)
        _write_scores(scores, rng)
    return f"sqlite:///{file}"


def _rows() -> list[dict[str, Any]]:
    return [{**row, "student.arch": arch, "teacher.arch": arch} for arch in ("tsm", "tdn") for row in _OF_A_NETWORK]


def _first_run(tracker: MlflowTracker, row: int, settings: dict[str, Any]) -> str:
    config = build_record(RunConfig, merge_dotted({}, {**settings, "seed": 0}))
    run = tracker.open(RunStart("cell", _STUDY, _STAGE, f"row {row}", f"{row:012x}", 0, 1, "", logged_settings(config)))
    top1 = 60.0 + row
    tracker.log(run, [LoggedEpoch(1, {TEST_TOP1: top1, TEST_TOP5: 95.0, VALIDATION_TOP1: top1 + 1.0})])
    tracker.keep_metadata(run, _METADATA)
    tracker.close(run, "finished")
    return run


def _copy_run(connection: sqlite3.Connection, run: str, row: int, seed: int) -> str:
    """The run again with another seed, and accuracies in percent that differ from row to row and from seed to seed."""
    copy = f"{seed:016x}{row:016x}"
    for table in ("runs", "tags", "params", "metrics", "latest_metrics"):
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
        # Its id stands in the path of its files, too.
        values = (f"replace({name}, :run, :copy)" if name in ("run_uuid", "artifact_uri") else name for name in names)
        connection.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table} WHERE run_uuid = :run",
            {"run": run, "copy": copy},
        )
    for table, key, value in (
        ("tags", tags.SEED, str(seed)),
        ("tags", tags.CELL, f"{seed:06x}{row:06x}"),
        ("params", "seed", str(seed)),
    ):
        connection.execute(f"UPDATE {table} SET value = ? WHERE run_uuid = ? AND key = ?", (value, copy, key))
    more = (seed * 37 % 11) / 10 + (seed * row % 7) / 10
    for table in ("metrics", "latest_metrics"):
        connection.execute(f"UPDATE {table} SET value = value + ? WHERE run_uuid = ?", (more, copy))
    return copy


def _write_scores(file: Path, rng: np.random.Generator) -> None:
    """Logits whose highest is the label's in about seven of ten videos."""
    import pandas as pd

    labels = np.arange(NUM_VIDEOS) % NUM_CLASSES
    logits = rng.normal(size=(NUM_VIDEOS, NUM_CLASSES)).astype(np.float32)
    logits[np.arange(NUM_VIDEOS), labels] += np.where(rng.random(NUM_VIDEOS) < 0.7, 9.0, -9.0)
    columns = {"video": [f"test/{number:05d}" for number in range(NUM_VIDEOS)], "label": labels}
    pd.DataFrame(columns | {f"score_{k}": logits[:, k] for k in range(NUM_CLASSES)}).to_parquet(file)
