"""What a sweep's workers get of made-up machines."""

import os

import pytest
from support.tiny import tiny

from cdkd.errors import CdkdError
from cdkd.sweep.workers.places import Places, find_places


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdkd.sweep.workers.places.num_cores", lambda: 8)
    monkeypatch.setattr("cdkd.capacity.num_cores", lambda cgroup: 8)
    monkeypatch.setattr("cdkd.capacity.memory_bytes", lambda cgroup: 2**40)


def gpus_of(places: Places) -> list[str]:
    return [places.environment(worker)["CUDA_VISIBLE_DEVICES"] for worker in range(places.num_workers)]


def test_one_worker_per_gpu_with_an_equal_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    places = find_places([tiny(runtime__device="auto", runtime__num_threads=3), tiny(runtime__device="auto")], None)
    assert gpus_of(places) == ["4", "6"]
    environment = places.environment(1)
    assert environment["CDKD_CORES_OF_CELL"] == "4"
    assert (environment["OMP_NUM_THREADS"], environment["NUMBA_NUM_THREADS"]) == ("3", "3")
    # More workers than GPUs share them in turn.
    assert gpus_of(find_places([tiny(runtime__device="cuda")], 3)) == ["4", "6", "4"]


def test_a_cell_on_several_gpus_has_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(runtime__device="auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,GPU-8932f937,4")
    assert gpus_of(find_places([config], None, 2)) == ["0,1", "2,GPU-8932f937"]
    with pytest.raises(CdkdError, match=r"2 with 3 workers takes 6 GPUs, and 5 can be seen \(0, 1, 2, GPU-8932f937"):
        find_places([config], 3, 2)
    with pytest.raises(CdkdError, match="8 with 1 worker takes 8 GPUs, and 5"):
        find_places([config], None, 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a,MIG-b")
    assert gpus_of(find_places([config], None)) == ["MIG-a", "MIG-b"]
    with pytest.raises(CdkdError, match="one MIG instance at most"):
        find_places([config], None, 2)


def test_cells_that_name_their_device_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    cpu = find_places([tiny(runtime__device="cpu")], None, 2)
    assert (cpu.num_workers, cpu.gpus) == (4, ())
    assert gpus_of(find_places([tiny(runtime__device="cuda:1")], None)) == ["4,6"]


def test_without_gpus_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_places([tiny(runtime__device="auto")], None) == Places(8)
    assert find_places([tiny(runtime__device="auto")], None, 2) == Places(4, 2)
    assert find_places([tiny(runtime__device="auto")], 1, 16) == Places(1, 16)


def test_a_worker_is_alone_whatever_started_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "3")
    assert not {"WORLD_SIZE", "RANK"} & Places(1).environment(0).keys()
    assert "WORLD_SIZE" in os.environ
