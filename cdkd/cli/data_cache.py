"""`cdkd data cache`: a packed cache of a prepared data set's clips."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from cdkd.cli.options import PATH, Choice, workers_option
from cdkd.errors import CdkdError
from cdkd.modality import MotionReference, PFrameForm, ResidualKind

if TYPE_CHECKING:
    from cdkd.data.cache.packing import PackJob, PackReport
    from cdkd.data.manifest import Part

_PARTS = ("train", "validation", "test", "pretrain", "unlabelled")
_SHOWN = 10


class WindowError(CdkdError):
    """A window has no middle."""


@click.command()
@click.option("--root", type=PATH, required=True, help="Folder of the prepared data set.")
@click.option("--part", "parts", multiple=True, type=Choice(_PARTS), help="Only this part; may be repeated.")
@click.option("--split", type=click.IntRange(1), help="Official split that is packed; default: all.")
@click.option("--frames-per-gop", default=6, show_default=True, type=click.IntRange(1), help="data.frames_per_gop.")
@click.option(
    "--every-p-frame",
    is_flag=True,
    help="Every P-frame and its picture, whatever the windows: for clips whose positions are drawn (data.sampling "
    "segments or dense, with one frame per GOP or with GOPs of more than twice that many P-frames).",
)
@click.option("--student-window", default=1, show_default=True, type=click.IntRange(0), help="TSM: 1, TDN: 5.")
@click.option("--teacher-window", default=1, show_default=True, type=click.IntRange(0), help="TSM: 1, TDN: 5, none: 0.")
@click.option(
    "--motion", default="accumulated", show_default=True, type=Choice([kind.value for kind in MotionReference]),
    help="data.motion.",
)  # fmt: skip
@click.option(
    "--residual", default="exact", show_default=True, type=Choice([kind.value for kind in ResidualKind]),
    help="data.residual.",
)  # fmt: skip
@workers_option
def cache(
    root: Path,
    parts: tuple[str, ...],
    split: int | None,
    frames_per_gop: int,
    every_p_frame: bool,
    student_window: int,
    teacher_window: int,
    motion: str,
    residual: str,
    workers: int | None,
) -> None:
    """Decode every clip of a prepared data set once, so that training need not.

    Training then reads exactly the same numbers from packed/ below the root, some three times as fast. It costs disk:
    about 5 GB per 1,000 groups of pictures at 320x256 pixels, 8 with every P-frame; `cdkd bench loading --root DIR`
    measures both for a data set. Windows that are wider than needed do no harm. Run it again after an interruption:
    what is finished is kept.

    \b
    Examples:
      cdkd data cache --root prepared/ucf101
      cdkd data cache --root prepared/ssv2 --part train --student-window 5 --teacher-window 5
      cdkd data cache --root prepared/kinetics400 --every-p-frame
    """
    from cdkd.capacity import default_workers
    from cdkd.data.cache.packed_record import EVERY_P_FRAME, StoredLayout
    from cdkd.data.cache.packing import PackJob
    from cdkd.data.manifest import read_manifest, split_numbers

    for name, window in (("--student-window", student_window), ("--teacher-window", teacher_window)):
        if window and window % 2 == 0:
            raise WindowError(f"{name} {window}: a window has a middle; give an odd number, or 0 for none")
    splits = tuple(read_manifest(root, number) for number in ((split,) if split else split_numbers(root)))
    layout = EVERY_P_FRAME if every_p_frame else StoredLayout(frames_per_gop, student_window, teacher_window)
    wanted = cast("tuple[Part, ...]", parts)
    form = PFrameForm.named(motion, residual)
    make_cache(PackJob(splits, layout, form, wanted, workers or default_workers()))


def make_cache(job: "PackJob") -> "PackReport":
    """Packs with a progress bar and says what came of it."""
    from cdkd.cli.video_progress import VideoProgress
    from cdkd.data.cache.packing import pack

    with VideoProgress("packing") as progress:
        report = pack(job, progress)
    made, gigabytes = report.cache, report.cache.num_bytes / 1e9
    click.echo(
        f"packed {made.num_gops:,} groups of pictures of {report.num_videos - len(made.broken):,} videos, "
        f"{gigabytes:.2f} GB ({report.bytes_per_thousand_gops / 1e9:.2f} GB per 1,000), in {made.folder}"
    )
    for path, reason in list(made.broken.items())[:_SHOWN]:
        click.echo(f"  not packed: {path}: {reason}".encode("utf-8", "backslashreplace").decode())
    if len(made.broken) > _SHOWN:
        click.echo(f"  and {len(made.broken) - _SHOWN:,} more")
    return report
