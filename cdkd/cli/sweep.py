"""`cdkd sweep`: trains every cell of a study, prints its tables, writes its page."""

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.command_line import typed_command
from cdkd.cli.options import run_options, study_options, terminal_width
from cdkd.cli.slurm_options import slurm_options

if TYPE_CHECKING:
    from cdkd.sweep.study.records import Study
    from cdkd.sweep.workers.result import SweepResult
    from cdkd.sweep.workers.slurm import SlurmOptions

REPORTS = Path("reports")


def _print_schema(context: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        from cdkd.sweep.study.schema import study_schema

        click.echo(json.dumps(study_schema(), indent=1))
        context.exit()


@click.command()
@study_options
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Cells at once; 0: run everything in this process, for a debugger.  [default: one per GPU, or per group of "
    "--gpus-per-cell; without GPUs one per core, where memory allows; 16 jobs of a cluster]",
)
@run_options
@click.option("--no-report", is_flag=True, help="Do not print and write the study's tables at the end.")
@slurm_options
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON schema of study files, for editors, and exit.",
)
@click.option("--runner", default="cdkd.experiment:RUNNER", hidden=True)
def command(
    study: str,
    settings: tuple[str, ...],
    recipe: str | None,
    teachers: tuple[str, ...],
    only: tuple[str, ...],
    seeds: str | None,
    workers: int | None,
    processes_per_cell: int,
    retry_failed: bool,
    on_failure: str,
    fresh: bool,
    no_report: bool,
    tracking_uri: str | None,
    storage: str | None,
    runner: str,
    slurm: "SlurmOptions | None",
) -> None:
    """Train every cell of STUDY that has no result yet, track it, print the study's tables.

    STUDY is a file, or the name of one in ./sweeps or of those that come with cdkd (ablation.yaml, ablation-tdn.yaml,
    lambda.yaml, lambda-tdn.yaml, methods.yaml, teachers.yaml, gate.yaml, graphs.yaml, unlabelled.yaml, archive.yaml,
    explore.yaml). Interrupt it whenever you like: the next call goes on where it stopped. A second one at the same
    time, in the same folder, shares the work. A cell that any study of the store has finished is not trained again.

    Settings win from left to right: defaults < recipe < --teacher < the study's base < a stage's < axes and rows
    < --set, which may not touch what the study itself varies. A recipe that the study names is made for a data set, and
    applies to cells on that one alone; one that --recipe names applies to all.

    \b
    Examples:
      cdkd sweep ablation.yaml
      cdkd sweep ablation.yaml --seeds 6 --workers 8
      cdkd sweep ablation.yaml --gpus-per-cell 4
      cdkd sweep lambda.yaml --set train.epochs=80
      cdkd sweep ablation.yaml --recipe ucf101 --set data.root=prepared/ucf101 \\
          --teacher tsm=tsm.safetensors
      cdkd sweep ablation.yaml --set data.name=folder --set data.root=/data/my-videos
      cdkd sweep ablation.yaml --recipe shapes1
      cdkd sweep ablation.yaml --only row=baseline --only row=both
      cdkd sweep ablation.yaml --retry-failed
      cdkd sweep --schema > study.schema.json
      cdkd sweep ablation.yaml --storage postgresql+psycopg://me@db.example/cdkd
      cdkd sweep ablation.yaml --launcher slurm --partition gpu --array-parallelism 8 --time 4:00:00

    \b
    A study file:
      study: mine                    names the MLflow experiment and the folder .cdkd/mine
      tables: [4]                    tables to print at the end, as for cdkd report --table; else the study's own
      recipe: ucf101                 as --recipe, which wins, on this data set; teachers: {tsm: FILE} as --teacher
      base: {train.epochs: 20}       settings of every cell; nested or dotted
      seeds: 3                       0, 1, 2; or a list
      stages:
        - name: rows
          axes:                      every combination of
            network:                 a labelled axis: label -> settings
              TSM: {student.arch: tsm, teacher.arch: tsm}
              TDN: {student.arch: tdn, teacher.arch: tdn}
            distill.spatial.weight: [0.01, 0.1, 1]
          exclude: [{network: TDN, distill.spatial.weight: 1}]
          rows:                      beside the combinations: label -> settings
            baseline: {student.decoder: false, student.head: streams}
        - name: refine               a later stage may take over what was best
          best: {stage: rows, metric: validation/top1, take: [distill.spatial.weight]}
          axes: {distill.temporal.weight: [0.1, 1, 5]}
    """
    from cdkd.report.tables.catalog import find_table
    from cdkd.sweep.display.sweep_display import SweepStatus, make_display
    from cdkd.sweep.interruption import STOP_SIGNALS, Interrupted, catch_signals
    from cdkd.sweep.queue.study_folder import study_folder
    from cdkd.sweep.queue.study_processes import recorded
    from cdkd.sweep.study.opening import open_study
    from cdkd.sweep.workers.result import SweepOptions
    from cdkd.sweep.workers.runner import run_sweep
    from cdkd.tracking.store import shown
    from cdkd.tracking.store import tracking_uri as default_uri

    loaded = open_study(study, settings, seeds, only, recipe, teachers)
    for table in loaded.tables:
        find_table(table)
    uri = tracking_uri or default_uri()
    study_folder(loaded.name).use_storage(storage)
    line = typed_command(click.get_current_context())
    is_stopping = on_failure == "stop"
    options = SweepOptions(uri, workers, processes_per_cell, retry_failed, is_stopping, fresh, runner, line, slurm)
    catch_signals(*STOP_SIGNALS)
    try:
        with make_display() as display, recorded(study_folder(loaded.name), "sweep", line, uri):
            # At once: what comes next, opening the store, takes seconds.
            display.show(SweepStatus(loaded.name, 0, 0, 0, note=f"opening {shown(uri)}"))
            result = run_sweep(loaded, options, display)
    except Interrupted:
        click.echo(f"Interrupted. The same command goes on: {line}", err=True)
        sys.exit(130)
    _tell(result)
    if result.is_stopped and not result.is_complete:
        click.echo(f"Stopped, as asked. The same command goes on: {line}", err=True)
        sys.exit(130)
    if not no_report and result.num_done:
        _report(loaded, uri, result.cells)
    sys.exit(0 if result.is_complete else 1)


def _tell(result: "SweepResult") -> None:
    from cdkd.sweep.display.sweep_display import clock

    if result.is_complete and not result.num_trained:
        reused = f", {result.num_reused} of them reused" if result.num_reused else ""
        ended = "finished or pruned" if result.num_pruned else "finished"
        click.echo(f"All {result.num_cells} cells were {ended} before{reused}; nothing to train.")
    else:
        reused = f", {result.num_reused} reused" if result.num_reused else ""
        num_finished = result.num_done - result.num_diverged
        diverged = f", {result.num_diverged} diverged" if result.num_diverged else ""
        pruned = f", {result.num_pruned} pruned" if result.num_pruned else ""
        click.echo(f"{num_finished} of {result.num_cells} cells finished{diverged}{pruned}, "
                   f"{result.num_trained} of them now{reused}, in {clock(result.seconds)}.")  # fmt: skip
    for failure in result.failures:
        is_here = failure.traceback.exists()
        where = failure.traceback if is_here else f"with its run, and in the folder of worker {failure.worker}"
        click.echo(f"failed: {failure.label}: {failure.error}\n  traceback: {where}", err=True)
    for stage, why in result.unreached:
        click.echo(f"not reached: stage {stage}{': ' + why if why else ''}", err=True)
    for text in result.warnings:
        click.secho(f"WARNING: {text}.", fg="red", bold=True, err=True)
    if result.failures:
        again = typed_command(click.get_current_context(), add=["--retry-failed"])
        click.echo(f"To run failed cells again: {again}", err=True)


def _listed(files: Sequence[Path]) -> str:
    """Files by the formats that they have: table4 (.txt .md .svg); study-x-curves, study-x-gate (.svg)."""
    formats: dict[str, list[str]] = {}
    for file in files:
        formats.setdefault(file.stem, []).append(file.suffix)
    stems: dict[tuple[str, ...], list[str]] = {}
    for stem, suffixes in formats.items():
        stems.setdefault(tuple(suffixes), []).append(stem)
    return "; ".join(f"{', '.join(names)} ({' '.join(suffixes)})" for suffixes, names in stems.items())


def _report(study: "Study", uri: str, cells: Collection[str]) -> None:
    from cdkd.report.page.assembly import load_page
    from cdkd.report.render import render
    from cdkd.report.tables.catalog import studies_beside
    from cdkd.report.writing import write_page
    from cdkd.sweep.queue.study_folder import HOME
    from cdkd.tracking.mlflow_tracker import MlflowTracker
    from cdkd.tracking.view import is_served, study_links

    page = load_page(uri, study.name, study.tables, cells=cells, beside=studies_beside(study.name, study.tables))
    for report in page.tables or [part.report for part in page.studies]:
        click.echo("")
        click.echo(render([report], "text", terminal_width()))
    files = write_page(page, REPORTS)
    *parts, page_file = files
    click.echo(f"Written: {REPORTS / page_file.name}, a page of all this; beside it {_listed(parts)}.")
    tracker = MlflowTracker(uri, study.name, HOME)
    stages = {stage.name for stage in study.stages}
    for summary in (one for part in page.studies for one in part.summaries if one.section in stages):
        tracker.log_stage(summary.section, summary.metrics)
    tracker.attach_to_stage(study.stages[-1].name, files, "report")
    shows = "" if is_served(uri) else f"cdkd ui {study.name}, then "
    click.echo(f"Runs in MLflow: {shows}{study_links(uri)[study.name]}")
