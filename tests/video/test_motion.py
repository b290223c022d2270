"""Block vectors become fields; fields chain back to the I-frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cdkd.video.motion import VECTOR_TYPE, chain_blocks

Blocks = list[tuple[int, int, int, int, int, int]]  # left, top, side, motion_x, motion_y, motion_scale


def vectors_of(blocks: Blocks) -> NDArray[np.void]:
    vectors = np.zeros(len(blocks), VECTOR_TYPE)
    for vector, (left, top, side, x, y, scale) in zip(vectors, blocks, strict=True):
        vector["w"] = vector["h"] = side
        vector["dst_x"], vector["dst_y"] = left + side // 2, top + side // 2
        vector["motion_x"], vector["motion_y"], vector["motion_scale"] = x, y, scale
    return vectors


def chain_slowly(blocks: Blocks, before: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """a_t(x) = m_t(x) + a_(t-1)(x - m_t(x)), pixel by pixel, in floating point."""
    _, height, width = before.shape
    motion, intra = np.zeros((2, height, width)), np.ones((height, width), bool)
    for left, top, side, x, y, scale in blocks:
        place = np.s_[top : top + side, left : left + side]
        motion[0][place], motion[1][place], intra[place] = -x / scale, -y / scale, False
    out = np.zeros_like(before)
    for row in range(height):
        for column in range(width):
            x, y = motion[:, row, column]
            source_column = int(np.clip(np.floor(column - x + 0.5), 0, width - 1))
            source_row = int(np.clip(np.floor(row - y + 0.5), 0, height - 1))
            out[:, row, column] = (4 * x, 4 * y) + before[:, source_row, source_column]
    return out, intra


def run(blocks: Blocks, before: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    out, intra = np.full_like(before, 99), np.empty(before.shape[1:], np.bool_)
    chain_blocks(vectors_of(blocks), before, out, intra)
    return out, intra


def test_one_block_by_hand() -> None:
    # FFmpeg's vector (3, -1) / 2 points from the block to its reference; motion is the other way, in quarter pixels.
    out, intra = run([(16, 0, 16, 3, -1, 2)], np.zeros((2, 16, 48), np.int16))
    assert out[:, 5, 20].tolist() == [-6, 2]
    assert out[:, 5, 15].tolist() == [0, 0]
    assert intra.sum() == 2 * 16 * 16
    assert not intra[:, 16:32].any()


def test_two_steps_by_hand() -> None:
    before = np.zeros((2, 16, 32), np.int16)
    before[0, :, 4:8] = 40
    # Every pixel comes from 8 pixels further left: columns 12..15 inherit the 40 of columns 4..7.
    out, _ = run([(0, 0, 16, -16, 0, 2), (16, 0, 16, -16, 0, 2)], before)
    assert out[0, 3].tolist() == [32] * 12 + [72] * 4 + [32] * 16


def test_random_blocks_equal_a_slow_version() -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        height, width = 40, 56
        blocks: Blocks = []
        for top in range(0, height, 16):
            for left in range(0, width, 16):
                kind = draw.integers(4)
                if kind == 0:
                    continue
                scale = int(draw.choice([2, 4]))
                for y, x in [(0, 0)] if kind < 3 else [(0, 0), (0, 8), (8, 0), (8, 8)]:
                    side = 16 if kind < 3 else 8
                    if top + y < height and left + x < width:
                        motion = (0, 0) if kind == 1 else tuple(draw.integers(-90, 91, 2).tolist())
                        blocks.append((left + x, top + y, side, motion[0], motion[1], scale))
        before = draw.integers(-200, 201, (2, height, width)).astype(np.int16)
        out, intra = run(blocks, before)
        slow_out, slow_intra = chain_slowly(blocks, before)
        np.testing.assert_array_equal(out, slow_out)
        np.testing.assert_array_equal(intra, slow_intra)


def test_no_vectors_means_all_intra_and_keeps_what_was_there() -> None:
    before = np.random.default_rng(1).integers(-9, 10, (2, 24, 40)).astype(np.int16)
    out, intra = run([], before)
    assert intra.all()
    np.testing.assert_array_equal(out, before)


def mirrored(blocks: Blocks, width: int) -> Blocks:
    return [(width - left - side, top, side, -x, y, scale) for left, top, side, x, y, scale in blocks]


def flipped(field: NDArray[np.int16]) -> NDArray[np.int16]:
    return field[:, :, ::-1] * np.array([-1, 1], np.int16)[:, None, None]


@pytest.mark.parametrize("is_first", [True, False])
def test_mirrored_vectors_give_the_mirrored_field_with_x_negated(is_first: bool) -> None:
    """flip(read) = read(flip): to the bit, for fields as for their accumulation.

    One exception, in accumulation: where a vector points to the very middle between two columns, the one to the right
    is taken, which in a mirror is the left one. So vectors here have any fraction along x but one half.
    """
    draw = np.random.default_rng(2)
    height, width = 48, 80
    blocks: Blocks = []
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            for y, x, side in [(0, 0, 16)] if draw.integers(2) else [(0, 0, 8), (0, 8, 8), (8, 8, 8)]:
                across = int(draw.integers(-70, 71))
                across += across % 4 == 2 and not is_first
                blocks.append((left + x, top + y, side, across, int(draw.integers(-70, 71)), 4))
    before = np.zeros((2, height, width), np.int16)
    if not is_first:
        before = draw.integers(-200, 201, before.shape).astype(np.int16)
    out, intra = run(blocks, before)
    out_mirrored, intra_mirrored = run(mirrored(blocks, width), np.ascontiguousarray(flipped(before)))
    np.testing.assert_array_equal(out_mirrored, flipped(out))
    np.testing.assert_array_equal(intra_mirrored, intra[:, ::-1])
    assert intra.any()
    assert (out != flipped(out)).any()
