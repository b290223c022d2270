"""The keys of a study file as typed records, before anything in them is looked up."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cdkd.config import Count, Record
from cdkd.metric_names import VALIDATION_TOP1
from cdkd.settings import TeacherArch

Name = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
Items = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class BestSettings(Record):
    """How a stage takes over what an earlier stage found best."""

    stage: str
    """An earlier stage."""
    metric: str = VALIDATION_TOP1
    """Compared by its mean over the seeds; of the validation part, never of the test part."""
    mode: Literal["max", "min"] = "max"
    """Whether more of the metric is better, or less."""
    among: dict[str, Any] = Field(default_factory=dict)
    """Axis -> label or labels: only these cells are candidates."""
    take: Annotated[tuple[str, ...], Items, Field(min_length=1)]
    """Dotted settings, or groups of them, that the later stage takes over."""


class RangeSettings(Record):
    """What a searched number may be."""

    low: float
    """The smallest value."""
    high: float
    """The largest value."""
    log: bool = False
    """Search by orders of magnitude."""
    step: Annotated[float, Field(gt=0.0)] | None = None
    """Only low, low + step, low + 2 step, ..."""


class SearchSettings(Record):
    """How a stage finds its cells one after the other."""

    sampler: Literal["tpe", "random", "qmc", "gp"] = "tpe"
    """Optuna's: tree-structured Parzen estimator, random, quasi-Monte Carlo, Gaussian process."""
    trials: Count = 30
    """How many suggestions; each is a cell per seed."""
    pruner: Literal["none", "median", "hyperband", "wilcoxon"] = "none"
    """Optuna's: median and hyperband end cells that are behind, by their validations; wilcoxon ends suggestions, by the
    seeds that are done."""
    metric: str = VALIDATION_TOP1
    """What is maximised, by its mean over the seeds; of the validation part, never of the test part."""
    over: Annotated[dict[str, Any], Field(min_length=1)]
    """Setting -> {low, high, log, step}, or a list of values."""
    seeds: Any = None
    """A count, or different numbers; without: the first of the study's."""
    startup: Count | None = None
    """Suggestions at random before the sampler learns from results; without: a third of the trials, 10 at most."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the sampler."""


class StageSettings(Record):
    """One stage as it stands in the file."""

    name: str
    """Names the stage in lists, in MLflow, and where a later stage takes over its best."""
    best: BestSettings | None = None
    """What the stage takes over from an earlier one."""
    search: SearchSettings | None = None
    """In place of axes and rows: suggestions, each made from the results of those before."""
    base: dict[Any, Any] = Field(default_factory=dict)
    """What this stage's cells have in common; wins over the study's base and over what is taken."""
    axes: dict[Any, Any] = Field(default_factory=dict)
    """Their product makes the cells: setting -> its values, or name -> label -> settings that change together."""
    zip: Annotated[tuple[dict[Any, Any], ...], Items] = ()
    """Groups of axes that advance together, first value with first value; each group is one factor of the product."""
    rows: dict[Any, Any] = Field(default_factory=dict)
    """Cells beside the product: label -> settings."""
    exclude: Annotated[tuple[dict[str, Any], ...], Items] = ()
    """Combinations that the product leaves out: axis -> label or labels."""
    when: dict[Any, Any] = Field(default_factory=dict)
    """Axis or row -> where it applies: label or labels of an axis before it, value or values of a setting."""


class StudySettings(Record):
    """The file's top level."""

    study: str
    """Names the folder .cdkd/<study> and the MLflow experiment."""
    extends: str | None = None
    """Another study, as a file or by name, whose keys hold where this file does not give its own."""
    description: str = ""
    """One sentence."""
    tables: Annotated[tuple[Name, ...], Items] = ()
    """Tables that the finished sweep prints; YAML reads the names of the paper's as numbers."""
    recipe: str | None = None
    """Name or path of the recipe that every cell on the recipe's data set stands on."""
    teachers: dict[str, str] = Field(default_factory=dict)
    """Architecture -> file of the teacher, or of what a recipe trains it from."""
    only_with_file: Annotated[tuple[TeacherArch, ...], Items] = ()
    """Teachers whose cells are part of the study only where their file is given."""
    base: dict[Any, Any] = Field(default_factory=dict)
    """Settings of every cell, nested or by dotted keys."""
    seeds: Any = 1
    """A count, or different numbers."""
    stages: Annotated[tuple[dict[Any, Any], ...], Items, Field(min_length=1)]
    """Worked off in their order."""
