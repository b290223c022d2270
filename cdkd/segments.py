"""Evenly spread samples: the middles of equal segments, as TSN introduced them for the frames of a video."""


def segment_middles(length: int, num_segments: int) -> tuple[int, ...]:
    """Of each of `num_segments` equal segments of `length` items the index of its middle: 12, 3 -> 2, 6, 10.

    Segments shorter than an item repeat indices: 2, 3 -> 0, 1, 1.
    """
    return tuple((2 * segment + 1) * length // (2 * num_segments) for segment in range(num_segments))
