"""How many workers a machine carries, from made-up limits."""

import os
from pathlib import Path

import pytest

from cdkd.capacity import default_workers, gpu_names, memory_bytes, num_cores, own_cores


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


def test_one_worker_per_gpu_and_fewer_where_processes_share_them(tmp_path: Path) -> None:
    assert default_workers(tmp_path, num_gpus=3) == 3
    assert default_workers(tmp_path, num_gpus=4, num_processes=2) == 2
    assert default_workers(tmp_path, num_processes=3) == 2
    assert default_workers(tmp_path, num_processes=99) == 1
    # Eight processes of 1.5 GiB each in 12 GiB.
    assert default_workers(limits(tmp_path, "max 100000", str(12 * 2**30)), num_gpus=16, num_processes=4) == 2


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("3,5", ("3", "5")),
        (" 3, 5 ,3", ("3", "5")),
        ("", ()),
        ("NoDevFiles", ()),
        ("-1", ()),
        ("0,-1,2", ("0",)),
        ("GPU-8932f937-d72c,MIG-5c89", ("GPU-8932f937-d72c", "MIG-5c89")),
    ],
)
def test_gpus_that_were_chosen_are_the_ones_to_share(
    chosen: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert gpu_names() == names


def test_without_a_choice_the_driver_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for bus in ("0000:3b:00.0", "0000:af:00.0"):
        (tmp_path / bus).mkdir()
    assert gpu_names(tmp_path) == ("0", "1")
    assert gpu_names(tmp_path / "nothing") == ()


def test_cores_are_shared_between_cells_and_between_their_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CDKD_CORES_OF_CELL", raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert own_cores(tmp_path) == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert own_cores(tmp_path) == 4
    monkeypatch.setenv("CDKD_CORES_OF_CELL", "6")
    assert own_cores(tmp_path) == 3
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert own_cores(tmp_path) == 1
