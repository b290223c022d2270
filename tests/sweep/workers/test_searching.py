"""Searches: real samplers and pruners, journal, store and processes; only the training is arithmetic."""

import json
import os
import signal

import optuna
import pytest
from support.sweeps import Bench, wait_until

from cdkd.config import ConfigError
from cdkd.sweep.queue.storage import open_journal
from cdkd.sweep.queue.suggestions import Suggestion, suggest
from cdkd.sweep.study.records import Range, Search
from cdkd.tracking.runs import load_runs
from cdkd.tracking.store import open_client, tracking_uri

SEARCH = """
study: search
base: {train.epochs: 4, evaluation.every_epochs: 1, distill.temporal.enabled: false}
stages:
  - name: explore
    search:
      sampler: tpe
      trials: 8
      startup: 3
      over: {distill.spatial.weight: {low: 0.001, high: 10, log: true}}
"""
TAKEN = """
  - name: confirm
    best: {stage: explore, take: [distill.spatial.weight]}
"""


@pytest.fixture(autouse=True)
def _smooth(bench: Bench) -> None:
    (bench.fake / "smooth").touch()


def suggested(bench: Bench) -> list[dict[str, float]]:
    (file,) = (bench.folder / ".cdkd/search/suggestions").iterdir()
    return json.loads(file.read_text())["suggestions"]


def optuna_study(bench: Bench) -> optuna.Study:
    return optuna.load_study(
        study_name="search.explore", storage=open_journal(bench.folder / ".cdkd/search/journal.log")
    )


def test_a_search_runs_its_suggestions_once_and_a_later_stage_takes_its_best(bench: Bench) -> None:
    result = bench.sweep(bench.write(SEARCH + TAKEN))
    assert (result.num_cells, result.num_done, result.num_trained, result.is_complete) == (8, 8, 8, True)
    weights = [values["distill.spatial.weight"] for values in suggested(bench)]
    assert len(weights) == len(set(weights)) == 8 and all(0.001 <= weight <= 10 for weight in weights)
    # Whole numbers of four digits, which a list shows as they are.
    assert all(float(f"{weight:.4g}") == weight for weight in weights)
    study = optuna_study(bench)
    assert [trial.params["distill.spatial.weight"] for trial in study.trials] == weights
    assert study.trials[0].distributions["distill.spatial.weight"] == optuna.distributions.FloatDistribution(
        0.001, 10, log=True
    )
    assert [sorted(trial.intermediate_values) for trial in study.trials] == [[1, 2, 3, 4]] * 8
    best = min(weights, key=lambda weight: abs(weight / 0.1 - 1) if weight > 0.1 else abs(0.1 / weight - 1))
    assert study.best_params == {"distill.spatial.weight": best}
    # The best one is a cell of the second stage as well, which measures it: the others stand in no table.
    runs = load_runs(study="search")
    assert list(runs[~runs.is_search]["settings.distill.spatial.weight"]) == [best]
    choice = json.loads(next((bench.folder / ".cdkd/search/choices").glob("explore-*.json")).read_text())
    assert choice["values"] == {"distill.spatial.weight": best} and len(choice["candidates"]) == 8

    again = bench.sweep(bench.write(SEARCH + TAKEN))
    assert (again.num_trained, again.is_complete) == (0, True)
    more = bench.sweep(bench.write(SEARCH.replace("trials: 8", "trials: 10")))
    assert more.num_trained == 2
    assert [values["distill.spatial.weight"] for values in suggested(bench)][:8] == weights


def test_several_seeds_of_a_suggestion_are_compared_by_their_mean(bench: Bench) -> None:
    text = SEARCH.replace("trials: 8", "trials: 3\n      seeds: [4, 6]") + TAKEN
    result = bench.sweep(bench.write(text), workers=2)
    assert (result.num_cells, result.num_done) == (7, 7)
    runs = load_runs(study="search")
    assert sorted(runs[runs.stage == "explore"].seed) == [4, 4, 4, 6, 6, 6]
    choice = json.loads(next((bench.folder / ".cdkd/search/choices").glob("explore-*.json")).read_text())
    assert [sorted(candidate["by_seed"]) for candidate in choice["candidates"]] == [["4", "6"]] * 3
    assert choice["chosen"].startswith("point ")


@pytest.mark.parametrize("sampler", ["random", "qmc", "gp"])
def test_every_sampler_suggests_within_its_space(bench: Bench, sampler: str) -> None:
    over = "{distill.spatial.weight: {low: 0.001, high: 10, log: true}, train.batch_size: {low: 4, high: 12, step: 4}}"
    text = SEARCH.replace("tpe", sampler).replace(
        SEARCH[SEARCH.index("over:") : SEARCH.index("true}}") + 6], f"over: {over}"
    )
    assert bench.sweep(bench.write(text.replace("trials: 8", "trials: 5"))).is_complete
    found = suggested(bench)
    assert len({values["distill.spatial.weight"] for values in found}) == 5
    assert {values["train.batch_size"] for values in found} <= {4, 8, 12}


def test_suggestions_that_are_equal_share_one_cell(bench: Bench) -> None:
    text = SEARCH.replace("{low: 0.001, high: 10, log: true}", "[0.01, 0.1]")
    result = bench.sweep(bench.write(text))
    assert len(suggested(bench)) == 8
    assert (result.num_cells, result.num_trained, result.is_complete) == (2, 2, True)


def test_a_median_pruner_ends_what_is_behind_and_that_is_neither_finished_nor_failed(bench: Bench) -> None:
    text = SEARCH.replace("trials: 8", "trials: 14\n      pruner: median").replace("tpe", "random")
    result = bench.sweep(bench.write(text + TAKEN))
    assert result.is_complete and not result.failures
    assert result.num_pruned > 0 and result.num_done + result.num_pruned == 14
    runs = load_runs(study="search")
    pruned = runs[runs.status == "pruned"]
    assert len(pruned) == result.num_pruned and set(pruned["metrics.run/pruned_epoch"]) <= {1.0, 2.0, 3.0}
    assert {run.info.status for run in _runs(pruned.run_id)} == {"KILLED"}
    states = [trial.state.name for trial in optuna_study(bench).trials]
    assert states.count("PRUNED") == result.num_pruned and set(states) == {"PRUNED", "COMPLETE"}
    # Nobody is behind before five have ended, by Optuna's own rule.
    assert states[:5] == ["COMPLETE"] * 5
    assert len(bench.marks("started")) == 14 and len(bench.marks("finished")) == result.num_done
    # Their last validations lie below those of the ones that were kept after the start.
    kept = runs[runs.status == "finished"].iloc[5:]["metrics.validation/top1"]
    assert pruned["metrics.validation/top1"].max() < kept.min()
    assert bench.sweep(bench.write(text + TAKEN)).num_trained == 0
    # What a search gave up is trained where a stage lists it.
    weight = pruned["settings.distill.spatial.weight"].iloc[0]
    listed = f"  - name: listed\n    axes: {{distill.spatial.weight: [{weight}]}}\n"
    more = bench.sweep(bench.write(text + TAKEN.replace("\n", "", 1) + listed))
    assert (more.num_trained, more.is_complete) == (1, True)


def _runs(run_ids: list[str]) -> list:
    return [open_client(tracking_uri()).get_run(run_id) for run_id in run_ids]


def test_a_wilcoxon_pruner_spares_the_seeds_that_would_tell_nothing_new(bench: Bench) -> None:
    text = SEARCH.replace("trials: 8", "trials: 5\n      seeds: 6\n      pruner: wilcoxon").replace("tpe", "random")
    result = bench.sweep(bench.write(text))
    assert result.is_complete
    runs = load_runs(study="search")
    per_weight = runs.groupby("settings.distill.spatial.weight").size()
    # Of six seeds four are enough to say that a point is behind, with one-sided p = 1/16.
    assert sorted(per_weight)[-1] == 6 and set(per_weight) <= {4, 6}
    assert result.num_pruned == 30 - len(runs) > 0


def test_a_killed_search_goes_on_without_losing_or_repeating_a_suggestion(bench: Bench) -> None:
    file = bench.write(SEARCH.replace("trials: 8", "trials: 5"))
    (bench.fake / "hold").touch()
    sweep = bench.start(file, "--workers", "2")
    wait_until(lambda: len(bench.marks("started")) == 2, seconds=240)
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.communicate()
    before = suggested(bench)
    (bench.fake / "hold").unlink()
    sweeps = [bench.start(file, "--workers", "1") for _ in range(2)]
    outputs = [one.communicate(timeout=240)[0] for one in sweeps]
    assert [one.returncode for one in sweeps] == [0, 0], outputs
    after = suggested(bench)
    assert len(after) == 5 and after[: len(before)] == before
    assert len(set(bench.marks("finished"))) == len(bench.marks("finished")) == 5


def test_a_search_that_learns_comes_closer_than_chance(bench: Bench) -> None:
    def closest(sampler: str, seed: int) -> float:
        search = Search(sampler, 25, "none", "validation/top1", (Range("x", 0.0, 1.0),), (0,), 8, seed)  # type: ignore[arg-type]
        known: list[Suggestion] = []
        for _ in range(search.num_trials):
            values = suggest(search, known)
            known.append(Suggestion(values, "COMPLETE", -abs(values["x"] - 0.3)))
        return min(abs(one.values["x"] - 0.3) for one in known)

    tpe = sum(closest("tpe", seed) for seed in range(5))
    assert tpe < sum(closest("random", seed) for seed in range(5)) / 2


def test_a_pruner_without_validations_on_the_way_is_refused(bench: Bench) -> None:
    text = SEARCH.replace("sampler: tpe", "pruner: median").replace("every_epochs: 1", "every_epochs: 0")
    with pytest.raises(ConfigError, match=r"median decides by validations on the way; set evaluation\.every_epochs$"):
        bench.sweep(bench.write(text))
