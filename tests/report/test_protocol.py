"""Which runs share a table: by settings, never by label."""

import pytest
from support.report_runs import BOTH, METADATA, NO_KD, PLAIN, SPATIAL, TEMPORAL, RunTable

from cdkd.distill.losses.table import LOSSES
from cdkd.effective_settings import active_losses
from cdkd.report.protocol import protocol_of, select, variants_of
from cdkd.report.tables.catalog import TABLES
from cdkd.report.tracked import ReportError, read_runs


def _chosen(table: str, runs: RunTable) -> dict[str, list[str]]:
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
        ({"student.arch": "tdn", **PLAIN}, "tdn-none", "tdn-0-0"),
        ({"student.arch": "tdn", **SPATIAL}, "tdn-spatial", "tdn-0.1-0"),
        ({"student.arch": "tdn", "distill.logits.enabled": True}, None, "tdn-0.1-1-logits"),
        ({"student.model": "coviar", **PLAIN}, None, None),
    ],
)
def test_row_of_a_run(overrides: dict[str, object], row4: str | None, row5: str | None) -> None:
    runs = RunTable()
    runs.add(overrides, 0, 60.0)
    (run,) = read_runs(runs.frame())
    found = [TABLES[table].row_of(run.settings) for table in ("4", "5")]
    assert [row.key if row else None for row in found] == [row4, row5]


@pytest.mark.parametrize("loss", [name for name in LOSSES if name not in ("spatial", "temporal", "logits")])
def test_a_loss_that_a_table_does_not_name_has_no_row_in_it(loss: str) -> None:
    runs = RunTable()
    for others in (NO_KD, SPATIAL, TEMPORAL, BOTH, {"distill.logits.enabled": True}):
        runs.add({**others, f"distill.{loss}.enabled": True}, 0, 60.0)
    for run in read_runs(runs.frame()):
        assert [TABLES[table].row_of(run.settings) for table in "12345"] == [None] * 5


def test_logits_distillation_makes_another_method_of_a_network_without_decoder() -> None:
    runs = RunTable()
    runs.add({**PLAIN, "distill.logits.enabled": True}, 0, 60.0)
    runs.add({**PLAIN, "student.model": "coviar", "distill.logits.enabled": True}, 0, 60.0)
    for run in read_runs(runs.frame()):
        assert [table.row_of(run.settings) for table in TABLES.values()] == [None] * len(TABLES)


@pytest.mark.parametrize("overrides", [PLAIN, NO_KD, SPATIAL, TEMPORAL, BOTH, {"student.model": "coviar", **PLAIN}])
def test_a_loss_that_only_a_later_version_knows_has_no_row_anywhere(overrides: dict[str, object]) -> None:
    runs = RunTable()
    for enabled, weight in ((True, 0.5), (True, 0.0), (False, 0.5)):
        runs.add(overrides, 0, 60.0)
        runs.rows[-1] |= {
            "settings.distill.of_tomorrow.enabled": enabled,
            "settings.distill.of_tomorrow.weight": weight,
        }
    runs.add(overrides, 0, 60.0)
    unknown, weightless, switched_off, plain = read_runs(runs.frame())
    assert [table.row_of(unknown.settings) for table in TABLES.values()] == [None] * len(TABLES)
    for table in TABLES.values():
        row = table.row_of(plain.settings)
        assert table.row_of(weightless.settings) == table.row_of(switched_off.settings) == row
        # A switched-off loss does not set a run of a later version apart either.
        own = table.own_settings
        assert protocol_of(switched_off.settings, own) == protocol_of(plain.settings, own)


def test_coviar_has_its_row_in_table_1() -> None:
    runs = RunTable()
    runs.add({"student.model": "coviar", **PLAIN}, 0, 60.0)
    row = TABLES["1"].row_of(read_runs(runs.frame())[0].settings)
    assert row is not None and row.key == "coviar"


def test_protocol_forgets_what_a_run_never_reads() -> None:
    runs = RunTable()
    runs.add({**PLAIN, "teacher.arch": "tdn", "runtime.num_workers": 3}, 0, 60.0)
    runs.add(TEMPORAL, 0, 60.0)
    plain, temporal = (protocol_of(run.settings, TABLES["4"].own_settings) for run in read_runs(runs.frame()))
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
    assert "distill.spatial.weight" in protocol_of(settings, TABLES["4"].own_settings)
    assert "distill.spatial.weight" not in protocol_of(settings, TABLES["5"].own_settings)
    assert active_losses(settings) == {"spatial": 0.1, "temporal": 1.0}


def test_latest_finished_attempt_counts() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 50.0)
    second = runs.add(PLAIN, 0, 51.0)
    runs.add(PLAIN, 0, None, status="failed")
    only_failed = runs.add(PLAIN, 1, None, status="failed")
    assert _chosen("4", runs) == {"tsm-none": [second, only_failed]}


def test_other_budgets_are_never_pooled() -> None:
    runs = RunTable()
    kept = [runs.add(PLAIN, 0, 60.0), runs.add(SPATIAL, 0, 65.0)]
    runs.add({**PLAIN, "train.epochs": 2}, 0, 20.0)
    runs.add({**PLAIN, "train.epochs": 2}, 1, 20.0)
    # Two rows of one run stand against one row of two: completeness counts rows first.
    assert _chosen("4", runs) == {"tsm-none": kept[:1], "tsm-spatial": kept[1:]}


def test_one_teacher_for_all_rows_of_a_network() -> None:
    runs = RunTable()
    base = runs.add(PLAIN, 0, 60.0)
    spatial = runs.add({**SPATIAL, "teacher.arch": "tsm"}, 0, 65.0)
    both = runs.add({**BOTH, "teacher.arch": "tsm"}, 0, 66.0)
    for seed in range(3):
        runs.add({**BOTH, "teacher.arch": "tdn"}, seed, 70.0)
    assert _chosen("4", runs) == {"tsm-none": [base], "tsm-spatial": [spatial], "tsm-both": [both]}


def test_networks_may_differ_in_recipe_but_not_in_data() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    runs.add({**PLAIN, "student.arch": "tdn", "train.learning_rate": 1e-3}, 0, 61.0)
    assert set(_chosen("4", runs)) == {"tsm-none", "tdn-none"}
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    younger = runs.add({**PLAIN, "student.arch": "tdn", "data.input_size": 64}, 0, 61.0)
    assert _chosen("4", runs) == {"tdn-none": [younger]}


def test_data_versions_are_never_pooled_and_unfinished_runs_join() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0, metadata={**METADATA, "dataset_version": "old"})
    new = [runs.add(PLAIN, 0, 61.0), runs.add(PLAIN, 1, None, status="diverged"), runs.add(PLAIN, 2, 63.0)]
    assert _chosen("4", runs) == {"tsm-none": new}


def test_equal_candidates_are_decided_on_validation() -> None:
    runs = RunTable()
    better = runs.add({**BOTH, "distill.spatial.weight": 1.0}, 0, 50.0, validation=70.0)
    runs.add(BOTH, 0, 90.0, validation=60.0)
    assert _chosen("4", runs) == {"tsm-both": [better]}


def test_a_table_of_another_version_is_refused() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    with pytest.raises(ReportError, match="lacks the columns seed, status"):
        read_runs(runs.frame().drop(columns=["seed", "status"]))


def test_seeds_with_videos_of_their_own_share_a_row_and_stand_apart_from_others() -> None:
    drawn = {"data.shapes.draw": "by_seed"}
    runs = RunTable()
    fixed = [runs.add(row, 0, 60.0) for row in (PLAIN, BOTH)]
    own = {
        seed: [
            runs.add({**row, **drawn}, seed, 62.0 + seed, metadata={**METADATA, "dataset_version": f"draw {seed}"})
            for row in (PLAIN, BOTH)
        ]
        for seed in (0, 1, 2)
    }
    by_row = [list(runs_of_row) for runs_of_row in zip(*own.values(), strict=True)]
    assert sorted(_chosen("4", runs).values()) == by_row
    left = [variant.runs[0].run_id for variant in select(variants_of(TABLES["4"], read_runs(runs.frame()))).left_out]
    assert sorted(left) == fixed
