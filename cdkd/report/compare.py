"""Two networks, or two rows of networks, compared on the same test videos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cdkd.report.score_set import ScoreSet, VideoScores
from cdkd.report.statistics import MIN_SEEDS_TO_TEST, Interval, mean
from cdkd.report.tracked import ReportError
from cdkd.report.video_statistics import McNemar, exact_mcnemar, hierarchical_bootstrap

NUM_CALIBRATION_BINS = 15
"""Of equal width, as in Guo et al. 2017."""


@dataclass(frozen=True)
class ClassChange:
    """A class and how much better B knows it than A."""

    label: int
    num_videos: int
    change: float
    """Recall of B minus A, in points, over all pairs."""


@dataclass(frozen=True)
class Comparison:
    """B against A; accuracies in percent, differences in points, means over the pairs of seeds."""

    name_a: str
    name_b: str
    seeds: tuple[int, ...]
    """The pairs; a single pair of networks whose seeds nobody tells is (0,)."""
    num_videos: int
    top1_a: float
    top1_b: float
    difference: float
    interval: Interval
    """95 % BCa bootstrap: over videos for one pair, over seeds and videos for several."""
    tests: tuple[McNemar, ...]
    """Exact McNemar test of each pair; `num_only_row` counts the videos that only B gets right."""
    agreement: float
    """Percent of the videos for which both say the same class."""
    ece_a: float
    ece_b: float
    """Expected calibration error, in points."""
    changes: tuple[ClassChange, ...]
    """The largest first."""


def compare(a: ScoreSet, b: ScoreSet) -> Comparison:
    """B minus A, paired by video, and by seed where both sides have several networks.

    Raises:
        ReportError: the videos or labels differ, or the two sides cannot be paired.
    """
    seeds = _pairs(a, b)
    pairs = [(a.by_seed[s], b.by_seed[s]) for s in seeds] if seeds else [(*a.by_seed.values(), *b.by_seed.values())]
    for first, second in pairs:
        _check_same_videos(a.name, first, b.name, second)
        _check_same_videos(a.name, pairs[0][0], a.name, first)
    right_a, right_b = (np.stack([pair[side].correct for pair in pairs]) for side in (0, 1))
    return Comparison(
        name_a=a.name,
        name_b=b.name,
        seeds=tuple(seeds) or (0,),
        num_videos=right_a.shape[1],
        top1_a=100 * float(right_a.mean()),
        top1_b=100 * float(right_b.mean()),
        difference=100 * (float(right_b.mean()) - float(right_a.mean())),
        interval=hierarchical_bootstrap(right_b, right_a, np.random.default_rng(0)),
        tests=tuple(exact_mcnemar(ours, theirs) for ours, theirs in zip(right_b, right_a, strict=True)),
        agreement=100 * mean([float(np.mean(x.predictions == y.predictions)) for x, y in pairs]),
        ece_a=mean([calibration_error(x) for x, _ in pairs]),
        ece_b=mean([calibration_error(y) for _, y in pairs]),
        changes=_class_changes(pairs[0][0].labels, right_a, right_b),
    )


def _pairs(a: ScoreSet, b: ScoreSet) -> list[int]:
    """The common seeds; none for one network against one, which need no seed."""
    if len(a.by_seed) == len(b.by_seed) == 1:
        return []
    common = sorted(a.by_seed.keys() & b.by_seed.keys())
    if not (a.seeds_are_known and b.seeds_are_known and common):
        texts = [f"{side.name}: seeds {', '.join(map(str, sorted(side.by_seed)))}" for side in (a, b)]
        raise ReportError(
            f"cannot be paired by seed: {'; '.join(texts)}; compare one network with one, or two rows with common seeds"
        )
    return common


def _check_same_videos(name_a: str, a: VideoScores, name_b: str, b: VideoScores) -> None:
    if a.videos != b.videos:
        only_a, only_b = sorted({*a.videos} - {*b.videos}), sorted({*b.videos} - {*a.videos})
        texts = [f"only in {n}: {len(o)}, as {o[0]}" for n, o in ((name_a, only_a), (name_b, only_b)) if o]
        raise ReportError(f"{name_a} and {name_b} were tested on different videos ({'; '.join(texts)})")
    if not np.array_equal(a.labels, b.labels):
        k = int(np.flatnonzero(a.labels != b.labels)[0])
        raise ReportError(
            f"video {a.videos[k]} has label {a.labels[k]} in {name_a} and {b.labels[k]} in {name_b}: "
            "the classes are not in the same order, or the data differ"
        )


def calibration_error(scores: VideoScores) -> float:
    """Expected calibration error of the softmax's largest value, in points, over bins of equal width."""
    shifted = np.exp(scores.logits - scores.logits.max(axis=1, keepdims=True))
    confidence = shifted.max(axis=1) / shifted.sum(axis=1)
    bins = np.minimum((confidence * NUM_CALIBRATION_BINS).astype(int), NUM_CALIBRATION_BINS - 1)
    # Sums of (right - confidence) by bin; their absolute values add up to the mean distance times N.
    sums = np.bincount(bins, weights=scores.correct - confidence, minlength=NUM_CALIBRATION_BINS)
    return 100 * float(np.abs(sums).sum()) / len(confidence)


def _class_changes(
    labels: NDArray[np.int64], right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]
) -> tuple[ClassChange, ...]:
    gained = (right_b.astype(np.float64) - right_a).mean(axis=0)
    found = [
        ClassChange(int(k), int(np.sum(labels == k)), 100 * float(gained[labels == k].mean()))
        for k in np.unique(labels)
    ]
    return tuple(sorted(found, key=lambda each: (-abs(each.change), each.label)))


def comparison_text(comparisons: Sequence[Comparison], num_classes: int = 5) -> str:
    """For people: what differs, how surely, and where."""
    return "\n".join(_text(each, num_classes) for each in comparisons)


def _text(found: Comparison, num_classes: int) -> str:
    lines = [f"A  {found.name_a}", f"B  {found.name_b}", ""]
    several = len(found.seeds) > 1
    paired = f"{len(found.seeds)} pairs of seeds" if several else "one pair of networks"
    lines += [f"{found.num_videos:,} test videos, {paired}", ""]
    over = "seeds and videos" if several else "videos"
    rows = [
        ("top-1 of A", f"{found.top1_a:.1f} %"),
        ("top-1 of B", f"{found.top1_b:.1f} %"),
        ("B minus A", f"{found.difference:+.1f} points, 95 % interval over {over} "
                      f"[{found.interval.low:+.1f}, {found.interval.high:+.1f}]"),
        ("only A right / only B right", ", ".join(f"{t.num_only_baseline} / {t.num_only_row}" for t in found.tests)),
        ("exact McNemar p", ", ".join(f"{test.p_value:.2g}" for test in found.tests)),
        ("same class said", f"{found.agreement:.1f} %"),
        ("calibration error of A, B", f"{found.ece_a:.1f}, {found.ece_b:.1f} points"),
    ]  # fmt: skip
    lines += [f"{name:<28}{value}" for name, value in rows]
    moved = [each for each in found.changes[:num_classes] if each.change]
    texts = [f"class {each.label} {each.change:+.0f} ({each.num_videos} videos)" for each in moved]
    lines.append(f"{'moved most':<28}{'; '.join(texts) or 'nothing'}")
    if not several:
        lines += ["", "Interval and p speak of these two trained networks; other seeds of the same methods may differ."]
    elif len(found.seeds) < MIN_SEEDS_TO_TEST:
        lines += [
            "",
            f"Each p speaks of one pair of trained networks; of {len(found.seeds)} seeds the interval knows their "
            f"scatter too little to speak of the methods (from {MIN_SEEDS_TO_TEST} on).",
        ]
    return "\n".join(lines) + "\n"


def comparison_markdown(comparisons: Sequence[Comparison]) -> str:
    """A table of GitHub's Markdown, one line per comparison."""
    header = "| A | B | videos | pairs | top-1 A | top-1 B | B - A [95 %] | only A / only B | McNemar p |"
    lines = [header, "|:---|:---|---:|---:|---:|---:|---:|---:|---:|"]
    for each in comparisons:
        interval = f"{each.difference:+.1f} [{each.interval.low:+.1f}, {each.interval.high:+.1f}]"
        counts = ", ".join(f"{test.num_only_baseline} / {test.num_only_row}" for test in each.tests)
        p_values = ", ".join(f"{test.p_value:.2g}" for test in each.tests)
        cells = [each.name_a, each.name_b, f"{each.num_videos:,}", str(len(each.seeds)), f"{each.top1_a:.1f}",
                 f"{each.top1_b:.1f}", interval, counts, p_values]  # fmt: skip
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def comparison_record(found: Comparison) -> dict[str, object]:
    """For programs; lists over pairs of seeds where there are several, else single values."""
    counts = [{"only_a": test.num_only_baseline, "only_b": test.num_only_row} for test in found.tests]
    p_values = [test.p_value for test in found.tests]
    is_single = len(found.tests) == 1
    return {
        "a": found.name_a,
        "b": found.name_b,
        "seeds": list(found.seeds),
        "num_videos": found.num_videos,
        "top1_a": found.top1_a,
        "top1_b": found.top1_b,
        "difference": found.difference,
        "interval": [found.interval.low, found.interval.high],
        "discordant": counts[0] if is_single else counts,
        "mcnemar_p": p_values[0] if is_single else p_values,
        "agreement": found.agreement,
        "ece_a": found.ece_a,
        "ece_b": found.ece_b,
        "classes": [
            {"label": each.label, "num_videos": each.num_videos, "change": each.change} for each in found.changes
        ],
    }
