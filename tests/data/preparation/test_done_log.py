"""A killed preparation goes on where it stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
from support.official_trees import ucf101_tree
from support.preparing import counts, files_below, good_folder, job_of

from cdkd.data.manifest import read_manifest
from cdkd.data.preparation.prepare import prepare


def test_a_torn_journal_line_costs_one_video(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    prepare(job)
    done_log = job.output / ".prepare" / "journal-shard-1-of-1.jsonl"
    text = done_log.read_bytes()
    done_log.write_bytes(text[:-20])
    assert counts(prepare(job)) == (1, 6, 0)
    lines = [json.loads(line) for line in done_log.read_bytes().splitlines() if line.endswith(b"}")]
    assert len({line["path"] for line in lines}) == 7
    assert counts(prepare(job)) == (0, 7, 0)


PRELUDE = """
import sys
from dataclasses import replace
from pathlib import Path
from cdkd.data.annotations.catalog import DATASETS
from cdkd.data.preparation.prepare import PrepareJob, prepare
from cdkd.data.preparation.transcoding import TranscodeSettings
settings = TranscodeSettings(width=80, height=64, gop_length=6, quantiser=8)
job = PrepareJob(DATASETS["folder"], Path(sys.argv[1]), Path(sys.argv[2]), settings=settings)
if __name__ == "__main__":
    """


def test_killed_and_run_again(tmp_path: Path) -> None:
    source, output = good_folder(tmp_path / "in", num_videos=60), tmp_path / "out"
    script = tmp_path / "script.py"
    script.write_text(PRELUDE + "prepare(replace(job, num_workers=2))")
    process = subprocess.Popen(
        [sys.executable, str(script), str(source), str(output)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        wait_until(lambda: len(list((output / "videos").rglob("*.mp4"))) >= 10)
        children = children_of(process.pid)
        assert len(children) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not any(is_alive(child) for child in children))
    finally:
        process.kill()
    left = files_below(output / "videos")
    assert 10 <= len(left) < 120
    for name in left:  # whatever bears a video's name is whole
        with av.open(str(output / "videos" / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 14
    assert not (output / "manifest.csv").exists()

    report = prepare(job_of("folder", source, output))
    # At most the videos between a rename and the journal's line are made twice: one per worker and its queue.
    assert report.num_kept >= len(left) - 10
    assert report.num_kept + report.num_transcoded == 120
    expected = {"manifest.csv", "quarantine.csv"} | {video.path for video in read_manifest(output).videos}
    assert {path for path in files_below(output) if not path.startswith(".prepare/")} == expected
    assert not [path for path in files_below(output / ".prepare") if path.endswith(".mp4")]
    clean = prepare(job_of("folder", source, tmp_path / "clean"))
    assert read_manifest(output).version == clean.manifests[1].version


def children_of(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: object, seconds: float = 30.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
