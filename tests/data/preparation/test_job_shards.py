"""Shards share the work without overlap and are put together again."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support.official_trees import ucf101_tree
from support.preparing import SMALL, counts, good_folder, job_of

from cdkd.data.manifest import DatasetError, read_manifest
from cdkd.data.preparation.job_shards import JobShard, ShardResult, merge_shards, parse_shard, read_shards, write_shard
from cdkd.data.preparation.prepare import PrepareJob, prepare


def test_shards_cover_all_paths_once() -> None:
    assert [JobShard(index, 3).of("abcdefgh") for index in (1, 2, 3)] == [tuple("adg"), tuple("beh"), tuple("cf")]
    assert JobShard(5, 5).of("abc") == ()


def test_parse() -> None:
    assert parse_shard("2/8") == JobShard(2, 8)
    for wrong in ("0/3", "4/3", "2", "a/b", "/2", "-1/2", "1/2/3"):
        with pytest.raises(DatasetError, match=f"--shard {wrong}: expected I/N"):
            parse_shard(wrong)


def test_results_of_one_plan_are_merged(tmp_path: Path) -> None:
    write_shard(tmp_path, JobShard(1, 2), ShardResult("p", {"b": "1"}, {"d": "cut off"}, ("f", "a")))
    write_shard(tmp_path, JobShard(2, 2), ShardResult("p", {"c": "2", "x": "3"}, {}, ("e",)))
    write_shard(tmp_path, JobShard(1, 3), ShardResult("p", {}, {}, ()))
    results = read_shards(tmp_path, 2, "p")
    merged = merge_shards(results)
    assert merged == ShardResult("p", {"b": "1", "c": "2", "x": "3"}, {"d": "cut off"}, ("a", "e", "f"))
    assert merged.broken_fraction == 0.25
    assert (merged.is_acceptable(0.25), merged.is_acceptable(0.24)) == (True, False)
    assert read_shards(tmp_path, 2, "q") == {}
    assert list(read_shards(tmp_path, 3, "p")) == [1]


def test_nothing_is_not_acceptable() -> None:
    assert not ShardResult("p", {}, {}, ("a",)).is_acceptable(1.0)


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "shard-1-of-2.json").write_text('{"plan": "p"}')
    with pytest.raises(DatasetError, match=r"shard-1-of-2.json: is damaged .*run this shard again"):
        read_shards(tmp_path, 2, "p")


def test_shards_make_the_same_manifest(tmp_path: Path) -> None:
    source = ucf101_tree(tmp_path / "in")
    whole = prepare(job_of("ucf101", source, tmp_path / "whole"))
    job = job_of("ucf101", source, tmp_path / "sharded")
    done = [prepare(replace(job, shard=JobShard(index, 3))) for index in (3, 1, 2)]
    assert [counts(report)[0] for report in done] == [2, 3, 2]
    assert [report.shards_done for report in done] == [(3,), (1, 3), (1, 2, 3)]
    assert [bool(report.manifests) for report in done] == [False, False, True]
    for split in (1, 2, 3):
        assert read_manifest(job.output, split).version == whole.manifests[split].version
    # what shards made is known to a run without them
    assert counts(prepare(job)) == (0, 7, 0)


def test_shards_of_another_plan_are_not_merged(tmp_path: Path) -> None:
    job = job_of("ucf101", ucf101_tree(tmp_path / "in"), tmp_path / "out")
    prepare(replace(job, shard=JobShard(1, 2)))
    other = prepare(replace(job, shard=JobShard(2, 2), settings=replace(SMALL, quantiser=20)))
    assert other.shards_done == (2,)
    assert other.manifests == {}


def test_different_shardings_at_once_share_the_output(tmp_path: Path) -> None:
    source, output = good_folder(tmp_path / "in"), tmp_path / "out"
    jobs = [
        replace(job_of("folder", source, output), shard=shard)
        for shard in (JobShard(1, 1), JobShard(1, 2), JobShard(2, 2))
    ]
    failures: list[BaseException] = []

    def run(job: PrepareJob) -> None:
        try:
            prepare(job)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    clean = prepare(job_of("folder", source, tmp_path / "clean"))
    assert read_manifest(output).version == clean.manifests[1].version
