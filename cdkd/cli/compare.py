"""`cdkd compare`: trained networks against each other, video by video."""

import json
from pathlib import Path

import click

from cdkd.cli.options import Choice, from_option, json_option, output_option, store_to_read, tracking_uri_option


@click.command(name="compare")
@click.argument("references", metavar="A B [C ...]", nargs=-1, required=True)
@click.option(
    "--format", "format_name", type=Choice(["text", "markdown"]), default="text", show_default=True, help="For people."
)
@click.option("--classes", default=5, show_default=True, type=click.IntRange(0), help="How many that moved to name.")
@json_option
@output_option("Write to this file.")
@tracking_uri_option
@from_option
def command(
    references: tuple[str, ...],
    format_name: str,
    classes: int,
    as_json: bool,
    output: Path | None,
    tracking_uri: str | None,
    exported: Path | None,
) -> None:
    """Compare B, C, ... with A on the same test videos: difference with interval, McNemar, agreement, calibration.

    Each is a score file (.parquet, .csv or .npz with video_id, label, and logits or score_0, score_1, ...; rows in
    any order, from any program), the id of a tracked run, models:/name/version, or STUDY:LABEL, which means all seeds
    of one row of a study; two rows are paired by seed.

    \b
    Examples:
      cdkd compare ablation:baseline ablation:both
      cdkd compare 0f3c9a... theirs.csv --json
      cdkd compare old.npz new.npz newer.npz --format markdown
    """
    from cdkd.report.compare import compare, comparison_markdown, comparison_record, comparison_text
    from cdkd.report.score_set import read_score_set
    from cdkd.report.writing import write_report

    if len(references) < 2:
        raise click.UsageError("give at least two: cdkd compare A B")
    store = store_to_read(tracking_uri, exported)
    first, *others = (read_score_set(reference, store) for reference in references)
    found = [compare(first, other) for other in others]
    if as_json:
        records = [comparison_record(each) for each in found]
        text = json.dumps(records[0] if len(records) == 1 else records, indent=1) + "\n"
    else:
        text = comparison_markdown(found) if format_name == "markdown" else comparison_text(found, classes)
    if output is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"wrote {write_report(output, text.encode())}")
