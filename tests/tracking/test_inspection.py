"""Inspections: sizes that fit together, a file that gives back what it was given, and runs with and without one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.inspections import an_inspection

from cdkd.tracking.inspection import load_inspection, read_inspection
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import TrackingError
from cdkd.tracking.tracker import RunStart


def test_a_run_gives_back_what_it_keeps(store: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(store, "mine", tmp_path / ".cdkd")
    tracker.prepare(["rows"])
    with_one, without = (
        tracker.open(RunStart("cell", "mine", "rows", "TSM", cell, 0, 1, "", {}, {})) for cell in ("c1", "c2")
    )
    known = an_inspection()
    known.write(tmp_path / "inspection.npz")
    tracker.attach(with_one, tmp_path / "inspection.npz", "inspection")
    found = load_inspection(with_one, store)
    assert found is not None and load_inspection(without, store) is None
    for name, array in vars(known).items():
        assert np.array_equal(getattr(found, name), array), name


def test_sizes_that_do_not_fit_together() -> None:
    known = an_inspection()
    with pytest.raises(ValueError, match=r"example_gates: \(2, 5\) has t = 5, elsewhere 4|gates: \(6, 4\) has t = 4"):
        replace(known, example_gates=np.zeros((2, 5), np.float32))
    with pytest.raises(ValueError, match=r"gates: expected 2 axes \(N, t\), got \(6,\)"):
        replace(known, gates=np.zeros(6, np.float32))


def test_a_damaged_file(tmp_path: Path) -> None:
    file = tmp_path / "inspection.npz"
    an_inspection().write(file)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(TrackingError, match="cannot be read as an inspection"):
        read_inspection(file)
