"""Which measured rows of a table are the best for sure, so that it may print them in bold."""

from collections import defaultdict
from collections.abc import Sequence

from cdkd.report.aggregate import TableRow, top1_by_seed
from cdkd.report.statistics import MIN_SEEDS_TO_TEST, paired_difference


def clearly_best(rows: Sequence[TableRow]) -> frozenset[str]:
    """Keys of the rows that are above all others of their network by more than the seeds scatter.

    That is, the 95 % interval of the paired difference between a network's best row and its next best leaves out 0.
    Teachers, which see raw frames, take no part; below six common seeds nothing is for sure.
    """
    by_network: dict[str, list[TableRow]] = defaultdict(list)
    for row in rows:
        if row.finished and row.top1 is not None:
            by_network[row.definition.block].append(row)
    found = set()
    for network in by_network.values():
        if len(network) < 2:
            continue
        best, next_best = sorted(network, key=lambda row: row.top1.mean if row.top1 else 0.0, reverse=True)[:2]
        difference = paired_difference(top1_by_seed(best.runs), top1_by_seed(next_best.runs))
        if difference is None or difference.interval is None or difference.num_pairs < MIN_SEEDS_TO_TEST:
            continue
        if difference.mean > 0 and difference.interval.excludes_zero:
            found.add(best.definition.key)
    return frozenset(found)
