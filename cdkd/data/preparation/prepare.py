"""Turns a data set as published into one that training reads: every video transcoded, one manifest.

    annotation files -> Worklist -> tasks of this shard -> workers -> ShardResult -> (all shards there) -> manifest.csv

Below the output: `videos/` with the transcoded files, `manifest.csv`, `quarantine.csv` with what was left out and why,
and `.prepare/` with the log of finished videos, the shards' results and the files in the making.

Writes in their order, and what a crash behind each of them costs:

    1. .prepare/making-.../<hash>.mp4     the video: whatever lies there is thrown away by the next run
    2. moved to videos/Class/name.mp4     the video is made again: nobody knows yet what it was made from
    3. a line in the done log             nothing: this video is kept
       ... 1 to 3 for every video of the shard, in several processes; the parent alone writes the log
    4. .prepare/shard-I-of-N.json         nothing: the last shard to end finds it, whichever that is
    5. quarantine.csv, then manifest.csv  5 is done again by a run that finds everything kept
    6. what is no longer listed removed   the next run removes the rest

A video under its name is therefore always whole, and a manifest never lists one that is not there.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cdkd.data.annotations.folder import folder_root
from cdkd.data.annotations.spec import DatasetSpec
from cdkd.data.manifest import DatasetError, Manifest
from cdkd.data.preparation.done_log import DoneLog, Finished
from cdkd.data.preparation.job_shards import WHOLE, JobShard, ShardResult, merge_shards, read_shards, write_shard
from cdkd.data.preparation.transcoding import (
    Failed,
    TranscodeSettings,
    TranscodeTask,
    disk_full_error,
    is_disk_full,
    is_up_to_date,
    transcode_all,
)
from cdkd.data.preparation.worklist import Worklist, make_worklist
from cdkd.data.source_files import SourceFiles, list_videos
from cdkd.file_lock import FileLock

WORK_FOLDER = ".prepare"

ProgressCallback = Callable[[int, int, int], None]
"""Called with videos done, videos in all, videos failed."""


def silent(done: int, total: int, failed: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class PrepareJob:
    """What to prepare, from where, to where."""

    spec: DatasetSpec
    source: Path
    """Folder of the videos as published; `folder`: or a CSV file."""
    output: Path
    annotations: Path | None = None
    """Folder of the annotation files; None: the source."""
    splits: tuple[int, ...] = ()
    """Official splits that are wanted; empty: all."""
    parts: tuple[str, ...] = ()
    """Parts that are wanted; empty: all but unused."""
    settings: TranscodeSettings = field(default_factory=TranscodeSettings)
    num_workers: int = 1
    shard: JobShard = WHOLE
    max_broken: float = 0.01
    """Fraction of broken videos above which no manifest is written."""
    wait: bool = False
    """Wait for another preparation of the same shard to end instead of refusing."""
    removes_unlisted: bool = False
    """Delete transcoded videos that the annotation no longer lists; not where splits or parts are prepared one after
    the other into one output."""


@dataclass(frozen=True)
class PrepareReport:
    """What a preparation did."""

    output: Path
    num_kept: int
    """Videos of this shard that were finished before."""
    num_transcoded: int
    result: ShardResult
    """Of this shard, or of all shards once they are merged."""
    shards_done: tuple[int, ...]
    num_shards: int
    is_acceptable: bool
    """No more videos are broken than accepted."""
    manifests: dict[int, Manifest] = field(default_factory=dict)
    """By split; empty as long as shards are missing, and when too many videos are broken."""


def prepare(job: PrepareJob, progress: ProgressCallback = silent) -> PrepareReport:
    """Prepares a data set or one shard of it; finished videos of an earlier, even a killed, run are kept.

    Raises:
        DatasetError: the annotation is missing or wrong, no listed video is there, another preparation of the same
            shard is running, or the output cannot be written.
        DiskFullError: no space is left; nothing half finished stays behind.
    """
    _refuse_overlap(job)
    work = job.output / WORK_FOLDER
    try:
        lock = FileLock(work / f"{job.shard.name}.lock")
        if not lock.acquire(wait=job.wait):
            raise DatasetError(
                f"{job.output}: another preparation is writing to it; wait for its end, or share the work with "
                f"--shard I/N"
            )
        try:
            return _prepare_locked(job, work, progress)
        finally:
            lock.release()
    except OSError as error:
        if is_disk_full(error):
            raise disk_full_error(job.output) from error
        raise DatasetError(f"{job.output}: cannot be written: {error}") from error


def _refuse_overlap(job: PrepareJob) -> None:
    source, output = folder_root(job.source).resolve(), job.output.resolve()
    if output == source or output.is_relative_to(source):
        raise DatasetError(f"{job.output}: lies inside the source {job.source}; choose an --output outside of it")


def _prepare_locked(job: PrepareJob, work: Path, progress: ProgressCallback) -> PrepareReport:
    worklist = make_worklist(job.spec, job.annotations or job.source, job.splits, job.parts, job.settings)
    # On the output's file system, so that a finished video is moved and not copied to its place.
    making = work / f"making-{job.shard.name}"
    shutil.rmtree(making, ignore_errors=True)  # left behind by a run that was killed
    making.mkdir()
    # Another shard that ends meanwhile must not merge what an earlier run of this one left.
    (work / f"{job.shard.name}.json").unlink(missing_ok=True)
    done_log = DoneLog(work, f"journal-{job.shard.name}")
    paths = job.shard.of(worklist.paths)
    try:
        run = _Run(job, worklist, making, done_log)
        for count, failed in enumerate(run.outcomes(paths), start=1):
            run.failed += [failed] if isinstance(failed, Failed) else []
            progress(count, len(paths), len(run.failed))
    finally:
        done_log.close()
        shutil.rmtree(making, ignore_errors=True)
    done = {path: known.target_digest for path in run.done if (known := done_log.get(path))}
    result = ShardResult(worklist.key, done, {f.path: f.reason for f in run.failed}, tuple(run.missing))
    # 4 of the order of writes above
    write_shard(work, job.shard, result)
    return _finish(job, worklist, work, run, result)


class _Run:
    """One pass over the videos of a shard."""

    def __init__(self, job: PrepareJob, worklist: Worklist, making: Path, done_log: DoneLog) -> None:
        self.done: list[str] = []
        self.failed: list[Failed] = []
        self.missing: list[str] = []
        self.num_kept = 0
        self._job, self._worklist, self._making, self._done_log = job, worklist, making, done_log

    def outcomes(self, paths: tuple[str, ...]) -> Iterator[Finished | Failed | None]:
        """Yields once per path: how its transcoding ended, or None where there was nothing to transcode."""
        spec = self._job.spec
        root = folder_root(self._job.source)
        # First all that need no transcoding, without any process being started; then the rest.
        sources = SourceFiles(root, spec, self._worklist.listed)
        tasks: list[tuple[TranscodeTask, Finished | None]] = []
        for path in paths:
            task = self._task(path, sources.find(path))
            known = self._done_log.get(path)
            if task is not None and not is_up_to_date(task, self._job.settings, known):
                tasks.append((task, known))
            elif task is not None or self._is_made(path, known):
                self.num_kept += 1
                self.done.append(path)
                yield None
            elif spec.copies_differ:
                self.missing.append(path)
                yield None
            else:
                is_other = (root / path).exists()
                reason = f"{root / path}: is no regular file" if is_other else f"not found below {self._job.source}"
                yield Failed(path, reason)
        # A shard of few videos may well be all missing or broken; only without any video is the folder surely wrong.
        if not (tasks or self.done) and (self._job.shard.count == 1 or not list_videos(root)):
            raise DatasetError(
                f"{self._job.source}: none of the {len(paths)} listed videos is here, for example {paths[0]}; "
                f"--source names the folder that holds the videos"
            )
        for outcome in transcode_all(tasks, self._job.settings, self._job.num_workers):
            if isinstance(outcome, Finished):
                # 3. Here, in the parent, as results come: one writer needs no lock.
                self._done_log.add(outcome)
                self.done.append(outcome.path)
            yield outcome

    def _task(self, path: str, source: Path | None) -> TranscodeTask | None:
        if source is None:
            return None
        target = self._job.output / self._worklist.targets[path]
        return TranscodeTask(path, source, target, self._making / self._worklist.work_name(path))

    def _is_made(self, path: str, known: Finished | None) -> bool:
        """The source is gone, but it was transcoded before."""
        if known is None or known.settings != self._job.settings.key:
            return False
        target = self._job.output / self._worklist.targets[path]
        return target.is_file() and target.stat().st_size == known.target_size


def _finish(job: PrepareJob, worklist: Worklist, work: Path, run: _Run, result: ShardResult) -> PrepareReport:
    # Two shards may end at the same moment; one of them merges after the other, with equal outcome.
    with FileLock(work / "merge.lock"):
        results = read_shards(work, job.shard.count, worklist.key)
        is_complete = len(results) == job.shard.count
        whole = merge_shards(results) if is_complete else result
        acceptable = whole.is_acceptable(job.max_broken)
        # 5
        manifests = worklist.write(job.output, whole, acceptable) if is_complete else {}
        if manifests and job.removes_unlisted:
            # After the manifest, which must never list what is gone.
            worklist.remove_unlisted(job.output)
    return PrepareReport(
        output=job.output,
        num_kept=run.num_kept,
        num_transcoded=len(run.done) - run.num_kept,
        result=whole,
        shards_done=tuple(sorted(results)),
        num_shards=job.shard.count,
        is_acceptable=acceptable,
        manifests=manifests,
    )
