"""The test-time protocol that a run resolves from its data set: a literal table from the paper."""

import pytest
from support.tiny import tiny

from cdkd.experiment.inputs import RunError, resolve_evaluation


@pytest.mark.parametrize(
    ("name", "input_size", "given", "expected"),
    [
        ("shapes", 48, {}, (1, 1, 48)),
        ("folder", 112, {}, (1, 1, 112)),
        ("kinetics400", 224, {}, (10, 3, 256)),
        ("ssv2", 224, {}, (2, 3, 256)),
        ("ucf101", 112, {}, (10, 3, 128)),
        ("hmdb51", 48, {}, (10, 3, 55)),
        ("kinetics400", 224, {"evaluation__clips": 1, "evaluation__crops": 1}, (1, 1, 256)),
        ("kinetics400", 224, {"evaluation__resize": 224}, (10, 3, 224)),
        ("folder", 224, {"evaluation__clips": 4, "evaluation__crops": 3}, (4, 3, 256)),
    ],
)
def test_views_follow_from_the_data_set(
    name: str, input_size: int, given: dict[str, int], expected: tuple[int, int, int]
) -> None:
    resolved = resolve_evaluation(tiny(data__name=name, data__input_size=input_size, evaluation__batch_size=7, **given))
    assert (resolved.clips, resolved.crops, resolved.resize) == expected
    assert (resolved.batch_size, resolved.every_epochs) == (7, 0)


def test_crops_larger_than_the_frame_are_refused() -> None:
    with pytest.raises(RunError, match=r"evaluation\.resize=30: smaller than the crops of data\.input_size=32"):
        resolve_evaluation(tiny(evaluation__resize=30))
