"""A recipe file becomes a frozen `Recipe`: the settings of whole runs on a data set, each with its source.

A recipe file, by example (all but `recipe` may be left out):

    recipe: mine                      # its name, which its runs are tagged with
    description: One sentence.
    extends: ucf101                   # another recipe that this one changes, by name or path
    teacher_files: start              # what `--teacher ARCH=FILE` names: the start of a fine-tuning, the teacher
                                      # itself (checkpoint), or one that may be left out (optional start,
                                      # optional checkpoint)
    teachers: {tsm: tsm.safetensors}  # such files, for who gives none
    common:                           # settings of all networks, in groups of one source
      - source: paper, section 3.1
        values: {data: {input_size: 224}}
    tsm:                              # of one network; wins over `common`. teacher.* goes by teacher.arch,
      - source: the authors' README   # all else by student.arch
        values: {teacher.train.learning_rate: 0.001}
    s3d, r2plus1d_18:                 # of several
      - source: our choice
        values: {teacher.dropout: 0.5}
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from cdkd.config import ConfigError, Document, Record, build_record, load_document
from cdkd.overrides import check_overrides
from cdkd.settings import TEACHERS, StudentSettings
from cdkd.suggestion import hint
from cdkd.yaml_files import RECIPES, find_yaml, shipped_folders

COMMON = "common"
"""Section of the settings that hold for all networks."""
STUDENTS: tuple[str, ...] = get_args(StudentSettings.model_fields["arch"].annotation)
"""Architectures of students; the others are teachers only."""
NETWORKS = tuple(dict.fromkeys([*STUDENTS, *TEACHERS]))

TeacherFiles = Literal["start", "checkpoint", "optional start", "optional checkpoint"]
_BY_THE_STUDY = ("student.arch", "teacher.arch")
_Items = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class RecipeError(ConfigError):
    """A recipe is wrong, or misses something that a run needs."""


class GroupSettings(Record):
    """Settings of one source."""

    source: Annotated[str, Field(min_length=1)]
    """Where the values come from: paper, authors' code, or our choice and why."""
    values: dict[Any, Any]


class RecipeSettings(Record):
    """A recipe's file without the sections of single networks."""

    recipe: str
    description: str = ""
    extends: str | None = None
    teacher_files: TeacherFiles | None = None
    teachers: dict[str, str] = Field(default_factory=dict)
    common: Annotated[tuple[dict[Any, Any], ...], _Items] = ()


@dataclass(frozen=True)
class Entry:
    """One setting of a recipe."""

    section: str
    """COMMON, or a network."""
    key: str
    value: Any
    source: str
    recipe: str
    """The recipe in which it stands: this one, or one that it extends."""


@dataclass(frozen=True)
class Recipe:
    """The settings of whole runs on one data set."""

    name: str
    description: str
    path: Path
    teacher_files: TeacherFiles
    teachers: Mapping[str, str]
    """Architecture -> file."""
    layers: tuple[tuple[Entry, ...], ...]
    """What each file says, the most basic one first; later ones win."""

    @cached_property
    def networks(self) -> frozenset[str]:
        """Those with a section of their own."""
        return frozenset(entry.section for layer in self.layers for entry in layer) - {COMMON}

    def layers_for(self, student: str, teacher: str) -> list[dict[str, Any]]:
        """The settings of each file for a run's two networks: `teacher.*` goes by the teacher, all else by the student.

        Args:
            student: `student.arch`.
            teacher: `teacher.arch`.
        """
        return [{entry.key: entry.value for entry in self._of(layer, student, teacher)} for layer in self.layers]

    @staticmethod
    def _of(layer: tuple[Entry, ...], student: str, teacher: str) -> Iterator[Entry]:
        yield from (entry for entry in layer if entry.section == COMMON)
        for entry in layer:
            if entry.section == (teacher if entry.key.startswith("teacher.") else student):
                yield entry

    def sections(self) -> dict[str, list[Entry]]:
        """Section -> what holds there in the end, by key; for those who read it."""
        found: dict[str, dict[str, Entry]] = {section: {} for section in (COMMON, *NETWORKS)}
        for layer in self.layers:
            for entry in layer:
                found[entry.section].pop(entry.key, None)
                found[entry.section][entry.key] = entry
        return {section: list(entries.values()) for section, entries in found.items() if entries}


def load_recipe(name: str, beside: Path | None = None) -> Recipe:
    """The recipe of a name or path: as given, in ./sweeps/recipes, or among those of cdkd.

    Args:
        name: as given; `.yaml` may be left out.
        beside: a file that names it: its folder comes first.

    Raises:
        ConfigError: there is none, or it is wrong; names file, line, key and remedy.
    """
    return _load(find_yaml(name, RECIPES, "recipe", beside), ())


def known_recipes() -> list[str]:
    """Names of the recipes in ./sweeps/recipes and of those that come with cdkd."""
    return sorted({file.stem for place in (RECIPES, *shipped_folders(RECIPES)) for file in place.glob("*.yaml")})


def _load(path: Path, extending: tuple[Path, ...]) -> Recipe:
    document = load_document(path)
    known = RecipeSettings.model_fields
    own = {key: value for key, value in document.values.items() if key in known or not _archs(key)}
    content = build_record(RecipeSettings, own, document)
    for arch in content.teachers:
        if arch not in TEACHERS:
            raise document.error(("teachers", arch), f"no such network; {hint(arch, TEACHERS, 'networks')}")
    entries = tuple(_entries(document, content, [key for key in document.values if key not in own]))
    basis = _basis(document, content.extends, (*extending, path.resolve()))
    return Recipe(
        name=content.recipe,
        description=content.description or (basis.description if basis else ""),
        path=path,
        teacher_files=content.teacher_files or (basis.teacher_files if basis else "optional start"),
        teachers={**(basis.teachers if basis else {}), **content.teachers},
        layers=(*(basis.layers if basis else ()), entries),
    )


def _basis(document: Document, name: str | None, extending: tuple[Path, ...]) -> Recipe | None:
    if name is None:
        return None
    try:
        path = find_yaml(name, RECIPES, "recipe", document.path)
    except ConfigError as error:
        raise document.error(("extends",), str(error)) from error
    if path.resolve() in extending:
        raise document.error(("extends",), "the recipes extend each other in a circle")
    return _load(path, extending)


def _archs(section: Any) -> list[str]:
    """The networks that a key of the file names; none where it names anything else."""
    names = [name.strip() for name in str(section).split(",")]
    return names if all(name in NETWORKS for name in names) else []


def _entries(document: Document, content: RecipeSettings, sections: list[str]) -> Iterator[Entry]:
    seen: set[tuple[str, str]] = set()
    for key in (COMMON, *sections):
        groups = document.values.get(key) or []
        if not isinstance(groups, list):
            raise document.error((key,), "a list of groups, each with a source and its values, is expected")
        for index, group in enumerate(groups):
            here = (key, str(index))
            if not isinstance(group, dict):
                raise document.error(here, "a group is a mapping with the keys source and values")
            read = build_record(GroupSettings, group, document, here)

            def fail(path: tuple[str, ...], text: str, here: tuple[str, ...] = here) -> ConfigError:
                return document.error((*here, "values", *path), text)

            for dotted, value in check_overrides(read.values, fail).items():
                for section in [COMMON] if key == COMMON else _archs(key):
                    if reason := _unsuitable(section, dotted, (section, dotted) in seen):
                        raise fail((dotted,), reason)
                    seen.add((section, dotted))
                    yield Entry(section, dotted, value, " ".join(read.source.split()), content.recipe)


def _unsuitable(section: str, dotted: str, is_repeated: bool) -> str:
    if dotted in _BY_THE_STUDY:
        return "a study says which networks there are, a recipe how they are trained"
    if section not in (COMMON, *STUDENTS) and not dotted.startswith("teacher."):
        return f"{section} is a teacher: only settings teacher.* can stand here"
    return f"{dotted} is given twice in section {section}" if is_repeated else ""
