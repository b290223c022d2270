"""A study file becomes a frozen `Study`; every mistake in it is an error with file, line, key and remedy.

A study file, by example (all but `study` and `stages` may be left out):

    study: lambda                        # names the folder .cdkd/lambda and the MLflow experiment
    extends: ablation.yaml               # another study, whose keys hold where this one gives none
    description: One sentence.
    tables: [5]                          # tables that the finished sweep prints, as for cdkd report --table
    recipe: ucf101                       # what cells on its data set stand on (cdkd recipes lists them); or a path
    teachers: {tsm: tsm.safetensors}     # a teacher's file by architecture, as --teacher gives it
    only_with_file: [s3d]                # teachers whose cells are there only where their file is given
    base: {data: {name: shapes}}         # settings that differ from the defaults; nested or dotted keys
    seeds: 3                             # 0, 1, 2; or a list: [7, 11]
    stages:
      - name: first
        axes:                            # their product, the last axis running fastest
          network:                       # labelled axis: label -> settings that change together
            TSM: {student.arch: tsm, teacher.arch: tsm}
            TDN: {student.arch: tdn, teacher.arch: tdn}
          distill.spatial.weight: [0.01, 0.1, 1]      # plain axis: one setting, its values
        zip:                             # axes that go together: (1, 32), (2, 16); a further factor of the product
          - {data.gops_per_clip: [1, 2], train.batch_size: [32, 16]}
        exclude:                         # combinations that the product leaves out
          - {network: TDN, distill.spatial.weight: 1}
        when:                            # where an axis or a row applies; elsewhere the product goes on without it
          distill.spatial.weight: {network: TSM}
        rows:                            # cells beside the product: label -> settings
          baseline: {student.decoder: false, student.head: streams}
      - name: refined
        search:                          # in place of axes and rows: suggestions of an Optuna sampler
          sampler: tpe                   # tpe, random, qmc or gp
          trials: 30
          pruner: median                 # median, hyperband, wilcoxon or none
          over: {distill.spatial.weight: {low: 0.01, high: 1, log: true}}
      - name: second
        best:                            # starts from what an earlier stage found best ...
          stage: first
          metric: validation/top1        # ... by this metric's mean over the seeds; never a test metric
          mode: max
          among: {network: TSM}          # ... among these of its cells
          take: [distill.spatial.weight] # ... and takes over these settings
        base: {student.gate: uniform}    # what this stage's cells have in common
        axes: {distill.temporal.weight: [0.1, 1, 5]}

Overrides win from left to right: recipe, study's base, what is taken over, stage's base, axis by axis.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cdkd.config import ConfigError, Document, build_record, parse_override
from cdkd.experiment.recipe import load_recipe
from cdkd.experiment.underlay import Underlay
from cdkd.metric_names import VALIDATION, current_name
from cdkd.overrides import check_overrides, find_field
from cdkd.settings import TEACHERS
from cdkd.suggestion import hint
from cdkd.sweep.study.axes import fail_at, read_conditions, read_dimensions, read_filter, read_labelled
from cdkd.sweep.study.file_records import BestSettings, SearchSettings, StageSettings, StudySettings
from cdkd.sweep.study.inheritance import load_inherited
from cdkd.sweep.study.records import Best, LabelFilter, Stage, Study
from cdkd.sweep.study.search_space import read_search
from cdkd.sweep.study.seeds import file_seeds, option_seeds

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def load_study(
    path: Path,
    settings: Sequence[str] = (),
    seeds: str | None = None,
    recipe: str | None = None,
    teachers: Mapping[str, str] | None = None,
) -> Study:
    """Reads and checks a study file.

    Args:
        path: the file.
        settings: `dotted.key=value` texts that change the study's base.
        seeds: replaces the study's seeds: a count, or numbers between commas.
        recipe: name or path of the recipe to stand on instead of the study's, on whatever data set.
        teachers: architecture -> file; wins over the study's and the recipe's.

    Raises:
        ConfigError: names file, line, key and remedy.
    """
    document = load_inherited(path)
    content = build_record(StudySettings, document.values, document)
    if not _NAME.fullmatch(content.study):
        raise document.error(("study",), f"letters, digits, '.', '_' and '-' only, not {content.study!r}")
    base = check_overrides(content.base, fail_at(document, ("base",)))
    numbers = option_seeds(seeds) if seeds is not None else file_seeds(document, ("seeds",), content.seeds)
    stages: list[Stage] = []
    for index, values in enumerate(content.stages):
        stages.append(_stage(document, index, values, stages, numbers))
    study = Study(
        name=content.study,
        description=content.description,
        tables=content.tables,
        base=base,
        seeds=numbers,
        stages=tuple(stages),
        underlay=_underlay(document, content, recipe, teachers or {}),
        only_with_file=frozenset(content.only_with_file),
        source=_source(document),
    )
    return _with_settings(study, settings)


def _source(document: Document) -> str:
    if "extends" not in document.values:
        return document.path.read_text(encoding="utf-8")
    values = {key: value for key, value in document.values.items() if key != "extends"}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def _underlay(document: Document, content: StudySettings, recipe: str | None, teachers: Mapping[str, str]) -> Underlay:
    for arch in content.teachers:
        if arch not in TEACHERS:
            raise document.error(("teachers", arch), f"no such network; {hint(arch, TEACHERS, 'networks')}")
    # A study's own recipe may lie beside the file that names it, which may be one that this study extends; what the
    # command names is meant from where it is typed.
    own_file, _ = document.places.get(("recipe",), (document.path, 1))
    name, beside = (recipe, None) if recipe is not None else (content.recipe, own_file)
    used = None if name is None else load_recipe(name, beside)
    return Underlay.of(used, content.teachers, teachers, is_asked=recipe is not None)


def _stage(
    document: Document, index: int, values: Mapping[Any, Any], earlier: Sequence[Stage], seeds: tuple[int, ...]
) -> Stage:
    here = ("stages", str(index))
    # On their own first, so that a misspelt key of theirs is told as one.
    for key, record in (("best", BestSettings), ("search", SearchSettings)):
        if isinstance(values.get(key), Mapping):
            build_record(record, values[key], document, (*here, key))
    content = build_record(StageSettings, values, document, here)
    if not _NAME.fullmatch(content.name):
        raise document.error((*here, "name"), f"letters, digits, '.', '_' and '-' only, not {content.name!r}")
    if content.name in {stage.name for stage in earlier} | {"teachers"}:
        raise document.error((*here, "name"), f"'{content.name}' is taken; stages need names of their own")
    if content.search is not None:
        for key in ("axes", "zip", "rows", "exclude", "when"):
            if getattr(content, key):
                raise document.error((*here, key), "a stage that searches finds its cells itself; list them in another")
    dimensions = read_dimensions(document, here, content.axes, content.zip)
    rows = read_labelled(document, (*here, "rows"), content.rows)
    labels = {axis.name: [label for label, _ in axis.values] for dimension in dimensions for axis in dimension}
    excluded = tuple(
        read_filter(document, (*here, "exclude", str(number)), entry, labels)
        for number, entry in enumerate(content.exclude)
    )
    return Stage(
        name=content.name,
        base=check_overrides(content.base, fail_at(document, (*here, "base"))),
        dimensions=dimensions,
        rows=rows,
        excluded=excluded,
        best=None if content.best is None else _best(document, (*here, "best"), content.best, earlier),
        where=document.where((*here, "name")),
        conditions=read_conditions(document, (*here, "when"), content.when, dimensions, rows),
        search=None if content.search is None else read_search(document, (*here, "search"), content.search, seeds),
    )


def _best(document: Document, here: tuple[str, ...], content: BestSettings, earlier: Sequence[Stage]) -> Best:
    source = next((stage for stage in earlier if stage.name == content.stage), None)
    if source is None:
        names = [stage.name for stage in earlier]
        text = f"no earlier stage '{content.stage}'; {hint(content.stage, names, 'stages')}"
        raise document.error((*here, "stage"), text)
    if not current_name(content.metric).startswith(VALIDATION):
        raise document.error(
            (*here, "metric"),
            f"'{content.metric}' may not decide anything: choose on the validation part, for example validation/top1",
        )
    for number, dotted in enumerate(content.take):
        problem = find_field(dotted)
        if isinstance(problem, str) or dotted == "seed":
            raise document.error((*here, "take", str(number)), problem if isinstance(problem, str) else "not a choice")
    among = LabelFilter(())
    if content.among:
        among = read_filter(document, (*here, "among"), content.among, source.labels)
    is_asked = "metric" in content.model_fields_set
    metric = source.search.metric if source.search is not None and not is_asked else current_name(content.metric)
    return Best(content.stage, metric, content.mode, among, content.take)


def _with_settings(study: Study, settings: Sequence[str]) -> Study:
    overrides: dict[str, Any] = {}
    for text in settings:
        key, value = parse_override(text)

        def fail(path: tuple[str, ...], message: str, text: str = text) -> ConfigError:
            return ConfigError(f"--set {text}: {message}")

        checked = check_overrides({key: value}, fail)
        for dotted in checked:
            for stage in study.stages:
                _refuse_clash(stage, dotted, text)
        overrides |= checked
    return Study(**{**vars(study), "base": {**study.base, **overrides}})


def _refuse_clash(stage: Stage, dotted: str, text: str) -> None:
    """A setting that the study itself varies cannot be overridden for all cells at once."""
    places = [(f"axis '{axis.name}'", values) for axis in stage.axes for _, values in axis.values]
    places += [(f"row '{label}'", values) for label, values in stage.rows]
    places.append(("base", stage.base))
    if stage.search is not None:
        places.append(("search", {one.setting: None for one in stage.search.over}))
    if stage.best is not None:
        places.append(("choice", dict.fromkeys(stage.best.take)))
    for name, values in places:
        if dotted in values or any(dotted.startswith(f"{group}.") for group in values):
            raise ConfigError(f"--set {text}: the {name} of stage '{stage.name}' sets {dotted} ({stage.where})")
