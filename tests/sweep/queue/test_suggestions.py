"""Suggestions: kept once for everybody, and the same whoever asks."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.postgres import PostgresServer

from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.suggestions import Suggestion, add_suggestion, read_suggestions, suggest
from cdkd.sweep.study.records import Range, Search

SEARCH = Search("tpe", 9, "none", "validation/top1", (Range("distill.spatial.weight", 0.01, 1.0, True),), (0,), 3, 0)


def test_two_folders_with_one_database_share_a_searchs_suggestions(postgres: PostgresServer, tmp_path: Path) -> None:
    address = postgres.address(postgres.new_database())
    here, there = (StudyFolder(tmp_path / name / "study") for name in ("here", "there"))
    for folder in (here, there):
        folder.use_storage(address)
    add_suggestion(here, "explore", "d1", SEARCH, [])
    (first,) = read_suggestions(there, "explore", "d1")
    # The other one did not know of it: nothing is added, and nothing lost.
    add_suggestion(there, "explore", "d1", SEARCH, [])
    assert read_suggestions(here, "explore", "d1") == [first]
    add_suggestion(there, "explore", "d1", SEARCH, [Suggestion(first)])
    both = read_suggestions(here, "explore", "d1")
    assert both[0] == first and len(both) == 2 and both[1] != first
    # Another space is another search.
    assert read_suggestions(here, "explore", "d2") == []


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "gp"])
def test_a_suggestion_depends_on_the_results_alone(sampler: str) -> None:
    search = replace(SEARCH, sampler=sampler)
    known: list[Suggestion] = []
    for number in range(5):
        values = suggest(search, known)
        assert values == suggest(search, known)
        known.append(Suggestion(values, "COMPLETE", float(number)))
    assert len({one.values["distill.spatial.weight"] for one in known}) == 5
