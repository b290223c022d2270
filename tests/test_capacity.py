"""How many workers a machine carries, from made-up limits."""

import os
from pathlib import Path

import pytest

from cdkd.capacity import default_workers, gpu_names, memory_bytes, num_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 32 * 2**30 // 4096}.__getitem__)


def limits(folder: Path, cpu: str, memory: str) -> Path:
    (folder / "cpu.max").write_text(cpu + "\n")
    (folder / "memory.max").write_text(memory + "\n")
    return folder


def test_a_container_counts_its_quota(tmp_path: Path) -> None:
    assert num_cores(limits(tmp_path, "200000 100000", "max")) == 2
    assert num_cores(limits(tmp_path, "50000 100000", "max")) == 1
    assert num_cores(limits(tmp_path, "max 100000", "max")) == 8
    assert num_cores(limits(tmp_path, "1600000 100000", "max")) == 8


def test_memory_bounds_the_workers(tmp_path: Path) -> None:
    assert memory_bytes(limits(tmp_path, "max 100000", "max")) == 32 * 2**30
    assert memory_bytes(limits(tmp_path, "max 100000", str(5 * 2**30))) == 5 * 2**30
    assert default_workers(limits(tmp_path, "max 100000", "max")) == 8
    assert default_workers(limits(tmp_path, "max 100000", str(5 * 2**30))) == 3
    assert default_workers(limits(tmp_path, "max 100000", str(2**28))) == 1


def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    assert default_workers(tmp_path) == 8


def test_gpus_that_were_chosen_are_the_ones_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert gpu_names() == ("3", "5")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_names() == ()
