"""Strict reading of study files: what is accepted, and the exact words of what is not."""

from pathlib import Path

import pytest

from cdkd.config import ConfigError
from cdkd.sweep.study.reading import load_study
from cdkd.sweep.study.records import Range

GOOD = """\
study: mine
tables: [4, methods]
base: {train: {epochs: 7}, data.frames_per_gop: 3}
seeds: [7, 11]
stages:
  - name: rows
    axes:
      network:
        TSM: {student.arch: tsm}
        TDN: {student.arch: tdn}
      distill.spatial.weight: [0, 0.01, 1]
    exclude: [{network: TDN, distill.spatial.weight: [0, 1]}]
    zip: [{data.gops_per_clip: [1, 2], train.batch_size: [8, 8]}]
    rows:
      plain:
    when: {distill.spatial.weight: {network: TSM}, plain: {data.name: [shapes, folder]}}
  - name: next
    best: {stage: rows, among: {network: TSM}, take: [distill.spatial.weight]}
    base: {distill.logits.enabled: true}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "s.yaml"
    file.write_text(text)
    return file


def test_a_study_is_read_as_written(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, GOOD))
    assert (study.name, study.tables, study.seeds) == ("mine", ("4", "methods"), (7, 11))
    assert study.base == {"train.epochs": 7, "data.frames_per_gop": 3}
    rows, following = study.stages
    assert [[axis.name for axis in dimension] for dimension in rows.dimensions] == [
        ["network"], ["distill.spatial.weight"], ["data.gops_per_clip", "train.batch_size"],
    ]  # fmt: skip
    assert [label for label, _ in rows.axes[3].values] == ["8", "8"]
    # Integers become the setting's own type, so that 0 and 0.0 are one value.
    assert rows.axes[1].values == (
        ("0", {"distill.spatial.weight": 0.0}),
        ("0.01", {"distill.spatial.weight": 0.01}),
        ("1", {"distill.spatial.weight": 1.0}),
    )
    assert type(rows.axes[1].values[0][1]["distill.spatial.weight"]) is float
    assert rows.rows == (("plain", {}),)
    assert rows.excluded[0].selects({"network": "TDN", "distill.spatial.weight": "1"})
    assert not rows.excluded[0].selects({"network": "TDN", "distill.spatial.weight": "0.01"})
    assert rows.conditions["distill.spatial.weight"].labels.labels == (("network", frozenset({"TSM"})),)
    assert rows.conditions["plain"].settings == (("data.name", ("shapes", "folder")),)
    assert following.best is not None
    assert (following.best.metric, following.best.mode) == ("validation/top1", "max")
    assert following.base == {"distill.logits.enabled": True}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("study: mine", "stduy: mine", "1: stduy: unknown key; did you mean 'study'?"),
        ("study: mine", "study: a/b", "1: study: letters, digits, '.', '_' and '-' only, not 'a/b'"),
        ("study: mine\n", "", "1: study: required, but not given"),
        ("[4, methods]", "[4.5]", "2: tables.0: Input should be a valid string, not 4.5"),
        ("[4, methods]", "4", "2: tables: Input should be a valid tuple, not 4"),
        (
            "epochs: 7",
            "epoch: 7",
            "3: base.train.epoch: unknown setting 'train.epoch'; did you mean 'train.epochs'?",
        ),
        ("epochs: 7", "epochs: many", "3: base.train.epochs: Input should be a valid integer, not 'many'"),
        ("epochs: 7", "epochs: true", "3: base.train.epochs: Input should be a valid integer, not True"),
        (
            "epochs: 7",
            "learning_rate: 1e-3",
            "3: base.train.learning_rate: Input should be a valid number, not '1e-3' "
            "(YAML reads this as text; write 0.001)",
        ),
        (
            "data.frames_per_gop: 3",
            "train.epochs.more: 3",
            "3: base.train.epochs.more: 'train.epochs' is a value, not a group of settings",
        ),
        ("data.frames_per_gop: 3", "train.epochs: 3", "3: base.train.epochs: train.epochs is given twice"),
        (
            "data.frames_per_gop: 3",
            "seed: 3",
            "3: base.seed: seeds are an axis of their own: use the study's 'seeds', or --seeds",
        ),
        ("[7, 11]", "[7, 7]", "4: seeds: a count of at least 1, or a list of different numbers, not [7, 7]"),
        ("[7, 11]", "0", "4: seeds: a count of at least 1, or a list of different numbers, not 0"),
        ("[7, 11]", "[a]", "4: seeds: a count of at least 1, or a list of different numbers, not ['a']"),
        ("axes:", "axs:", "7: stages.0.axs: unknown key; did you mean 'axes'?"),
        (
            "student.arch: tdn",
            "student.arch: tdm",
            "10: stages.0.axes.network.TDN.student.arch: Input should be 'tsm' or 'tdn', not 'tdm'",
        ),
        ("TDN: {", "no: {", "8: stages.0.axes.network.False: YAML reads this label as False; put it in quotes"),
        ("[0, 0.01, 1]", "[]", "11: stages.0.axes.distill.spatial.weight: an axis is a list of values, or a mapping "
         "of labels to settings"),
        ("[0, 0.01, 1]", "[1, 1.0]", "11: stages.0.axes.distill.spatial.weight.1: the value 1 is given twice"),
        ("[0, 0.01, 1]", "[-1]", "11: stages.0.axes.distill.spatial.weight.0: Input should be greater than or equal "
         "to 0, not -1"),
        ("network: TDN,", "netwrok: TDN,", "12: stages.0.exclude.0.netwrok: no such axis; did you mean 'network'?"),
        ("network: TDN,", "network: X,", "12: stages.0.exclude.0.network: no label 'X'; known labels: TSM, TDN"),
        ("[8, 8]", "[8]", "13: stages.0.zip.0: axes that go together need equally many values: data.gops_per_clip "
         "has 2, train.batch_size has 1"),
        (", train.batch_size: [8, 8]", "", "13: stages.0.zip.0: at least two axes go together; one alone belongs "
         "under 'axes'"),
        ("data.gops_per_clip", "network", "13: stages.0.zip.0.network.0: unknown setting 'network'"),
        ("data.gops_per_clip", "distill.spatial.weight", "13: stages.0.zip.0.distill.spatial.weight: this axis is "
         "given twice in the stage"),
        ("when: {distill", "when: {netwrok: {seed: 1}, distill", "16: stages.0.when.netwrok: no such axis or row; did "
         "you mean 'network'?"),
        ("when: {distill", "when: {train.batch_size: {network: TSM}, distill", "16: stages.0.when.train.batch_size: "
         "axes that go together apply everywhere: give a condition to one alone"),
        ("{network: TSM}, plain", "{network: TSN}, plain", "16: stages.0.when.distill.spatial.weight.network: no label "
         "'TSN'; did you mean 'TSM'?"),
        ("{network: TSM}, plain", "{data.gops_per_clip: 1}, plain", "16: stages.0.when.distill.spatial.weight."
         "data.gops_per_clip: decides only over axes that stand behind it in the stage"),
        ("{network: TSM}, plain", "3, plain", "16: stages.0.when.distill.spatial.weight: a mapping of axes or settings "
         "to what they have to be"),
        ("{network: TSM}, plain", "{data: 3}, plain", "16: stages.0.when.distill.spatial.weight.data: a group of "
         "settings"),
        ("{data.name: [shapes, folder]}", "{network: TSM}", "16: stages.0.when.plain.network: decides only over axes "
         "that stand behind it in the stage"),
        ("shapes, folder", "shape", "16: stages.0.when.plain.data.name: Input should be"),
        ("plain:", "plain: 3", "15: stages.0.rows.plain: a mapping of settings, such as "
         "{distill.spatial.weight: 0.1}, not 3"),
        ("name: next", "name: rows", "17: stages.1.name: 'rows' is taken; stages need names of their own"),
        ("name: next", "name: teachers", "17: stages.1.name: 'teachers' is taken; stages need names of their own"),
        ("stage: rows", "stage: row", "18: stages.1.best.stage: no earlier stage 'row'; did you mean 'rows'?"),
        (
            "{stage: rows,",
            "{stage: rows, metric: test/top1,",
            "18: stages.1.best.metric: 'test/top1' may not decide anything: choose on the validation part, "
            "for example validation/top1",
        ),
        (
            "[distill.spatial.weight]}",
            "[distill.spatial.wieght]}",
            "18: stages.1.best.take.0: unknown setting 'distill.spatial.wieght'; "
            "did you mean 'distill.spatial.weight'?",
        ),
        ("take: [", "takes: [", "18: stages.1.best.takes: unknown key; did you mean 'take'?"),
    ],
)  # fmt: skip
def test_every_mistake_is_named_with_its_line_and_remedy(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) >= 1
    file = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_study(file)
    assert str(caught.value).startswith(f"{file}:{message}")


SEARCH = """\
study: mine
seeds: [3, 5]
stages:
  - name: a
    search: {trials: 9, over: {distill.spatial.weight: {low: 0.01, high: 1, log: true}, student.arch: [tsm, tdn],
      train.batch_size: {low: 4, high: 16, step: 4}}}
  - name: b
    best: {stage: a, take: [distill.spatial.weight]}
"""


def test_a_search_is_read_as_written(tmp_path: Path) -> None:
    search = load_study(write(tmp_path, SEARCH)).stages[0].search
    assert search is not None
    assert (search.sampler, search.num_trials, search.pruner, search.seeds) == ("tpe", 9, "none", (3,))
    assert search.num_startup_trials == 3
    assert search.over == (
        Range("distill.spatial.weight", 0.01, 1.0, is_log=True),
        Range("student.arch", choices=("tsm", "tdn")),
        Range("train.batch_size", 4, 16, step=4),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("trials: 9", "trails: 9", "5: stages.0.search.trails: unknown key; did you mean 'trials'?"),
        ("trials: 9", "trials: 0", "5: stages.0.search.trials: Input should be greater than or equal to 1, not 0"),
        ("trials: 9", "sampler: tpx", "5: stages.0.search.sampler: Input should be 'tpe', 'random', 'qmc' or 'gp'"),
        ("trials: 9", "metric: test/top1", "5: stages.0.search.metric: 'test/top1' may not decide anything"),
        ("trials: 9", "pruner: wilcoxon", "5: stages.0.search.pruner: wilcoxon compares seed by seed, and can tell "
         "something from 5 seeds on"),
        ("trials: 9", "seeds: 0", "5: stages.0.search.seeds: a count of at least 1"),
        ("spatial.weight: {", "spatial.wight: {", "5: stages.0.search.over.distill.spatial.wight: unknown setting"),
        ("low: 0.01", "low: 2", "5: stages.0.search.over.distill.spatial.weight.high: has to be more than low, 2.0"),
        ("low: 0.01", "low: 0", "5: stages.0.search.over.distill.spatial.weight.log: orders of magnitude need a low"),
        ("low: 0.01, ", "", "5: stages.0.search.over.distill.spatial.weight.low: required, but not given"),
        ("[tsm, tdn]", "[tsm]", "5: stages.0.search.over.student.arch: at least two different values"),
        ("[tsm, tdn]", "{low: 1, high: 2}", "5: stages.0.search.over.student.arch.low: Input should be 'tsm' or"),
        ("step: 4", "step: 0.5", "6: stages.0.search.over.train.batch_size.step: train.batch_size takes whole"),
        ("  - name: b", "    rows: {x: }\n  - name: b", "7: stages.0.rows: a stage that searches finds its"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_search_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SEARCH.count(old) == 1
    file = write(tmp_path, SEARCH.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_study(file)
    assert str(caught.value).startswith(f"{file}:{message}")


def test_overrides_change_the_base_and_are_checked_like_it(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    study = load_study(file, settings=["train.epochs=9", "data.root=/d"], seeds="2")
    assert study.base == {"train.epochs": 9, "data.frames_per_gop": 3, "data.root": "/d"}
    assert study.seeds == (0, 1)
    assert load_study(file, seeds="4,2").seeds == (4, 2)
    with pytest.raises(ConfigError, match=r"^--set train\.epoch=9: unknown setting 'train\.epoch'"):
        load_study(file, settings=["train.epoch=9"])
    with pytest.raises(ConfigError, match=r"^--seeds 0: a count of at least 1, or different numbers"):
        load_study(file, seeds="0")
    with pytest.raises(ConfigError, match=r"^--seeds two: a count"):
        load_study(file, seeds="two")


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("student.arch=tdn", "the axis 'network' of stage 'rows' sets student.arch"),
        ("distill.spatial.weight=1", "the axis 'distill.spatial.weight' of stage 'rows' sets distill.spatial.weight"),
        ("distill.logits.enabled=false", "the base of stage 'next' sets distill.logits.enabled"),
    ],
)
def test_an_override_of_what_the_study_varies_is_refused(tmp_path: Path, setting: str, place: str) -> None:
    file = write(tmp_path, GOOD)
    with pytest.raises(ConfigError) as caught:
        load_study(file, settings=[setting])
    assert str(caught.value).startswith(f"--set {setting}: {place} ({file}:")
