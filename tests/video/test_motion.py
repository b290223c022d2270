"""Block vectors become motion blocks, motion blocks become fields, fields chain back to the I-frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cdkd.modality import MotionReference
from cdkd.video.motion import trace_motion
from cdkd.video.motion_blocks import INTRA, VECTOR_TYPE, num_blocks, read_blocks, x_of, y_of

Blocks = list[tuple[int, int, int, int, int, int]]  # left, top, side, motion_x, motion_y, motion_scale


def vectors_of(blocks: Blocks) -> NDArray[np.void]:
    vectors = np.zeros(len(blocks), VECTOR_TYPE)
    for vector, (left, top, side, x, y, scale) in zip(vectors, blocks, strict=True):
        vector["w"] = vector["h"] = side
        vector["dst_x"], vector["dst_y"] = left + side // 2, top + side // 2
        vector["motion_x"], vector["motion_y"], vector["motion_scale"] = x, y, scale
    return vectors


def motion_blocks_of(blocks: Blocks, height: int, width: int) -> NDArray[np.int32]:
    motion_blocks = np.full((num_blocks(height), num_blocks(width)), 7, np.int32)
    read_blocks(vectors_of(blocks), motion_blocks)
    return motion_blocks


def trace_slowly(frames: list[Blocks], height: int, width: int) -> list[tuple[NDArray[np.int16], NDArray[np.bool_]]]:
    """a_t(x) = m_t(x) + a_(t-1)(x - m_t(x)) and where no block has a vector, pixel by pixel, in floating point."""
    before, results = np.zeros((2, height, width), np.int16), []
    for blocks in frames:
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
        results.append((out, intra))
        before = out
    return results


def trace(
    frames: list[Blocks],
    height: int,
    width: int,
    slots: list[int] | None = None,
    reference: MotionReference = MotionReference.IFRAME,
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """(P, 2, H, W) and, by pixels, (P, H, W)."""
    slots = list(range(len(frames))) if slots is None else slots
    count, grid = max(slots) + 1, (num_blocks(height), num_blocks(width))
    motion, intra = np.full((count, 2, height, width), 99, np.int16), np.zeros((count, *grid), np.bool_)
    motion_blocks = np.stack([motion_blocks_of(blocks, height, width) for blocks in frames])
    trace_motion(motion_blocks, slots, reference, motion, intra)
    return motion, intra.repeat(8, 1).repeat(8, 2)[:, :height, :width]


def random_blocks(draw: np.random.Generator, height: int, width: int) -> Blocks:
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
    return blocks


def test_cells_by_hand() -> None:
    # FFmpeg's vector (3, -1) / 2 points from the block to its reference; motion is the other way, in quarter pixels.
    found = motion_blocks_of([(16, 0, 16, 3, -1, 2), (0, 8, 8, -1, 6, 4)], 20, 36)
    assert found.shape == (3, 5)
    intra = [[True, True, False, False, True], [False, True, False, False, True], [True] * 5]
    np.testing.assert_array_equal(found == INTRA, intra)
    assert {(int(x_of(found[row, column])), int(y_of(found[row, column]))) for row in (0, 1) for column in (2, 3)} == {
        (-6, 2)
    }
    assert (x_of(found[1, 0]), y_of(found[1, 0])) == (1, -6)
    assert (x_of(found[2, 0]), y_of(found[2, 0])) == (0, 0)


def test_one_block_by_hand() -> None:
    motion, intra = trace([[(16, 0, 16, 3, -1, 2)]], 16, 48)
    assert motion[0, :, 5, 20].tolist() == [-6, 2]
    assert motion[0, :, 5, 15].tolist() == [0, 0]
    assert intra.sum() == 2 * 16 * 16
    assert not intra[0, :, 16:32].any()


def test_two_steps_by_hand() -> None:
    # In the first frame the left half's left column of blocks moved by 40 quarter pixels to the left.
    first: Blocks = [(0, 0, 8, -20, 0, 2), (8, 0, 8, 0, 0, 2), (16, 0, 8, 0, 0, 2), (24, 0, 8, 0, 0, 2)]
    # Then every pixel comes from 8 pixels further left: columns 8..15 inherit the 40 of columns 0..7, as does what
    # comes from beyond the edge.
    second: Blocks = [(left, 0, 8, -16, 0, 2) for left in range(0, 32, 8)]
    motion, _ = trace([first, second], 8, 32)
    assert motion[0, 0, 3].tolist() == [40] * 8 + [0] * 24
    assert motion[1, 0, 3].tolist() == [72] * 16 + [32] * 16


@pytest.mark.parametrize(("height", "width"), [(40, 56), (32, 64), (36, 52), (8, 8)])
def test_random_blocks_equal_a_slow_version(height: int, width: int) -> None:
    draw = np.random.default_rng(0)
    for _ in range(6):
        frames = [random_blocks(draw, height, width) for _ in range(4)]
        motion, intra = trace(frames, height, width)
        for index, (slow_motion, slow_intra) in enumerate(trace_slowly(frames, height, width)):
            np.testing.assert_array_equal(motion[index], slow_motion)
            np.testing.assert_array_equal(intra[index], slow_intra)


def test_frames_that_are_not_wanted_are_chained_all_the_same() -> None:
    draw = np.random.default_rng(3)
    frames = [random_blocks(draw, 32, 64) for _ in range(6)]
    motion, intra = trace(frames, 32, 64)
    for slots in ([-1, -1, 1, -1, -1, 0], [0, 2, -1, -1, 1, -1], [-1] * 5 + [0]):
        some, some_intra = trace(frames, 32, 64, slots)
        for index, slot in enumerate(slots):
            if slot >= 0:
                np.testing.assert_array_equal(some[slot], motion[index])
                np.testing.assert_array_equal(some_intra[slot], intra[index])


def test_each_frame_alone() -> None:
    draw = np.random.default_rng(4)
    frames = [random_blocks(draw, 36, 52) for _ in range(3)]
    motion, _ = trace(frames, 36, 52, [0, -1, 1], reference=MotionReference.FRAME_BEFORE)
    for slot, index in ((0, 0), (1, 2)):
        np.testing.assert_array_equal(motion[slot], trace_slowly([frames[index]], 36, 52)[0][0])


def test_no_vectors_means_all_intra_and_keeps_what_was_there() -> None:
    blocks = random_blocks(np.random.default_rng(1), 24, 40)
    motion, intra = trace([blocks, []], 24, 40)
    assert intra[1].all()
    np.testing.assert_array_equal(motion[1], motion[0])
    assert motion[0].any()


def mirrored(blocks: Blocks, width: int) -> Blocks:
    return [(width - left - side, top, side, -x, y, scale) for left, top, side, x, y, scale in blocks]


def flipped(field: NDArray[np.int16]) -> NDArray[np.int16]:
    return field[:, :, ::-1] * np.array([-1, 1], np.int16)[:, None, None]


@pytest.mark.parametrize("is_main", [True, False])
def test_mirrored_vectors_give_the_mirrored_field_with_x_negated(is_main: bool) -> None:
    """flip(read) = read(flip): to the bit, for fields as for their accumulation.

    One exception, in accumulation: where a vector points to the very middle between two columns, the one to the right
    is taken, which in a mirror is the left one. So vectors here have any fraction along x but one half.
    """
    draw = np.random.default_rng(2)
    height, width = 48, 80
    frames: list[Blocks] = []
    for frame in range(1 if is_main else 2):
        blocks: Blocks = []
        for top in range(0, height, 16):
            for left in range(0, width, 16):
                for y, x, side in [(0, 0, 16)] if draw.integers(2) else [(0, 0, 8), (0, 8, 8), (8, 8, 8)]:
                    across = int(draw.integers(-70, 71))
                    across += across % 4 == 2 and frame > 0
                    blocks.append((left + x, top + y, side, across, int(draw.integers(-70, 71)), 4))
        frames.append(blocks)
    motion, intra = trace(frames, height, width)
    motion_mirrored, intra_mirrored = trace([mirrored(blocks, width) for blocks in frames], height, width)
    np.testing.assert_array_equal(motion_mirrored[-1], flipped(motion[-1]))
    np.testing.assert_array_equal(intra_mirrored[-1], intra[-1][:, ::-1])
    assert intra[-1].any()
    assert (motion[-1] != flipped(motion[-1])).any()
