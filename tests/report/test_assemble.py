"""Whole tables from runs with known answers, letter by letter."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from support.report_runs import BOTH, METADATA, NO_KD, PLAIN, SPATIAL, TEMPORAL, RunTable, six_seeds

from cdkd.report.assemble import Report, build_reports
from cdkd.report.render import render_text
from cdkd.report.tracked import ReportError, read_runs


def _reports(table: str, runs: RunTable, **options: object) -> tuple[Report, ...]:
    return build_reports(table, read_runs(runs.frame()), **options)  # type: ignore[arg-type]


def _ablation() -> RunTable:
    runs = RunTable()
    for seed, (plain, spatial, both) in enumerate([(60.0, 66.0, 68.0), (62.0, 67.0, 70.0), (64.0, 71.0, 72.0)]):
        runs.add(PLAIN, seed, plain, top5=plain + 30)
        runs.add(SPATIAL, seed, spatial, top5=spatial + 30)
        if seed < 2:
            runs.add(BOTH, seed, both, top5=both + 20)
    runs.add(BOTH, 2, None, status="diverged")
    runs.add(TEMPORAL, 0, None, status="failed")
    runs.add({**PLAIN, "student.arch": "tdn"}, 0, 50.0, commit="bbbbbbbbbbbbbbbb", dirty=True, top5=80.0)
    runs.add({**SPATIAL, "train.epochs": 2}, 1, 20.0)
    return runs


# By hand: 66, 67, 71 have mean 68 and variance 14/2; differences 6, 5, 7 have mean 6, deviation 1 and the half-width
# 4.3027 / sqrt(3) = 2.48; 50 % of 1,200 videos are known to 196 * sqrt(0.25 / 1200) = 2.83 points.
_EXPECTED = """\
Table 4. Spatial and temporal knowledge distillation, each alone and both
Measured on shapes (embedded, synthetic), not comparable with the published columns.

                                        ------------- measured on shapes -------------  ----- published -----
                     spatial  temporal                              over three streams  UCF-101   SSV2   SSV2
method               KD       KD                 top-1       top-5              [95 %]    top-1  top-1  top-5
-------------------------------------------------------------------------------------------------------------
TSM, three streams   no       no        62.0 ± 2.0 (3)  92.0 ± 2.0                         92.2   60.1   86.2
TSM, decoder, no KD  no       no                no run                                        -      -      -
TSM + ours           yes      no        68.0 ± 2.6 (3)  98.0 ± 2.6   +6.0 [+3.5, +8.5]     94.5   61.9   87.6
TSM + ours           no       yes               failed                                     94.0   61.5   87.3
TSM + ours           yes      yes       69.0 ± 1.4 (2)  89.0 ± 1.4   +8.0 [+8.0, +8.0]     95.8   62.8   88.2

TDN, three streams   no       no              50.0 (1)        80.0                         93.3   62.7   88.1
TDN, decoder, no KD  no       no                no run                                        -      -      -
TDN + ours           yes      no                no run                                     95.6   64.9   89.2
TDN + ours           no       yes               no run                                     95.3   64.1   88.8
TDN + ours           yes      yes               no run                                     96.9   66.9   90.2
-------------------------------------------------------------------------------------------------------------
* Measured: test accuracy in percent, mean ± sample deviation (number of seeds).
* Over three streams: points of top-1 above the row of that name of the same network, paired by seed.
* Below 6 paired seeds nothing is tested, and the interval is Student's t for that row alone.
* Protocol of every row: seeds 0, 1, 2, 40 epochs, last epoch's weights, streams start from random weights, split 1,
  views 1 clip x 1 crop, data version 0123456789ab.
* Weights where a loss takes part, in units of the cross-entropy's pull: λ1 = 0.1; λ2 = 1.
* Resolution: 1,200 test videos know one accuracy to ± 2.8 points and a difference of two, even where the seeds agree,
  to at most ± 4.0 (95 % half-widths).
* Warning: the rows come from several code versions: aaaaaaaaaa, bbbbbbbbbb.
* Warning: 1 of 9 runs came from a working tree with uncommitted changes.
* Teacher: TSM slim, trained on shapes from random weights.
* Runs in no mean, diverged: TSM + ours (spatial yes, temporal yes): seed 2.
* Runs in no mean, failed: TSM + ours (spatial no, temporal yes): seed 0.
* Runs in no mean, missing: TSM + ours (spatial no, temporal yes): seeds 1, 2; TDN, three streams: seeds 1, 2.
* No run: TSM, decoder, no KD; TDN, decoder, no KD; TDN + ours (spatial yes, temporal no); TDN + ours (spatial no,
  temporal yes); TDN + ours (spatial yes, temporal yes).
* Not complete. What adds the rest, beside the options that its study was started with: cdkd sweep ablation.yaml --seeds
  0,1,2 --retry-failed; cdkd sweep ablation-tdn.yaml --seeds 0,1,2.
* Runs under another protocol, left out and never pooled: 1 (1 with train.epochs 2 instead of 40).
* Published: Liu et al. 2023, Table 4.
* The paper's baseline has no pseudo-decoder; the row "decoder, no KD" is ours and separates what the decoder changes
  from what the distillation changes.
* The paper chose both lambdas on the test sets that it reports; here a study chooses them on validation videos.
"""


def test_table_4_letter_by_letter() -> None:
    (report,) = _reports("4", _ablation())
    assert render_text(report) == _EXPECTED


def test_a_half_of_table_4_that_is_whole_names_the_command_of_the_other() -> None:
    runs = RunTable()
    for overrides in (PLAIN, NO_KD, SPATIAL, TEMPORAL, BOTH):
        runs.add({**overrides, "student.arch": "tdn", "teacher.arch": "tdn"}, 3, 60.0, study="ablation-tdn")
    (report,) = _reports("4", runs)
    text = "Not complete. What adds the rest, beside the options that its study was started with: "
    assert f"{text}cdkd sweep ablation.yaml --seeds 3." in report.notes
    # What one study lacks is asked of that study, by the name under which it ran.
    for overrides in (PLAIN, NO_KD, SPATIAL, TEMPORAL, BOTH):
        for seed in (3, 4):
            runs.add(overrides, seed, 60.0, study="half")
    (report,) = _reports("4", runs)
    assert f"{text}cdkd sweep ablation-tdn --seeds 3,4." in report.notes


def test_rows_that_no_study_has_all_of_name_the_command_of_the_table() -> None:
    runs = RunTable()
    for overrides in (PLAIN, NO_KD, SPATIAL, TEMPORAL, BOTH):
        for seed in (3, 4):
            runs.add(overrides, seed, 60.0)
        study = "ablation-tdn" if overrides in (TEMPORAL, BOTH) else "lambda-tdn"
        runs.add({**overrides, "student.arch": "tdn", "teacher.arch": "tdn"}, 3, 60.0, study=study)
    (report,) = _reports("4", runs)
    (note,) = [note for note in report.notes if note.startswith("Not complete")]
    assert note.endswith("started with: cdkd sweep ablation-tdn.yaml --seeds 3,4.")


def test_weights_that_networks_have_of_their_own_are_told_by_network() -> None:
    runs = RunTable()
    for arch, weight in (("tsm", 0.1), ("tdn", 0.01)):
        for overrides in (SPATIAL, BOTH):
            own = {"student.arch": arch, "teacher.arch": arch, "distill.spatial.weight": weight}
            runs.add({**overrides, **own}, 0, 60.0)
    (report,) = _reports("4", runs)
    (note,) = [note for note in report.notes if note.startswith("Weights")]
    assert note.endswith("λ1 = 0.1 (TSM rows), 0.01 (TDN rows); λ2 = 1.")


def test_order_of_runs_does_not_matter() -> None:
    frame = _ablation().frame().iloc[::-1]
    (report,) = build_reports("4", read_runs(frame))
    assert render_text(report) == _EXPECTED


def test_table_5_gives_other_weights_a_row_of_their_own() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    runs.add(NO_KD, 0, 58.0)
    runs.add({**SPATIAL, "distill.spatial.weight": 1.0}, 0, 66.5)
    runs.add({"distill.spatial.weight": 1.0, "distill.temporal.weight": 5.0}, 0, 67.0)
    (report,) = _reports("5", runs)
    rows = {row.definition.key: row for row in report.rows}
    assert [row.definition.key for row in report.rows[-2:]] == ["tsm-0.1-1-logits", "tsm-1-5"]
    assert rows["tsm-1-5"].published == () and rows["tsm-1-5"].definition.labels == {"lambda1": "1", "lambda2": "5"}
    assert {key: {name: found.mean for name, found in row.differences.items()} for key, row in rows.items()} == {
        **{key: {} for key in rows},
        "tsm-decoder": {"three streams": -2.0},
        "tsm-1-0": {"three streams": 6.5, "decoder": 8.5},
        "tsm-1-5": {"three streams": 7.0, "decoder": 9.0},
    }


def test_six_seeds_are_tested_and_corrected() -> None:
    runs = RunTable()
    rows = {
        "plain": [60.0, 61.5, 62.0, 60.5, 63.0, 61.0],
        "decoder": [60.5, 61.0, 62.5, 60.0, 63.5, 61.5],
        "spatial": [68.0, 69.0, 71.0, 69.5, 70.0, 69.0],
        "both": [62.0, 61.0, 64.0, 61.5, 65.0, 61.5],
    }
    for seed in range(6):
        for settings, values in zip((PLAIN, NO_KD, SPATIAL, BOTH), rows.values(), strict=True):
            runs.add(settings, seed, values[seed])
        if seed < 3:
            runs.add(TEMPORAL, seed, 70.0)
    (report,) = _reports("4", runs)
    found = {row.definition.key: row.differences for row in report.rows}

    def p_values(baseline: str, others: list[str]) -> list[float]:
        return [float(scipy.stats.ttest_rel(rows[name], rows[baseline]).pvalue) for name in others]

    # A family each: three rows against the plain one, two against the decoder; the one of three seeds is not tested.
    over_plain, over_decoder = (
        p_values("plain", ["spatial", "both", "decoder"]),
        p_values("decoder", ["spatial", "both"]),
    )
    assert found["tsm-spatial"]["three streams"].p_value == pytest.approx(3 * over_plain[0])
    assert found["tsm-both"]["three streams"].p_value == pytest.approx(2 * over_plain[1])
    assert found["tsm-decoder"]["three streams"].p_value == pytest.approx(max(over_plain[2], 2 * over_plain[1]))
    assert found["tsm-spatial"]["decoder"].p_value == pytest.approx(2 * over_decoder[0])
    assert found["tsm-temporal"]["three streams"].p_value is None
    interval = found["tsm-spatial"]["three streams"].interval
    low, high = scipy.stats.t.interval(
        1 - 0.05 / 3, 5, 8.0833333333, scipy.stats.sem(np.subtract(rows["spatial"], rows["plain"]))
    )
    assert interval is not None and (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
    text = " ".join(render_text(report).split())
    assert "Holm's correction over the rows of one network in one column" in text
    assert "Below 6 paired seeds nothing is tested" in text
    # Two rows against the decoder: 2 x 2^-5 is 0.0625, so the sign-flip test cannot decide.
    assert "sign-flip" not in text


def test_the_whole_of_table_4_at_six_seeds_by_another_computation() -> None:
    """Rows with known differences: every p, interval and share of the gap is recomputed from the accuracies alone."""
    runs = six_seeds()
    frame = runs.frame()
    (report,) = build_reports("4", read_runs(frame))
    top1 = {row.definition.key: [run.metrics["test/top1"] for run in row.runs] for row in report.rows if row.runs}
    assert {len(values) for values in top1.values()} == {6} and len(top1) == 10
    for baseline, name in (("none", "three streams"), ("decoder", "decoder")):
        for network in ("tsm", "tdn"):
            family = [row for row in report.rows if row.definition.block == network and name in row.differences]
            deltas = [np.subtract(top1[row.definition.key], top1[f"{network}-{baseline}"]) for row in family]
            raw = np.array([scipy.stats.ttest_1samp(delta, 0).pvalue for delta in deltas])
            # Holm: the k-th smallest times (m - k), none below the one before.
            holm, order = np.empty(len(raw)), np.argsort(raw)
            holm[order] = np.minimum(1, np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)))
            for row, delta, p_value in zip(family, deltas, holm, strict=True):
                found = row.differences[name]
                assert (found.mean, found.p_value) == (pytest.approx(delta.mean()), pytest.approx(p_value, rel=1e-6))
                assert found.interval is not None and found.interval.excludes_zero == (p_value < 0.05)
                low, high = scipy.stats.t.interval(1 - 0.05 / len(raw), 5, delta.mean(), scipy.stats.sem(delta))
                if not found.interval.is_open_at_zero:
                    assert (found.interval.low, found.interval.high) == (pytest.approx(low), pytest.approx(high))
    found = {row.definition.key: row for row in report.rows}
    assert found["tsm-both"].differences["three streams"].mean == pytest.approx(9.0, abs=0.1)
    assert found["tsm-both"].differences["decoder"].mean == pytest.approx(8.0, abs=0.1)


def test_a_table_of_more_seeds_than_a_number_has_bits() -> None:
    runs = RunTable()
    for seed in range(65):
        runs.add(PLAIN, seed, 60.0 + seed % 3)
        runs.add(SPATIAL, seed, 66.0 + seed % 2)
    (report,) = _reports("4", runs)
    row = report.rows[2]
    assert row.top1 is not None and row.top1.num_seeds == 65
    text = " ".join(render_text(report).split())
    assert "By the sign-flip test, which assumes no distribution, with Holm:" in text
    assert "TSM + ours (spatial yes, temporal no) over three streams p <0.001." in text


def test_one_seed_tests_nothing() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    runs.add(NO_KD, 0, 61.0)
    runs.add(SPATIAL, 0, 66.0)
    (report,) = _reports("4", runs)
    text = render_text(report)
    assert "+6.0" in text and "+5.0" in text and "p =" not in text and "[95 %]" not in text
    assert "One common seed tests nothing" in text
    # 196 * sqrt(0.6 * 0.4 / 1200) = 2.77, for a difference of two its square root of two: 3.92.
    assert "± 2.8 points and a difference of two, even where the seeds agree, to at most ± 3.9" in " ".join(
        text.split()
    )


def test_no_run_at_all() -> None:
    (report,) = build_reports("4", ())
    text = render_text(report)
    assert report.subtitle == "No run has been tracked for this table; published figures only."
    assert text.count("no run") == 10
    assert "95.8" in text


def test_one_report_per_data_set() -> None:
    runs = _ablation()
    runs.add(
        {**PLAIN, "data.name": "ucf101", "data.root": "videos"},
        0,
        88.0,
        metadata={**METADATA, "num_test_videos": "3783"},
    )
    shapes, ucf = _reports("4", runs)
    assert (shapes.dataset, ucf.dataset) == ("shapes", "ucf101")
    assert ucf.subtitle.startswith("Measured on UCF-101; compare with the published column")
    assert "Resolution: 3,783 test videos know one accuracy to ± 1.0 points" in render_text(ucf)


def test_a_finished_run_without_accuracy_is_no_measurement() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, None)
    runs.add(PLAIN, 1, float("nan"))
    runs.add(SPATIAL, 0, 66.0)
    (report,) = _reports("4", runs)
    assert report.rows[0].top1 is None and report.rows[2].differences == {}
    assert "no accuracy" in next(line for line in render_text(report).splitlines() if line.startswith("TSM, three"))
    assert "Runs in no mean, no accuracy: TSM, three streams: seeds 0, 1." in report.notes


def test_unequal_recipes_of_two_networks_are_a_warning() -> None:
    runs = RunTable()
    runs.add(PLAIN, 0, 60.0)
    runs.add({**PLAIN, "student.arch": "tdn", "train.epochs": 80}, 0, 61.0)
    (report,) = _reports("4", runs)
    assert "Warning: TDN and TSM rows differ in train.epochs 80 and 40." in report.notes


def test_unknown_table() -> None:
    with pytest.raises(ReportError, match="table 6: no such table; known tables: 1, 2, 3, 4, 5, methods"):
        build_reports("6", ())
    with pytest.raises(ReportError, match="table method: no such table; did you mean 'methods'"):
        build_reports("method", ())


def _scores(correct: list[bool]) -> pd.DataFrame:
    # Three classes; class 2 wins where the answer is meant to be right, class 0 elsewhere.
    rows = [[0.0, 0.1, 1.0] if right else [1.0, 0.1, 0.0] for right in correct]
    columns = {f"score_{k}": [row[k] for row in rows] for k in range(3)}
    return pd.DataFrame({"video": [f"v{n}" for n in range(len(correct))], "label": 2, **columns})


def test_rows_are_compared_over_seeds_and_videos() -> None:
    runs, scores = RunTable(), {}
    for seed in range(6):
        scores[runs.add(PLAIN, seed, 50.0)] = _scores([True] * 6 + [False] * 6)
        # Another order of videos must not matter.
        better = _scores([True] * 5 + [False] + [True] * 4 + [False] * 2)
        scores[runs.add(SPATIAL, seed, 75.0)] = better.iloc[::-1].reset_index(drop=True)
    (report,) = _reports("4", runs, scores=scores.__getitem__)
    row = next(row for row in report.rows if row.definition.key == "tsm-spatial")
    videos = row.videos["three streams"]
    assert videos.num_videos == 12 and videos.interval.low < 25.0 < videos.interval.high
    # All seeds agree, so that only the draw of videos moves it: 4 won and 1 lost of 12.
    signed = np.array([0, 0, 0, 0, 0, -1, 1, 1, 1, 1, 0, 0]) * 100.0
    expected = scipy.stats.bootstrap((signed,), np.mean, method="BCa", n_resamples=20_000, random_state=1)
    assert videos.interval.low == pytest.approx(expected.confidence_interval.low, abs=8.4)
    assert videos.interval.high == pytest.approx(expected.confidence_interval.high, abs=8.4)


def test_scores_of_other_videos_are_refused() -> None:
    runs, scores = RunTable(), {}
    for seed in range(6):
        plain = runs.add(PLAIN, seed, 50.0)
        scores |= {plain: _scores([True, False]), runs.add(SPATIAL, seed, 75.0): _scores([True, False, True])}
    with pytest.raises(ReportError, match="run run000 was tested on other videos"):
        _reports("4", runs, scores=scores.__getitem__, over_videos=True)
    with pytest.raises(ReportError, match="video v1 stands there twice"):
        twice = _scores([True, False]).assign(video="v1")
        _reports("4", runs, scores=dict.fromkeys(scores, twice).__getitem__, over_videos=True)
    # Unasked, it is a note.
    (report,) = _reports("4", runs, scores=scores.__getitem__)
    assert report.notes[-1] == "Not compared over test videos: run run000 was tested on other videos than the rest."


def test_videos_are_read_unasked_only_where_there_are_seeds_enough() -> None:
    runs = RunTable()
    for seed in range(2):
        runs.add(PLAIN, seed, 50.0)
        runs.add(SPATIAL, seed, 75.0)
    loaded: list[str] = []

    def load(run_id: str) -> pd.DataFrame:
        loaded.append(run_id)
        return _scores([True, False])

    _reports("4", runs, scores=load)
    assert loaded == []
    _reports("4", runs, scores=load, over_videos=True)
    assert sorted(loaded) == ["run000", "run001", "run002", "run003"]
    loaded.clear()
    for seed in range(2, 6):
        runs.add(PLAIN, seed, 50.0)
        runs.add(SPATIAL, seed, 75.0)
    _reports("4", runs, scores=load, over_videos=False)
    assert loaded == []
    _reports("4", runs, scores=load)
    assert len(loaded) == 12


def test_best_weights_are_named_from_validation_alone() -> None:
    runs = RunTable()
    for weight, test, validation in ((0.01, 70.0, 60.0), (0.1, 65.0, 64.0), (1.0, 66.0, 63.0)):
        runs.add({**SPATIAL, "distill.spatial.weight": weight}, 0, test, validation=validation)
    (report,) = _reports("5", runs)
    told = "Best on validation videos, of the rows of TSM that ran: λ1 = 0.1"
    assert f"{told} at λ2 = 0; no row with λ1 = 0.1 and λ2 above 0 has run." in report.notes
    for weight, test, validation in ((0.1, 66.0, 62.0), (1.0, 64.0, 65.0), (5.0, 67.0, 63.0)):
        runs.add({"distill.temporal.weight": weight}, 0, test, validation=validation)
        if weight == 1.0:
            (report,) = _reports("5", runs)
            assert f"{told} at λ2 = 0; then λ2 = 1 (without a run of 5) at λ1 = 0.1." in report.notes
    runs.add({"distill.logits.enabled": True}, 0, 90.0, validation=90.0)
    (report,) = _reports("5", runs)
    assert f"{told} at λ2 = 0; then λ2 = 1 at λ1 = 0.1." in report.notes


def test_the_search_on_tdn_stands_below_that_of_the_paper_where_there_is_one() -> None:
    runs = RunTable()
    tdn = {"student.arch": "tdn", "teacher.arch": "tdn"}
    for seed in range(2):
        runs.add(PLAIN, seed, 60.0)
        runs.add(SPATIAL, seed, 65.0, validation=60.0)
    (alone,) = _reports("5", runs)
    assert len(alone.rows) == 10 and {row.definition.block for row in alone.rows} == {"tsm"}
    for seed in range(2):
        runs.add({**tdn, "distill.logits.enabled": True}, seed, 76.0)
        runs.add({**tdn, **PLAIN}, seed, 70.0)
        runs.add({**tdn, "distill.temporal.weight": 5.0}, seed, 74.0, validation=62.0)
        runs.add({**tdn, **SPATIAL, "distill.spatial.weight": 0.01}, seed, 71.0 + seed, validation=61.0)
        runs.add({**tdn, **SPATIAL}, seed, 73.0, validation=62.0)
    (report,) = _reports("5", runs)
    assert report.rows[:10] == alone.rows
    assert [(row.definition.method, *row.definition.labels.values()) for row in report.rows[10:]] == [
        ("TDN, three streams", "0", "0"),
        ("TDN + ours", "0.01", "0"),
        ("TDN + ours", "0.1", "0"),
        ("TDN + ours + logits", "0.1", "1"),
        ("TDN + ours", "0.1", "5"),
    ]
    # Compared with TDN's own three streams, and with nothing that the paper has printed.
    assert [row.differences["three streams"].mean for row in report.rows[11:]] == [1.5, 3.0, 6.0, 4.0]
    assert not any(row.published for row in report.rows[10:])
    best = "Best on validation videos, of the rows of"
    assert [note for note in report.notes if note.startswith(best)] == [
        f"{best} TSM that ran: λ1 = 0.1 (without a run of 0.01, 1) at λ2 = 0; no row with λ1 = 0.1 and λ2 above 0 has "
        "run.",
        f"{best} TDN that ran: λ1 = 0.1 (without a run of 1) at λ2 = 0; then λ2 = 0 and 5 (alike; without a run of "
        "0.1, 1) at λ1 = 0.1.",
    ]


def test_weights_that_tie_and_weights_that_have_not_run_are_said() -> None:
    runs = RunTable()
    for weight in (0.1, 1.0):
        runs.add({**SPATIAL, "distill.spatial.weight": weight}, 0, 65.0, validation=64.0)
    # No row of the search beside lambda1: temporal knowledge alone.
    runs.add(TEMPORAL, 0, 65.0, validation=99.0)
    (report,) = _reports("5", runs)
    assert (
        "Best on validation videos, of the rows of TSM that ran: λ1 = 0.1 and 1 (alike; without a run of 0.01) at λ2 = "
        "0; no row with λ1 = 0.1 and λ2 above 0 has run."
    ) in report.notes


def test_a_complete_table_says_so() -> None:
    runs = RunTable()
    for arch in ("tsm", "tdn"):
        for seed in range(2):
            for settings in (PLAIN, NO_KD, SPATIAL, TEMPORAL, BOTH):
                runs.add({**settings, "student.arch": arch, "teacher.arch": arch}, seed, 60.0 + seed)
    (report,) = _reports("4", runs)
    assert "Complete: 10 rows x 2 seeds finished, one code version, one data version." in report.notes


def test_what_a_search_has_run_stands_in_no_row_and_is_counted_below() -> None:
    runs = _ablation()
    (before,) = _reports("4", runs)
    for seed in range(5):
        runs.add({**SPATIAL, "distill.spatial.weight": 0.3}, seed, 99.0, is_search=True)
    runs.add({**SPATIAL, "data.name": "ucf101"}, 0, 99.0, is_search=True)
    (after,) = _reports("4", runs)
    assert [row.top1 for row in after.rows] == [row.top1 for row in before.rows]
    assert list(after.notes) == [
        *before.notes,
        "Runs of searches, in no row: 5. A search chooses its settings by results; a stage that lists its cells "
        "measures them.",
    ]
