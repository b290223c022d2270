"""Shards share the work without overlap and are put together again."""

from pathlib import Path

import pytest

from cdkd.data.manifest import DatasetError
from cdkd.data.preparation.job_shards import JobShard, ShardResult, merge_shards, parse_shard, read_shards, write_shard


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
