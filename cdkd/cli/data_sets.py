"""`cdkd data prepare`, `check` and `list`: benchmark data sets and folders of videos."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdkd.cli.data_cache import cache
from cdkd.cli.options import FOLDER, PATH, json_option, output_option, workers_option
from cdkd.errors import CdkdError

if TYPE_CHECKING:
    from cdkd.data.annotations.spec import DatasetSpec
    from cdkd.data.preparation.check import CheckReport
    from cdkd.data.preparation.prepare import PrepareReport

_SHOWN = 10


def _say(text: str) -> None:
    """Prints a line; bytes of a file name that are no UTF-8 as escapes, because a terminal refuses them."""
    click.echo(text.encode("utf-8", "backslashreplace").decode())


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--source", type=PATH, required=True, help="Folder of the videos as published (folder: or a CSV).")
@output_option("Folder for the prepared data set.", FOLDER, required=True)
@click.option("--annotations", type=PATH, help="Folder of the annotation files; default: in the source.")
@click.option("--split", "splits", multiple=True, help="Only this official split (1, 2, 3) or part (train, test).")
@workers_option
@click.option("--shard", default="1/1", metavar="I/N", show_default=True, help="Do the I-th of N parts.")
@click.option("--max-broken", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Fraction accepted.")
@click.option("--width", type=click.IntRange(16), default=320, show_default=True, help="Pixels.")
@click.option("--height", type=click.IntRange(16), default=256, show_default=True, help="Pixels.")
@click.option("--gop", type=click.IntRange(2, 600), default=12, show_default=True, help="Frames per I-frame.")
@click.option("--quantiser", type=click.IntRange(1, 31), default=3, show_default=True, help="1 is the finest.")
@click.option("--list", "lists", multiple=True, metavar="PART=FILE", help="folder: rows 'path [frames] label'.")
@click.option("--classes", type=PATH, help="With --list: class names in order, one a line.")
@click.option("--cache", "with_cache", is_flag=True, help="Then pack all clips as `cdkd data cache` does by default.")
def prepare(
    name: str,
    source: Path,
    output: Path,
    annotations: Path | None,
    splits: tuple[str, ...],
    workers: int | None,
    shard: str,
    max_broken: float,
    width: int,
    height: int,
    gop: int,
    quantiser: int,
    lists: tuple[str, ...],
    classes: Path | None,
    with_cache: bool,
) -> None:
    """Transcode a data set once, so that it can be trained on.

    NAME is one of those that `cdkd data list` shows. Every video becomes MPEG-4 Part 2 with a fixed GOP and no
    B-frames. Run it again after an interruption: finished videos are kept. Videos that cannot be used are listed in
    quarantine.csv; with too many of them the command fails and writes no manifest.

    \b
    Examples:
      cdkd data prepare ucf101 --source UCF-101 --annotations ucfTrainTestlist -o prepared/ucf101
      cdkd data prepare kinetics400 --source k400 -o prepared/k400 --shard 3/16
      cdkd data prepare ssv2 --source ssv2 -o prepared/ssv2 --split test
      cdkd data prepare folder --source clips -o prepared/clips --cache
      cdkd data prepare folder --source clips -o prepared/clips --list train=a.txt --list test=b.txt
    """
    from cdkd.capacity import default_workers
    from cdkd.cli.video_progress import VideoProgress
    from cdkd.data.annotations.catalog import dataset_spec
    from cdkd.data.preparation.job_shards import parse_shard
    from cdkd.data.preparation.prepare import PrepareJob
    from cdkd.data.preparation.prepare import prepare as run
    from cdkd.data.preparation.transcoding import TranscodeSettings

    numbers, parts = _split_choice(splits)
    spec = dataset_spec(name)
    if spec.origin == "generated":
        raise CdkdError(f"{name}: is generated when it is first used; there is nothing to prepare or check")
    for option, place in (("--source", source), ("--annotations", annotations)):
        if place is not None and not place.exists():
            raise CdkdError(f"{option} {place}: not found")
    job = PrepareJob(
        spec=_with_lists(spec, lists, classes),
        source=source,
        output=output,
        annotations=annotations,
        splits=numbers,
        parts=parts,
        settings=TranscodeSettings(width, height, gop, quantiser),
        num_workers=workers or default_workers(),
        shard=parse_shard(shard),
        max_broken=max_broken,
    )
    with VideoProgress(name) as progress:
        report = run(job, progress)
    _print_prepared(name, report)
    _end_prepared(name, report, max_broken)
    _remember_gops(report, job.num_workers)
    if with_cache and report.manifests:
        _pack(report, job.num_workers)


def _remember_gops(report: "PrepareReport", num_workers: int) -> None:
    """So that not even the first training has to open every file before it starts."""
    from cdkd.data.cache.gop_index import index_gops

    for manifest in list(report.manifests.values())[:1]:
        index_gops(manifest.root, [video.path for video in manifest.videos], num_workers)


def _pack(report: "PrepareReport", num_workers: int) -> None:
    from cdkd.cli.data_cache import make_cache
    from cdkd.data.cache.packed_record import StoredLayout
    from cdkd.data.cache.packing import PackJob
    from cdkd.settings import DataSettings

    defaults = DataSettings()
    layout = StoredLayout(defaults.frames_per_gop)
    make_cache(PackJob(tuple(report.manifests.values()), layout, defaults.p_frame_form, num_workers=num_workers))


def _split_choice(values: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    from cdkd.data.manifest import PARTS

    for value in values:
        if not value.isdecimal() and value not in PARTS:
            raise CdkdError(f"--split {value}: expected an official split's number or one of {', '.join(PARTS)}")
    return tuple(int(v) for v in values if v.isdecimal()), tuple(v for v in values if not v.isdecimal())


def _with_lists(spec: "DatasetSpec", lists: tuple[str, ...], classes: Path | None) -> "DatasetSpec":
    from cdkd.data.annotations.annotation import read_lines
    from cdkd.data.annotations.list_file import read_lists
    from cdkd.data.manifest import PARTS

    if not lists:
        if classes is not None:
            raise CdkdError("--classes: goes with --list only")
        return spec
    if spec.name != "folder":
        raise CdkdError(f"--list: goes with the data set 'folder'; {spec.name} has lists of its own")
    files = dict(text.partition("=")[::2] for text in lists)
    wrong = [part for part in files if part not in PARTS]
    if wrong or len(files) != len(lists):
        raise CdkdError(f"--list {lists[0]}: expected PART=FILE, each part of {', '.join(PARTS)} once")
    names = tuple(line.text for line in read_lines(classes)) if classes else ()
    paths = {part: Path(files[part]) for part in PARTS if part in files}
    return replace(spec, read=lambda folder, split: read_lists(paths, names), layout="same_folder")


def _print_prepared(name: str, report: "PrepareReport") -> None:
    result = report.result
    _say(
        f"{name}: {report.num_transcoded:,} transcoded, {report.num_kept:,} kept, {len(result.failed):,} broken"
        + (f", {len(result.missing):,} not in this copy" if result.missing else "")
    )
    for path, reason in list(result.failed.items())[:_SHOWN]:
        _say(f"  {path}: {reason}")
    if len(result.failed) > _SHOWN:
        _say(f"  and {len(result.failed) - _SHOWN:,} more")
    for split, manifest in report.manifests.items():
        counts = ", ".join(f"{part} {count:,}" for part, count in manifest.num_videos_per_part.items())
        _say(f"split {split}: {counts}; version {manifest.version}")


def _end_prepared(name: str, report: "PrepareReport", max_broken: float) -> None:
    from cdkd.data.home import remember
    from cdkd.data.manifest import MANIFEST_NAME
    from cdkd.data.preparation.worklist import QUARANTINE_NAME

    if not report.is_acceptable:
        fraction = 100 * report.result.broken_fraction
        raise CdkdError(
            f"{report.output}: {fraction:.1f} % of the videos are broken, accepted are {100 * max_broken:.1f} %; "
            f"no manifest was written; mend the videos that {QUARANTINE_NAME} lists, or raise --max-broken"
        )
    if not report.manifests:
        missing = sorted(set(range(1, report.num_shards + 1)) - set(report.shards_done))
        _say(f"still to come: shards {', '.join(map(str, missing))} of {report.num_shards}")
        return
    remember(name, report.output)
    _say(f"wrote {report.output / MANIFEST_NAME} and {QUARANTINE_NAME}")


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--root", type=PATH, help="Folder of the prepared data set; default: where it was last prepared.")
@click.option("--digests", is_flag=True, help="Read every file and compare its hash.")
@json_option
def check(name: str, root: Path | None, digests: bool, as_json: bool) -> None:
    """Compare a prepared data set with the official counts and say what is missing.

    Exits with 1 when something is.

    \b
    Examples:
      cdkd data check ucf101
      cdkd data check ssv2 --root prepared/ssv2 --digests
    """
    from cdkd.data.annotations.catalog import dataset_spec
    from cdkd.data.opening import locate
    from cdkd.data.preparation.check import check_dataset

    spec = dataset_spec(name)
    report = check_dataset(spec, locate(spec, root), digests)
    if as_json:
        _say(json.dumps({**asdict(report), "is_complete": report.is_complete}, indent=1, default=str))
    else:
        _print_checked(report, spec.note)
    if not report.is_complete:
        raise CdkdError(f"{name}: not complete")


def _print_checked(report: "CheckReport", note: str) -> None:
    _say(f"{report.name} in {report.root}" + (f" ({note})" if note else ""))
    _say(f"{'split':>5}  {'part':<10} {'official':>9} {'listed':>9} {'prepared':>9}")
    for row in report.parts:
        official = "-" if row.official is None else f"{row.official:,}"
        _say(f"{row.split:>5}  {row.part:<10} {official:>9} {row.listed:>9,} {row.present:>9,}")
    for problem in report.problems:
        _say(f"missing: {problem}")
    for path in report.damaged[:_SHOWN]:
        _say(f"  {path}: gone or changed")
    for entry in report.left_out[:_SHOWN]:
        _say(f"  {entry.path}: {entry.kind}: {entry.reason}")
    hidden = max(0, len(report.damaged) - _SHOWN) + max(0, len(report.left_out) - _SHOWN)
    if hidden:
        _say(f"  and {hidden:,} more")
    if report.is_complete:
        _say("complete")


@click.command("list")
@json_option
def list_datasets(as_json: bool) -> None:
    """Show the data sets that are known, their official counts, and where they lie prepared.

    \b
    Examples:
      cdkd data list
      cdkd data list --json
    """
    from cdkd.data.annotations.catalog import DATASETS
    from cdkd.data.home import cached_folders, known_folders

    folders = known_folders()
    if as_json:
        places = {name: (*folders.get(name, ()), *cached_folders(name)) for name in DATASETS}
        records = {name: _record(spec, places[name]) for name, spec in DATASETS.items()}
        _say(json.dumps(records, indent=1))
        return
    for name, spec in DATASETS.items():
        _say(f"{name}: {'; '.join(_facts(spec))}")
        prepared, cached = folders.get(name, ()), cached_folders(name)
        for folder in prepared:
            _say(f"    {folder}: {_state(folder)}")
        for folder, source in cached.items():
            made_of = f" of {source}" if source else ""
            _say(f"    {folder}: cache{made_of}, {_gigabytes(folder):.2f} GB: {_state(folder)}")
        if not prepared and not cached:
            _say("    not prepared" if spec.origin == "published" else "    none in the cache")


def _facts(spec: "DatasetSpec") -> list[str]:
    facts = [spec.title]
    facts += [f"{spec.num_classes} classes"] if spec.num_classes else []
    facts += [f"{len(spec.splits)} splits"] if len(spec.splits) > 1 else []
    counts = spec.counts.get(1, {})
    facts += [f"train {counts['train']:,}, test {counts['test']:,}"] if counts else []
    facts += [f"views {spec.views[0]} x {spec.views[1]}", f"flips {spec.flip}"]
    return facts + ([spec.note] if spec.note else [])


def _gigabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*.mp4")) / 1e9


def _record(spec: "DatasetSpec", folders: Sequence[Path]) -> dict[str, object]:
    return {
        "title": spec.title,
        "classes": spec.num_classes,
        "official": {split: dict(parts) for split, parts in spec.counts.items()},
        "views": spec.views,
        "flips": spec.flip,
        "note": spec.note,
        "prepared": {str(folder): _state(folder) for folder in folders},
    }


def _state(folder: Path) -> str:
    from cdkd.data.manifest import has_manifest, read_manifest, split_numbers

    if not has_manifest(folder):
        return "gone"
    try:
        splits = split_numbers(folder)
        manifest = read_manifest(folder, splits[0])
    except CdkdError as error:
        return f"damaged: {error}"
    counts = ", ".join(f"{part} {count:,}" for part, count in manifest.num_videos_per_part.items())
    return f"split {splits[0]} of {', '.join(map(str, splits))}: {counts}; version {manifest.version}"


commands: list[click.Command] = [prepare, cache, check, list_datasets]
