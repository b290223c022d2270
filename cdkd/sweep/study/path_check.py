"""What a study's cells need on disk and do not find: told by the plan, before anything is trained."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cdkd.data.annotations.catalog import dataset_spec
from cdkd.data.manifest import DatasetError, has_manifest
from cdkd.data.opening import locate
from cdkd.data.unlabelled import check_unlabelled
from cdkd.errors import CdkdError
from cdkd.models.weights.description import load_description
from cdkd.settings import DataSettings
from cdkd.sweep.study.cell import Cell


def path_problems(cells: Iterable[Cell]) -> list[str]:
    """Data sets and unlabelled videos that are not there or do not fit, files that are no teachers, each once.

    That a file of weights is missing at all, a cell's identity has found before: it holds the file's hash.
    """
    data: dict[str, DataSettings] = {}
    unlabelled: dict[str, DataSettings] = {}
    files: dict[str, str] = {}
    for cell in cells:
        data.setdefault(cell.config.data.model_dump_json(), cell.config.data)
        if cell.config.unlabelled_per_step:
            unlabelled.setdefault(cell.config.data.model_dump_json(), cell.config.data)
        teacher = cell.config.teacher
        if cell.config.uses_teacher:
            files |= {path: "teacher.members" for path in teacher.members}
            files |= {teacher.checkpoint: "teacher.checkpoint"} if teacher.checkpoint else {}
    found = [problem for settings in data.values() for problem in _data_problems(settings)]
    found += [problem for settings in unlabelled.values() for problem in _unlabelled_problems(settings)]
    return list(
        dict.fromkeys(found + [problem for path, key in files.items() for problem in _file_problems(key, path)])
    )


def _data_problems(settings: DataSettings) -> Iterator[str]:
    spec = dataset_spec(settings.name)
    if spec.origin == "generated":
        return
    try:
        folder = locate(spec, settings.root)
    except DatasetError as error:
        yield str(error)
        return
    if spec.origin == "published" and not has_manifest(folder):
        yield (
            f"data.root={folder}: holds no prepared data set; "
            f"cdkd data prepare {spec.name} --source {folder} --output DIR"
        )


def _unlabelled_problems(settings: DataSettings) -> Iterator[str]:
    try:
        check_unlabelled(settings)
    except DatasetError as error:
        yield str(error)


def _file_problems(key: str, path: str) -> Iterator[str]:
    try:
        load_description(Path(path))
    except CdkdError as error:
        yield f"{key}: {error}"
