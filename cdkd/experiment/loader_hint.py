"""What to do where a training waits for its clips longer than it computes; said once per training."""

import logging
from collections.abc import Mapping, Sequence

from cdkd.callbacks import Log
from cdkd.capacity import own_cores
from cdkd.data.cache.packed import packing_remedy
from cdkd.data.cache.packed_record import layout_to_store
from cdkd.data.loading.dataset import ClipDataset
from cdkd.metric_names import DATA_SECONDS, STEP_SECONDS

logger = logging.getLogger(__name__)

_MIN_SECONDS = 1.0
"""An epoch that waits less than this is short, and its shares mean little."""


def with_hint(log: Log, source: ClipDataset, unlabelled: ClipDataset | None = None) -> Log:
    """`log`, which from then on also warns once where `source` or `unlabelled` is what a training waits for."""
    sources = [each for each in (source, unlabelled) if each is not None]
    is_first, is_told = True, False

    def log_and_warn(metrics: dict[str, float], epoch: int) -> None:
        nonlocal is_first, is_told
        log(metrics, epoch)
        # The first epoch may have filled the memory that all others read from.
        may_improve = is_first and any(len(each.memory) > 0 for each in sources)
        is_first = False
        if is_told or may_improve:
            return
        if text := hint(metrics, sources, own_cores()):
            is_told = True
            logger.warning("epoch %d: %s", epoch, text)

    return log_and_warn


def hint(metrics: Mapping[str, float], sources: Sequence[ClipDataset], num_cores: int) -> str:
    """What would make an epoch with these metrics faster; "" where it computes longer than it waits, or nothing would.

    Args:
        metrics: of the epoch.
        sources: of its clips; they share the processes that read ahead.
        num_cores: that the training may use.
    """
    waited, computed = metrics[DATA_SECONDS], metrics[STEP_SECONDS]
    if waited < max(computed, _MIN_SECONDS):
        return ""
    remedies = []
    # One core is left to the training itself.
    num_workers = sources[0].num_workers
    if num_cores - 1 > num_workers:
        remedies.append(f"more processes that read ahead (runtime.num_workers={num_cores - 1}, now {num_workers})")
    # Parts of one data set share its cache.
    for source in {source.root: source for source in sources if source.packed is None}.values():
        stored = layout_to_store(source.layout, {length for usable in source.gops for length in usable.lengths})
        remedies.append(f"a packed cache ({packing_remedy(source.root, stored, source.form)})")
    if not remedies:
        return ""
    return f"waited {waited:.0f} s for clips and computed {computed:.0f} s; what helps: {', or '.join(remedies)}"
