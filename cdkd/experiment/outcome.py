"""What a finished run leaves behind."""

from dataclasses import dataclass, field
from pathlib import Path

from cdkd.run_status import RunStatus


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves behind."""

    status: RunStatus
    """finished or diverged."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Accuracies in percent, by part: test_top1, test_top5, validation_top1, ..."""
    artifacts: dict[str, Path] = field(default_factory=dict)
    """Files by kind: `scores` (per-video, parquet), `checkpoint` (safetensors)."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Provenance: data set, its version and counts, split, views, teacher, initial weights."""
