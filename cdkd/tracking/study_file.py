"""One portable file that holds a study's runs as a tracking store has them.

    study.zip
      manifest.json                    what the file is, its version, who wrote it, the experiments
      runs.json                        a record per run: times, status, tags (identity, provenance), settings
      metrics.csv                      run_id,name,step,unix_ms,value: every value of every metric
      files/<run id>/<folder>/<name>   what runs keep: scores of each test video, configuration, plans, logs

Everything else, such as a run's last accuracy, follows from these. Equal runs give equal bytes.
"""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cdkd import __version__
from cdkd.tracking.store import TrackingError

KIND = "cdkd study"
VERSION = 1
"""Of the form of the file; a reader refuses those above its own."""

_MANIFEST, _RUNS, _METRICS, _FILES = "manifest.json", "runs.json", "metrics.csv", "files"
_METRIC_COLUMNS = ["run_id", "name", "step", "unix_ms", "value"]
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The time stamp of all members, the earliest that a zip knows: the file depends on its content alone."""


class StudyFileError(TrackingError):
    """A file holds no study, or not all of it; the text names the file and the remedy."""


@dataclass(frozen=True)
class StoredMetric:
    """One value of one metric."""

    name: str
    step: int
    """Epoch, counted from 1."""
    unix_ms: int
    value: float


@dataclass(frozen=True)
class StoredDataset:
    """A data set that a run has read, as the store shows it."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str
    context: str
    """What the run read it for."""


@dataclass(frozen=True)
class StoredRun:
    """A run as the store has it, without its metrics and the content of its files."""

    run_id: str
    experiment: str
    """Name of the experiment, which is the study that trained it."""
    name: str
    status: str
    """MLflow's word."""
    started_ms: int
    ended_ms: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    files: tuple[str, ...]
    """What it keeps, by path below its artifacts."""
    datasets: tuple[StoredDataset, ...] = ()

    @property
    def is_open(self) -> bool:
        """It had no end when the file was written; an earlier end may be known of a stage that goes on."""
        return self.status == "RUNNING" or self.ended_ms is None


@dataclass(frozen=True)
class Manifest:
    """What a file says of itself."""

    study: str
    experiments: Mapping[str, Mapping[str, str]]
    """Name -> tags; the study's own first, then those of studies that it has taken runs over from."""
    written_by: str = __version__
    kind: str = KIND
    version: int = VERSION


class StudyFileWriter:
    """Writes a file, run by run, to a stream; `close` makes it whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED)
        self._runs: list[StoredRun] = []
        self._metrics = io.StringIO()
        self._rows = csv.writer(self._metrics, lineterminator="\n")
        self._rows.writerow(_METRIC_COLUMNS)

    def add_run(self, run: StoredRun, metrics: Iterable[StoredMetric], content: Mapping[str, Path]) -> None:
        """Adds a run.

        Args:
            run: its record, which lists its files.
            metrics: all of its values.
            content: for each of its files, where that lies now.
        """
        self._runs.append(run)
        for each in metrics:
            # `repr` is the shortest text that reads back as the same number.
            self._rows.writerow([run.run_id, each.name, each.step, each.unix_ms, repr(each.value)])
        for name in run.files:
            with (
                content[name].open("rb") as source,
                self._archive.open(_member(f"{_FILES}/{run.run_id}/{name}"), "w") as to,
            ):
                while block := source.read(1 << 20):
                    to.write(block)

    def close(self, manifest: Manifest) -> None:
        """Adds what concerns all runs, and ends the archive."""
        self._archive.writestr(_member(_METRICS), self._metrics.getvalue())
        for name, record in ((_RUNS, [asdict(run) for run in self._runs]), (_MANIFEST, asdict(manifest))):
            self._archive.writestr(_member(name), json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        self._archive.close()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _MOMENT)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


class StudyFile:
    """A file to read from.

    Raises:
        StudyFileError: it is no such file, was written by a later version, or is damaged; methods raise it too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except OSError as error:
            raise StudyFileError(f"{path}: cannot be read: {error.strerror or error}") from error
        except zipfile.BadZipFile as error:
            raise StudyFileError(f"{path}: {self._foreign}, or only a part of it: {error}") from error
        self.manifest = self._read_manifest()

    @property
    def _foreign(self) -> str:
        return "is no file that cdkd study export has written"

    def _damaged(self, why: object) -> StudyFileError:
        return StudyFileError(
            f"{self.path}: is damaged ({why}): copy it again, or write it again with cdkd study export"
        )

    def _bytes(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        # What a wrong byte leads to depends on where it stands.
        except (KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise self._damaged(f"{name}: {error}") from error

    def _read_manifest(self) -> Manifest:
        if _MANIFEST not in self._archive.namelist():
            raise StudyFileError(f"{self.path}: {self._foreign}: it holds no {_MANIFEST}")
        try:
            record = json.loads(self._bytes(_MANIFEST))
            if not isinstance(record, dict) or record.get("kind") != KIND:
                raise StudyFileError(f"{self.path}: {self._foreign}: its {_MANIFEST} is another program's")
            if int(record["version"]) > VERSION:
                writer = f"cdkd {record.get('written_by')} in version {record['version']} of the format"
                raise StudyFileError(
                    f"{self.path}: was written by {writer}; this cdkd ({__version__}) reads up to version {VERSION}: "
                    "update cdkd"
                )
            return Manifest(**record)
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"{_MANIFEST}: {error}") from error

    @cached_property
    def runs(self) -> tuple[StoredRun, ...]:
        """All runs, in the order in which they were written."""
        try:
            runs = tuple(_stored_run(each) for each in json.loads(self._bytes(_RUNS)))
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"{_RUNS}: {error}") from error
        for run in runs:
            if run.experiment not in self.manifest.experiments:
                raise self._damaged(f"run {run.run_id} is of an unknown study")
            for name in run.files:
                # A path that leads out of the run's folder would write anywhere when the file is read on.
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise self._damaged(f"run {run.run_id} has a file called {name}")
        return runs

    @cached_property
    def metrics(self) -> dict[str, list[StoredMetric]]:
        """Every value of every metric, by run id."""
        found: dict[str, list[StoredMetric]] = {run.run_id: [] for run in self.runs}
        try:
            lines = csv.reader(self._bytes(_METRICS).decode("utf-8").splitlines())
            if next(lines, None) != _METRIC_COLUMNS:
                raise ValueError("other columns")
            for run_id, name, step, unix_ms, value in lines:
                found[run_id].append(StoredMetric(name, int(step), int(unix_ms), float(value)))
        except (KeyError, ValueError) as error:
            raise self._damaged(f"{_METRICS}: {error}") from error
        return found

    def content(self, run: StoredRun, name: str) -> bytes:
        """The content of one of a run's files."""
        return self._bytes(f"{_FILES}/{run.run_id}/{name}")

    def check(self) -> None:
        """Reads all of it once, so that what is wrong with it shows before anything is made of it."""
        for run in self.runs:
            for name in run.files:
                self.content(run, name)
        _ = self.metrics


def _stored_run(record: Mapping[str, Any]) -> StoredRun:
    datasets = tuple(StoredDataset(**each) for each in record.get("datasets", ()))
    return StoredRun(**{**record, "files": tuple(record["files"]), "datasets": datasets})
