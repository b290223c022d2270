"""What a checkpoint of ours says about itself, read from the head of its file; imports no torch."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cdkd.metric_names import TEST_TOP1, TEST_TOP5, VALIDATION_TOP1, current_name
from cdkd.models.errors import ModelError

Description = dict[str, Any]
"""As JSON: `architecture`, `classes`, `preprocessing`, and what else is known."""

FORMAT = "cdkd-1"
SUFFIX = ".safetensors"
_ACCURACIES = (VALIDATION_TOP1, TEST_TOP1, TEST_TOP5)


def load_description(path: Path) -> Description:
    """What a checkpoint says about itself; no tensor is read.

    Raises:
        ModelError: no such file, not safetensors, or not written by `checkpoints.save_model`.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="np") as file:
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a safetensors file, or cut short: {error}") from error
    if "description" not in metadata:
        raise ModelError(
            f"{path}: no description inside, so it was not written by cdkd; "
            "official TSM and TDN files are converted by `cdkd teacher import`"
        )
    try:
        description: Description = json.loads(metadata["description"])
    except ValueError as error:
        raise ModelError(f"{path}: its description is damaged: {error}") from error
    if description.get("format") != FORMAT:
        raise ModelError(f"{path}: format {description.get('format')!r}, this version reads {FORMAT!r}")
    return description


def described_accuracies(description: Description) -> dict[str, float]:
    """The accuracies that a teacher's training came to, in percent, as far as its checkpoint tells them."""
    return {current_name(key): float(value) for key, value in description.items() if current_name(key) in _ACCURACIES}
