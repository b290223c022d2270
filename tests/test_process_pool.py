"""Workers that start from any script, die with their parent, and do not take others with them when they are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.official_trees import H264, write_video
from support.prepared import prepared_folder

from cdkd.process_pool import Killed, WorkerError, map_deadly, map_in_processes


def test_results_keep_the_items_order() -> None:
    assert list(map_in_processes(abs, [-3, 2, -1], 2)) == [3, 2, 1]
    assert list(map_in_processes(abs, [], 2)) == []


def test_one_item_or_one_worker_needs_no_process() -> None:
    pid = os.getpid()
    assert list(map_in_processes(_process_of, [1, 2, 3], 1)) == [pid] * 3


def _process_of(item: int) -> int:
    return os.getpid()


def test_an_error_comes_out_as_it_was_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_in_processes(int, ["1", "x", "3"], 2))
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_deadly(int, ["1", "x", "3"], 2))


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(WorkerError, match="killed, perhaps for want of memory; use fewer workers"):
        list(map_in_processes(os._exit, [1, 1], 2))


@pytest.mark.parametrize("num_workers", [1, 2])
def test_only_the_item_that_kills_its_process_is_lost(num_workers: int) -> None:
    items = ["1", "__import__('os')._exit(3)", "2", "__import__('os').kill(__import__('os').getpid(), 9)", "3", "4"]
    outcomes = list(map_deadly(eval, items, num_workers))
    killed = [outcome.item for outcome in outcomes if isinstance(outcome, Killed)]
    assert sorted(killed) == sorted(item for item in items if "os" in item)
    assert sorted(outcome for outcome in outcomes if isinstance(outcome, int)) == [1, 2, 3, 4]


def run_script(folder: Path, text: str, *arguments: object, seconds: float = 240.0) -> str:
    """Runs a file without `if __name__ == "__main__"`; what it prints."""
    script = folder / "script.py"
    script.write_text(text)
    command = [sys.executable, str(script), *map(str, arguments)]
    environment = {**os.environ, "CDKD_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bare_script_generates_the_embedded_data(tmp_path: Path) -> None:
    text = """
print("begins")
import cdkd.data.shapes.writing
cdkd.data.shapes.writing.default_workers = lambda: 2
from cdkd.data.opening import open_dataset
counts = {f"{part}_clips_per_class": 1 for part in ("train", "validation", "test", "pretrain")}
print(len(open_dataset("shapes", shapes={"frame_size": 32, "num_frames": 4, **counts}).manifest.videos))
"""
    assert run_script(tmp_path, text) == "begins\n48\n"


def test_a_bare_script_transcodes_a_folder(tmp_path: Path) -> None:
    for number in range(6):
        write_video(tmp_path / "in" / "ab"[number % 2] / f"{number}.mp4", H264, seed=number)
    text = """
import sys
print("begins")
from cdkd.data.opening import open_dataset
print(len(open_dataset(sys.argv[1]).manifest.videos))
"""
    assert run_script(tmp_path, text, tmp_path / "in") == "begins\n6\n"


def test_a_bare_script_indexes_and_packs(tmp_path: Path) -> None:
    root = prepared_folder(tmp_path / "set", 3, 1).root
    text = """
import sys
from pathlib import Path
print("begins")
from cdkd.data.cache import gop_index
from cdkd.data.cache.packing import PackJob, pack
from cdkd.data.cache.packed_record import StoredLayout
from cdkd.data.manifest import read_manifest
gop_index._CHUNK = 2
manifest = read_manifest(Path(sys.argv[1]))
print(len(gop_index.index_gops(manifest.root, [video.path for video in manifest.videos], 2)))
print(pack(PackJob((manifest,), StoredLayout(3), num_workers=2, gops_per_shard=3)).num_shards)
"""
    assert run_script(tmp_path, text, root) == "begins\n4\n4\n"


def test_workers_die_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import time\nfrom cdkd.process_pool import map_in_processes\nlist(map_in_processes(time.sleep, [60, 60], 2))"
    )
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        end = time.monotonic() + 30
        while len(sleepers := _workers_of(process.pid)) < 2:
            assert time.monotonic() < end, "the workers did not start"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        while any(_is_alive(pid) for pid in sleepers):
            assert time.monotonic() < end, "the workers live on"
            time.sleep(0.05)
    finally:
        process.kill()


def _workers_of(pid: int) -> list[int]:
    """Children that have started a thread: the one that watches their parent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and len(list((folder / "task").iterdir())) > 1:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
