"""`cdkd bench report`: what a table of many tracked runs takes."""

import json

import click

from cdkd.cli.options import json_option


@click.command(name="report")
@click.option("--runs", default=1_000, show_default=True, type=click.IntRange(1), help="In the store.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1), help="Turns of each row.")
@json_option
def command(runs: int, repeats: int, as_json: bool) -> None:
    """Measure what `cdkd report --table 4` takes from an SQLite store of many runs.

    The store is made for it in a temporary folder (TMPDIR names another place): ten rows of Table 4 over as many seeds
    as there are runs, each run with its settings, metrics and small per-video scores. The rows take turns, each in
    a process of its own, measured from start to end. The ratio is of processor time, to that of MLflow's own client
    reading the same runs.

    \b
    Examples:
      cdkd bench report
      cdkd bench report --runs 100 --json
    """
    import tempfile
    from dataclasses import asdict
    from pathlib import Path

    from cdkd.bench.report import measure_report

    with tempfile.TemporaryDirectory(prefix="cdkd-bench-") as folder:
        rows = measure_report(Path(folder), runs, repeats, lambda text: click.echo(f"measuring: {text}", err=True))
    if as_json:
        click.echo(json.dumps({"runs": runs, "rows": [asdict(row) for row in rows]}, indent=1))
        return
    from tabulate import tabulate

    cells = [
        (row.name, f"{row.cpu_seconds:.2f}", f"{row.wall_seconds:.2f}", f"{row.ratio:.2f}", row.target) for row in rows
    ]
    titles = (f"{runs:,} runs", "s of processor", "s by the clock", "ratio", "target")
    align = ("left", "right", "right", "right", "left")
    click.echo(tabulate(cells, titles, disable_numparse=True, colalign=align))
