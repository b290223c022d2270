"""A cell by the beginning of its id, its label, or a part of it; several are listed."""

import pytest

from cdkd.errors import CdkdError
from cdkd.sweep.queue.task_reference import find_task

LABELS = {
    "3f2a11": "TSM, both, seed 0",
    "3f2b22": "TSM, both, seed 1",
    "99cc33": "TSM, both and more, seed 0",
    "teacher-77": "teacher tsm (resnet18)",
}


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("99", "99cc33"),
        ("3f2b", "3f2b22"),
        ("tsm, both, seed 1", "3f2b22"),
        ("TSM, both and more", "99cc33"),
        ("and more", "99cc33"),
        ("teacher", "teacher-77"),
    ],
)
def test_one_is_meant(text: str, task: str) -> None:
    assert find_task(text, LABELS) == task


def test_several_are_listed() -> None:
    with pytest.raises(CdkdError) as caught:
        find_task("TSM, both", LABELS)
    assert str(caught.value).splitlines() == [
        "'TSM, both' may be any of 2; say more of one:",
        "  3f2a11  TSM, both, seed 0",
        "  3f2b22  TSM, both, seed 1",
    ]


def test_none_is_meant() -> None:
    with pytest.raises(
        CdkdError, match=r"^TSM, bith, seed 0: no cell of this study; did you mean 'TSM, both, seed 0'\?"
    ):
        find_task("TSM, bith, seed 0", LABELS)
