"""A sweep whose teacher knows no more than its students says so."""

import pytest
from support.sweeps import Bench

ROWS = """
study: mine
seeds: [0, 4]
stages:
  - name: rows
    rows:
      decoder, no KD: {distill: {spatial: {enabled: false}, temporal: {enabled: false}}}
      baseline:
        student: {decoder: false, head: streams}
        distill: {spatial: {enabled: false}, temporal: {enabled: false}}
      other: {student: {arch: tdn}, distill: {spatial: {enabled: false}, temporal: {enabled: false}}}
      both: {}
"""
# A row without distillation reaches 60 and a hundredth for each seed on validation videos.
BASELINE = 60.02


@pytest.mark.parametrize(("reached", "is_weak"), [(BASELINE - 0.01, True), (BASELINE + 0.01, False)])
def test_a_teacher_below_its_students_baseline_is_warned_of_once(bench: Bench, reached: float, is_weak: bool) -> None:
    (bench.fake / "weak-teacher").write_text(str(reached))
    result = bench.sweep(bench.write(ROWS), workers=0)
    assert result.is_complete
    told = [text for text in bench.display.texts if text.startswith("WARNING")]
    assert len(told) == len(result.warnings) == is_weak
    if is_weak:
        expected = "teacher tsm (slim) is no better on validation videos than its student without distillation (60.0"
        assert expected in told[0] and "'baseline'" in told[0] and "teacher.weights" in told[0]
        # A sweep that trains nothing any more still tells.
        assert bench.sweep(bench.write(ROWS), workers=0).warnings == result.warnings


def test_without_a_plain_row_any_other_without_distillation_is_compared(bench: Bench) -> None:
    (bench.fake / "weak-teacher").write_text("20.0")
    text = ROWS.replace("baseline:", "unused:").replace(
        "student: {decoder: false, head: streams}", "student: {arch: tdn}"
    )
    result = bench.sweep(bench.write(text), workers=0)
    assert "'decoder, no KD'" in result.warnings[0]


def test_a_study_that_compares_nothing_warns_of_nothing(bench: Bench) -> None:
    (bench.fake / "weak-teacher").write_text("20.0")
    study = "study: mine\nstages:\n  - name: rows\n    rows: {both: {}}\n"
    assert bench.sweep(bench.write(study), workers=0).warnings == ()
