"""The sentences below a table: what its figures mean, where they come from, and what is missing."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cdkd.distill.losses.table import LOSSES
from cdkd.report.aggregate import TableRow
from cdkd.report.columns import p_text
from cdkd.report.completeness import completeness, seeds_text, unfinished
from cdkd.report.protocol import ComparableRuns, Variant, disagreements, has_own_videos
from cdkd.report.statistics import MIN_SEEDS_TO_TEST, PairedDifference, sign_flip_can_decide
from cdkd.report.table_definition import TableDefinition
from cdkd.report.teacher_names import teacher_notes
from cdkd.report.teachers import weak_teachers
from cdkd.report.video_statistics import resolution_half_width

_MOST_WEIGHTS = 5
"""Of a loss, that are listed."""


def notes_below(table: TableDefinition, rows: Sequence[TableRow], comparable: ComparableRuns) -> tuple[str, ...]:
    """Every note of a table, in the order in which a reader needs them."""
    measured = [row for row in rows if row.finished]
    notes: list[str] = []
    if measured:
        notes += _meaning(table, measured)
        notes += _protocol(measured, comparable)
        notes += _code(measured)
        notes += [] if table.is_study else _networks(comparable)
        notes += teacher_notes(tuple(comparable.chosen.values()), by_row=table.is_study)
        notes += _teachers(rows)
        notes += weak_teachers(comparable)
    elif table.commands:
        notes.append(f"What fills the measured columns: {'; '.join(table.commands)}.")
    notes += unfinished(rows)
    notes += completeness(table, rows)
    notes += _left_out(comparable)
    if table.own_notes is not None:
        notes += table.own_notes(measured)
    sources = sorted({figure.source for row in rows for figure in row.published if not figure.evidence})
    if sources:
        notes.append(f"Published: {'; '.join(sources)}.")
    notes += table.remarks
    return tuple(notes)


def _meaning(table: TableDefinition, rows: Sequence[TableRow]) -> list[str]:
    notes = ["Measured: test accuracy in percent, mean ± sample deviation (number of seeds)."]
    names = [name for name in table.baseline_names if any(name in row.differences for row in rows)]
    if not names:
        return notes
    differences = [difference for row in rows for difference in row.differences.values()]
    if table.is_study:
        notes += [_compared_rows(name, rows) for name in names]
    else:
        notes.append(
            f"Over {', over '.join(names)}: points of top-1 above the row of that name of the same network, paired by "
            "seed."
        )
    notes += _intervals(differences)
    notes += _sign_flips(rows, names)
    if any(row.videos for row in rows):
        notes.append("Seeds, videos: 95 % BCa bootstrap interval of the same; seeds are resampled, then test videos.")
    if any(row.gap_closed is not None for row in rows):
        notes.append(f"Gap closed: share of the way from {names[0]} to the teacher.")
    return notes


def _compared_rows(name: str, rows: Sequence[TableRow]) -> str:
    keys = {row.definition.baselines[name] for row in rows if name in row.differences}
    titles = [row.definition.name for row in rows if row.definition.key in keys]
    return f"Over {name}: points of top-1 above row {_shortened(titles, ' or ')}, paired by seed."


def _intervals(differences: Sequence[PairedDifference]) -> list[str]:
    notes = []
    if any(difference.p_value is not None for difference in differences):
        notes.append(
            "p: two-sided paired t-test, Holm's correction over the rows of one network in one column; beside it "
            "stands the interval that holds for all of them together, which excludes 0 exactly where p < 0.05."
        )
    small = [difference for difference in differences if difference.p_value is None]
    if any(difference.interval for difference in small):
        notes.append(
            f"Below {MIN_SEEDS_TO_TEST} paired seeds nothing is tested, and the interval is Student's t for that row "
            "alone."
        )
    elif small:
        notes.append("One common seed tests nothing: another seed may change a difference by more than its size.")
    return notes


def _sign_flips(rows: Sequence[TableRow], names: Sequence[str]) -> list[str]:
    """The test that assumes no distribution, where the seeds are enough for it to decide."""
    texts = []
    for name in names:
        for block in dict.fromkeys(row.definition.block for row in rows):
            family = [row for row in rows if row.definition.block == block and name in row.differences]
            tested = [row for row in family if row.differences[name].sign_flip_p is not None]
            if tested and sign_flip_can_decide(min(row.differences[name].num_pairs for row in tested), len(tested)):
                texts += [_sign_flip(row, name) for row in tested]
    return [f"By the sign-flip test, which assumes no distribution, with Holm: {'; '.join(texts)}."] if texts else []


def _sign_flip(row: TableRow, name: str) -> str:
    p_value = row.differences[name].sign_flip_p
    assert p_value is not None
    text = p_text(p_value)
    return f"{row.definition.name} over {name} p {text if text.startswith('<') else f'= {text}'}"


def _protocol(rows: Sequence[TableRow], comparable: ComparableRuns) -> list[str]:
    runs = [run for row in rows for run in row.finished]
    # What differs between rows is their own, and stands in their columns.
    settings, metadata = _common(run.settings for run in runs), _common(run.metadata for run in runs)
    parts = [seeds_text(sorted({run.seed for run in runs}))]
    if "train.epochs" in settings:
        parts.append(f"{settings['train.epochs']} epochs")
    if "evaluation.select" in settings:
        parts.append(
            {"last": "last epoch's weights"}.get(settings["evaluation.select"], "weights chosen on validation")
        )
    if settings.get("data.validation_share") == 0 and "num_validation_videos" not in metadata:
        parts.append("trained on all training videos, so that nothing was chosen on validation")
    if "student.weights" in settings:
        parts.append(f"streams start from {settings['student.weights']} weights")
    parts += [f"{name} {metadata[name]}" for name in ("split", "views") if name in metadata]
    if has_own_videos(settings):
        parts.append("videos and teachers drawn anew for each seed, so that seeds tell of new videos too")
    version = metadata.get("dataset_hash") or metadata.get("dataset_version")
    if version:
        parts.append(f"data version {version[:12]}")
    notes = [f"Protocol of every row: {', '.join(parts)}."]
    notes += _unlabelled(rows)
    lambdas = _lambdas(comparable)
    if lambdas:
        notes.append(f"Weights where a loss takes part{_calibration(comparable)}: {lambdas}.")
    # Where each seed has videos of its own, the spread over seeds holds that of videos already.
    if "num_test_videos" in metadata and not has_own_videos(settings):
        number = int(metadata["num_test_videos"])
        floor = max(resolution_half_width(number, row.top1.mean) for row in rows if row.top1)
        notes.append(
            f"Resolution: {number:,} test videos know one accuracy to ± {floor:.1f} points and a difference of two, "
            f"even where the seeds agree, to at most ± {floor * math.sqrt(2):.1f} (95 % half-widths)."
        )
    return notes


def _unlabelled(rows: Sequence[TableRow]) -> list[str]:
    """Which clips without labels some rows have learnt from, beside the labelled ones of every row."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for words in dict.fromkeys(run.metadata.get("unlabelled", "") for run in row.finished):
            found.setdefault(words, []).append(row.definition.name)
    texts = [f"{words} ({', '.join(names)})" for words, names in found.items() if words]
    if not texts:
        return []
    return [
        f"Unlabelled clips, from which distillation alone learns: {'; '.join(texts)}. All other rows see the labelled "
        "clips alone."
    ]


def unlabelled_warning(rows: Sequence[TableRow]) -> str:
    """What must stand in the heading of a table some of whose rows have seen more videos; "" where none has."""
    has_more = any("unlabelled" in run.metadata for row in rows for run in row.finished)
    return " Rows with distillation may also learn from unlabelled clips: not the paper's protocol." if has_more else ""


def _common(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of these have, with the same value."""
    first, *others = records
    return {key: value for key, value in first.items() if all(key in o and o[key] == value for o in others)}


def _lambdas(comparable: ComparableRuns) -> str:
    texts = []
    for name, loss in LOSSES.items():
        key = f"distill.{name}.weight"
        blocks: dict[str, set[float]] = defaultdict(set)
        for variant in comparable.chosen.values():
            if key in variant.protocol and variant.finished:
                blocks[variant.row.block].add(variant.protocol[key])
        values = sorted(set().union(*blocks.values()))
        if values:
            listed = ", ".join(f"{value:g}" for value in values)
            if len(values) > _MOST_WEIGHTS:
                listed = f"{values[0]:g} to {values[-1]:g}"
            elif len(values) > 1 and all(len(own) == 1 for own in blocks.values()):
                listed = ", ".join(f"{weight:g} ({block.upper()} rows)" for block, (weight,) in blocks.items())
            texts.append(f"{loss.symbol or loss.title} = {listed}")
    return "; ".join(texts)


def _calibration(comparable: ComparableRuns) -> str:
    protocols = [variant.protocol for variant in comparable.chosen.values() if variant.finished]
    kinds = {protocol.get("distill.calibration") for protocol in protocols}
    if not kinds & {"auto", "pull"}:
        return ""
    has_literal = "auto" in kinds and any(
        key.endswith(".form") and form == "literal" for each in protocols for key, form in each.items()
    )
    return ", in units of the cross-entropy's pull" + (", literal forms as printed" if has_literal else "")


def _code(rows: Sequence[TableRow]) -> list[str]:
    runs = [run for row in rows for run in row.finished]
    codes = sorted({run.code for run in runs})
    notes = [f"Code: {codes[0]}."]
    if len(codes) > 1:
        notes = [f"Warning: the rows come from several code versions: {', '.join(codes)}."]
    num_dirty = sum(run.dirty for run in runs)
    if num_dirty:
        notes.append(f"Warning: {num_dirty} of {len(runs)} runs came from a working tree with uncommitted changes.")
    return notes


def _networks(comparable: ComparableRuns) -> list[str]:
    """Warns where two networks of a table were trained by different recipes, for example unequal budgets."""
    blocks: dict[str, dict[str, str]] = {}
    for variant in comparable.chosen.values():
        shared = {k: str(v) for k, v in variant.protocol.items() if k.startswith(("train.", "student."))}
        blocks.setdefault(variant.row.block, {}).update(shared)
    notes = []
    names = sorted(blocks)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            keys = sorted(k for k in blocks[one].keys() & blocks[other].keys() if blocks[one][k] != blocks[other][k])
            if keys:
                texts = [f"{key} {blocks[one][key]} and {blocks[other][key]}" for key in keys]
                notes.append(f"Warning: {one.upper()} and {other.upper()} rows differ in {_shortened(texts)}.")
    return notes


def _teachers(rows: Sequence[TableRow]) -> list[str]:
    texts = []
    for row in rows:
        if row.teachers:
            settings = row.teachers[0].run.settings
            source = settings.get("teacher.checkpoint") or f"{settings.get('teacher.train.epochs')} epochs"
            seeds = seeds_text(sorted({teacher.seed for teacher in row.teachers}))
            draws = {teacher.draw for teacher in row.teachers}
            seeds += f" on each of {len(draws)} draws of the videos" if len(draws) > 1 else ""
            arch = f"{settings.get('teacher.arch')}, " if row.definition.is_own_teacher else ""
            texts.append(
                f"{row.definition.method}: {arch}backbone {settings.get('teacher.backbone')}, {source}, {seeds}"
            )
    if not texts:
        return []
    listed = "; ".join(texts)
    return [f"Teachers' rows: raw frames of the same videos through the same views (n counts teachers): {listed}."]


def _left_out(comparable: ComparableRuns) -> list[str]:
    """Says how many runs are not shown, and what sets them apart."""
    groups: dict[str, int] = defaultdict(int)
    num_other_weights = 0
    for variant in comparable.left_out:
        shown = comparable.chosen.get(variant.row.key)
        if shown is not None and shown.protocol == variant.protocol:
            num_other_weights += len(variant.runs)
        else:
            groups[_what_differs(variant, comparable)] += len(variant.runs)
    notes = [f"Runs with other weights than those shown: {num_other_weights}."] if num_other_weights else []
    if groups:
        texts = [f"{count} with {text}" for text, count in groups.items()]
        listed = _shortened(texts, "; ", 5)
        notes.append(f"Runs under another protocol, left out and never pooled: {sum(groups.values())} ({listed}).")
    return notes


def _what_differs(variant: Variant, comparable: ComparableRuns) -> str:
    texts: list[str] = []
    for other in comparable.chosen.values():
        for key in disagreements(variant, other):
            text = f"{key} {variant.protocol[key]} instead of {other.protocol[key]}"
            if text not in texts:
                texts.append(text)
    return _shortened(texts) if texts else "settings that the chosen row does not have"


def _shortened(texts: Sequence[str], separator: str = ", ", most: int = 3) -> str:
    rest = len(texts) - most
    return separator.join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")
