"""What to do where a training waits for its clips longer than it computes; said once per training."""

import logging
from collections.abc import Mapping

from cdkd.callbacks import Log
from cdkd.capacity import own_cores
from cdkd.data.cache.packed import packing_remedy
from cdkd.data.cache.packed_record import layout_to_store
from cdkd.data.loading.dataset import ClipDataset
from cdkd.metric_names import DATA_SECONDS, STEP_SECONDS

logger = logging.getLogger(__name__)

_MIN_SECONDS = 1.0
"""An epoch that waits less than this is short, and its shares mean little."""


def with_hint(log: Log, source: ClipDataset) -> Log:
    """`log`, which from then on also warns once where `source` is what a training waits for."""
    is_first, is_told = True, False

    def log_and_warn(metrics: dict[str, float], epoch: int) -> None:
        nonlocal is_first, is_told
        log(metrics, epoch)
        # The first epoch may have filled the memory that all others read from.
        may_improve = is_first and len(source.memory) > 0
        is_first = False
        if is_told or may_improve:
            return
        if text := hint(metrics, source, own_cores()):
            is_told = True
            logger.warning("epoch %d: %s", epoch, text)

    return log_and_warn


def hint(metrics: Mapping[str, float], source: ClipDataset, num_cores: int) -> str:
    """What would make an epoch with these metrics faster; "" where it computes longer than it waits, or nothing would.

    Args:
        metrics: of the epoch.
        source: of its clips.
        num_cores: that the training may use.
    """
    waited, computed = metrics[DATA_SECONDS], metrics[STEP_SECONDS]
    if waited < max(computed, _MIN_SECONDS):
        return ""
    remedies = []
    # One core is left to the training itself.
    if num_cores - 1 > source.num_workers:
        remedies.append(
            f"more processes that read ahead (runtime.num_workers={num_cores - 1}, now {source.num_workers})"
        )
    if source.packed is None:
        stored = layout_to_store(source.layout, {length for usable in source.gops for length in usable.lengths})
        remedies.append(f"a packed cache ({packing_remedy(source.root, stored, source.form)})")
    if not remedies:
        return ""
    return f"waited {waited:.0f} s for clips and computed {computed:.0f} s; what helps: {', or '.join(remedies)}"
