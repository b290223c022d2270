"""Small preparations: their settings, jobs and outcomes."""

from pathlib import Path

from support.official_trees import H264, write_video

from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.manifest import read_manifest
from cdkd.data.preparation.prepare import PrepareJob, PrepareReport
from cdkd.data.preparation.transcoding import TranscodeSettings

SMALL = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)


def job_of(name: str, source: Path, output: Path) -> PrepareJob:
    return PrepareJob(DATASETS[name], source, output, settings=SMALL)


def rows(output: Path, split: int = 1) -> list[tuple[str, int, str, str]]:
    return [(v.path, v.label, v.group, v.part) for v in read_manifest(output, split).videos]


def counts(report: PrepareReport) -> tuple[int, int, int]:
    return report.num_transcoded, report.num_kept, len(report.result.failed)


def good_folder(root: Path, num_videos: int = 4, num_frames: int = 14) -> Path:
    """`num_videos` H.264 videos in each of two classes."""
    for label in ("run", "walk"):
        for index in range(num_videos):
            write_video(root / label / f"{index}.mp4", H264, seed=index, num_frames=num_frames)
    return root


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
