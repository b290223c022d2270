"""Which runs share a table: by settings, never by label."""

import pytest
from support.report_runs import BOTH, METADATA, NO_KD, PLAIN, SPATIAL, TEMPORAL, RunTable

from cdkd.report.method_factors import factors_of
from cdkd.report.protocol import protocol_of, row_of, runs_where, select, variants_of
from cdkd.report.tables import TABLES
from cdkd.report.tracked import ReportError, read_runs


def _chosen(table: int, runs: RunTable) -> dict[str, list[str]]:
    comparable = select(variants_of(TABLES[table], read_runs(runs.frame())))
    return {key: [run.run_id for run in variant.runs] for key, variant in comparable.chosen.items()}


@pytest.mark.parametrize(
    ("overrides", "row4", "row5"),
    [
        (PLAIN, "tsm-none", "tsm-0-0"),
        (NO_KD, "tsm-decoder", "tsm-decoder"),
        ({"distill.spatial.weight": 0.0, "distill.temporal.weight": 0.0}, "tsm-decoder", "tsm-decoder"),
        (SPATIAL, "tsm-spatial", "tsm-0.1-0"),
        ({"distill.temporal.weight": 0.0}, "tsm-spatial", "tsm-0.1-0"),
        (TEMPORAL, "tsm-temporal", "tsm-0-1"),
        (BOTH, "tsm-both", "tsm-0.1-1"),
        ({"distill.logits.enabled": True}, None, "tsm-0.1-1-logits"),
        ({"distill.logits.enabled": True, "distill.logits.weight": 0.0}, "tsm-both", "tsm-0.1-1"),
        ({"distill.temporal.weight": 5.0}, "tsm-both", "tsm-0.1-5"),
        ({"student.arch": "tdn", **SPATIAL}, "tdn-spatial", None),
        ({"student.model": "coviar", **PLAIN}, None, None),
    ],
)
def test_row_of_a_run(overrides: dict[str, object], row4: str | None, row5: str | None) -> None:
    runs = RunTable()
    runs.add(overrides, 0, 60.0)
    (run,) = read_runs(runs.frame())
    found = [row_of(TABLES[table], run) for table in (4, 5)]
    assert [row.key if row else None for row in found] == [row4, row5]


def test_coviar_has_its_row_in_table_1() -> None:
    runs = RunTable()
    runs.add({"student.model": "coviar", **PLAIN}, 0, 60.0)
    row = row_of(TABLES[1], read_runs(runs.frame())[0])
    assert row is not None and row.key == "coviar"


def test_protocol_forgets_what_a_run_never_reads() -> None:
    runs = RunTable()
    runs.add({**PLAIN, "teacher.arch": "tdn", "runtime.num_workers": 3}, 0, 60.0)
    runs.add(TEMPORAL, 0, 60.0)
    plain, temporal = (protocol_of(run.settings, TABLES[4].own_settings) for run in read_runs(runs.frame()))
    assert not [key for key in plain if key.startswith(("teacher.", "distill.", "runtime.", "student.gate"))]
    assert "seed" not in plain
    assert plain["train.epochs"] == 40
    assert temporal["distill.temporal.weight"] == 1.0
    assert temporal["teacher.arch"] == "tsm"
    assert not [key for key in temporal if key.startswith("distill.spatial.")]


def test_weights_are_axes_of_table_5_only() -> None:
    runs = RunTable()
    runs.add(BOTH, 0, 60.0)
    settings = read_runs(runs.frame())[0].settings
    assert "distill.spatial.weight" in protocol_of(settings, TABLES[4].own_settings)
    assert "distill.spatial.weight" not in protocol_of(settings, TABLES[5].own_settings)
    assert (factors_of(settings).lambda1, factors_of(settings).lambda2, factors_of(settings).lambda3) == (0.1, 1.0, 0.0)


def test_latest_finished_attempt_counts() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 50.0)
    second = runs.add(PLAIN, 0, 51.0)
    runs.add(PLAIN, 0, None, status="failed")
    only_failed = runs.add(PLAIN, 1, None, status="failed")
    assert _chosen(4, runs) == {"tsm-none": [second, only_failed]}


def test_other_budgets_are_never_pooled() -> None:
    runs = RunTable()
    kept = [runs.add(PLAIN, 0, 60.0), runs.add(SPATIAL, 0, 65.0)]
    runs.add({**PLAIN, "train.epochs": 2}, 0, 20.0)
    runs.add({**PLAIN, "train.epochs": 2}, 1, 20.0)
    # Two rows of one run stand against one row of two: completeness counts rows first.
    assert _chosen(4, runs) == {"tsm-none": kept[:1], "tsm-spatial": kept[1:]}


def test_one_teacher_for_all_rows_of_a_network() -> None:
    runs = RunTable()
    base = runs.add(PLAIN, 0, 60.0)
    spatial = runs.add({**SPATIAL, "teacher.arch": "tsm"}, 0, 65.0)
    both = runs.add({**BOTH, "teacher.arch": "tsm"}, 0, 66.0)
    for seed in range(3):
        runs.add({**BOTH, "teacher.arch": "tdn"}, seed, 70.0)
    assert _chosen(4, runs) == {"tsm-none": [base], "tsm-spatial": [spatial], "tsm-both": [both]}


def test_networks_may_differ_in_recipe_but_not_in_data() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    runs.add({**PLAIN, "student.arch": "tdn", "train.learning_rate": 1e-3}, 0, 61.0)
    assert set(_chosen(4, runs)) == {"tsm-none", "tdn-none"}
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    younger = runs.add({**PLAIN, "student.arch": "tdn", "data.input_size": 64}, 0, 61.0)
    assert _chosen(4, runs) == {"tdn-none": [younger]}


def test_data_versions_are_never_pooled_and_unfinished_runs_join() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0, metadata={**METADATA, "dataset_version": "old"})
    new = [runs.add(PLAIN, 0, 61.0), runs.add(PLAIN, 1, None, status="diverged"), runs.add(PLAIN, 2, 63.0)]
    assert _chosen(4, runs) == {"tsm-none": new}


def test_equal_candidates_are_decided_on_validation() -> None:
    runs = RunTable()
    better = runs.add({**BOTH, "distill.spatial.weight": 1.0}, 0, 50.0, validation=70.0)
    runs.add(BOTH, 0, 90.0, validation=60.0)
    assert _chosen(4, runs) == {"tsm-both": [better]}


def test_where_keeps_rows_that_never_read_the_setting() -> None:
    runs = RunTable()
    kept = [runs.add(PLAIN, 0, 60.0), runs.add({**BOTH, "teacher.arch": "tdn"}, 0, 66.0)]
    runs.add(BOTH, 0, 65.0)
    all_runs = read_runs(runs.frame())
    assert [run.run_id for run in runs_where(all_runs, {"teacher.arch": "tdn"})] == kept
    assert runs_where(all_runs, {"train.epochs": 3}) == ()
    with pytest.raises(ReportError, match=r"train.epoch: no tracked run has this setting; did you mean 'train.epochs'"):
        runs_where(all_runs, {"train.epoch": 3})


def test_a_table_of_another_version_is_refused() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    with pytest.raises(ReportError, match="lacks the columns seed, status"):
        read_runs(runs.frame().drop(columns=["seed", "status"]))
