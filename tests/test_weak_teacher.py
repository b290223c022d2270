"""When a teacher is too weak to learn from."""

import pytest

from cdkd.weak_teacher import UntaughtRow, weakness

DECODER = UntaughtRow("decoder, no KD", True, (80.0, 90.0))
PLAIN = UntaughtRow("three streams", False, (60.0, 62.0))
OTHER_PLAIN = UntaughtRow("another", False, (10.0,))
UNKNOWN = UntaughtRow("not validated", False, ())


@pytest.mark.parametrize(
    ("reached", "rows", "against"),
    [
        (61.0, (DECODER, PLAIN), "(61.0 against 61.0 % of 'three streams')"),
        (61.1, (DECODER, PLAIN), ""),
        (61.0, (PLAIN, OTHER_PLAIN), "(61.0 against 61.0 % of 'three streams')"),
        (84.9, (UNKNOWN, DECODER), "(84.9 against 85.0 % of 'decoder, no KD')"),
        (0.0, (UNKNOWN,), ""),
        (0.0, (), ""),
    ],
)
def test_a_teacher_is_compared_with_its_plain_student(
    reached: float, rows: tuple[UntaughtRow, ...], against: str
) -> None:
    found = weakness(reached, rows)
    assert against in found and bool(found) == bool(against)
