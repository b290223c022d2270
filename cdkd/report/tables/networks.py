"""Rows that several tables have: the student without distillation, and the one with the paper's."""

from collections.abc import Mapping
from typing import Any

NETWORKS = {"tsm": "TSM", "tdn": "TDN"}
"""Architecture -> how tables call it."""
OVER_PLAIN, OVER_DECODER = "three streams", "decoder"
"""What a row is compared with: the paper's baseline, and the row that differs from it in the distillation alone."""
COVIAR: Mapping[str, Any] = {"student.model": "coviar"}
SEARCHED_ON_TEST = (
    "The paper chose both lambdas on the test sets that it reports; here a study chooses them on validation videos."
)
WHY_DECODER_ROW = (
    'The paper\'s baseline has no pseudo-decoder; the row "decoder, no KD" is ours and separates what the decoder '
    "changes from what the distillation changes."
)


def student(arch: str, decoder: bool) -> dict[str, Any]:
    """Settings of the three-stream student of an architecture."""
    return {"student.model": "three_stream", "student.arch": arch, "student.decoder": decoder}
