"""Half-pixel prediction equals FFmpeg's own, chained along real streams; intra blocks stand still."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.videos import clip, moving_texture, sudden_square

from cdkd.video.colour import Picture, picture_of
from cdkd.video.motion_blocks import INTRA, VECTOR_TYPE, read_blocks
from cdkd.video.mpeg4_headers import parse_frames, parse_layer
from cdkd.video.prediction import predict


def decode(path: Path, options: dict[str, str]) -> list[Any]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context: Any = av.CodecContext.create("mpeg4", "r")
        context.extradata, context.options = stream.codec_context.extradata, {**options, "flags": "+bitexact"}
        return [frame for packet in container.demux(stream) for frame in context.decode(packet)]


def headers(path: Path) -> list[tuple[str, int]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        layer = parse_layer(stream.codec_context.extradata or b"")
        assert layer is not None
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
    return [(header.picture_type, header.rounding) for data in packets for header in parse_frames(data, layer)]


def assert_same(first: Picture, second: Picture) -> None:
    for name in ("y", "u", "v"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def with_intra_blocks(predicted: Picture, intra: np.ndarray, before: Picture) -> Picture:
    """`predicted`, but what `before` shows in the blocks of 8 x 8 pixels of luma that are intra."""
    masks = intra.repeat(8, 0).repeat(8, 1), intra.repeat(4, 0).repeat(4, 1), intra.repeat(4, 0).repeat(4, 1)
    planes = zip(masks, before.planes, predicted.planes, strict=True)
    return Picture(*(np.where(mask, old, new) for mask, old, new in planes))


@pytest.mark.parametrize("four_vectors", [True, False])
@pytest.mark.parametrize("scene", ["fast", "slow", "square"])
def test_chained_prediction_equals_a_decoder_without_inverse_transform(
    tmp_path: Path, four_vectors: bool, scene: str
) -> None:
    frames = {
        "fast": lambda: moving_texture(14, 64, 112, (7, -5)),
        "slow": lambda: moving_texture(14, 80, 64, (1, 1), seed=3),
        "square": sudden_square,
    }[scene]()
    path = clip(tmp_path / "a.mp4", frames, four_vectors=four_vectors)
    full, chain = decode(path, {"flags2": "+export_mvs"}), decode(path, {"skip_idct": "nokey"})
    types = headers(path)
    assert [picture_type for picture_type, _ in types] == list("IPPPPPPPPPPPIP")
    assert {rounding for picture_type, rounding in types if picture_type == "P"} == {0, 1}
    has_small_blocks, has_intra_blocks = False, False
    for position in range(1, 12):
        vectors = np.frombuffer(full[position].side_data.get("MOTION_VECTORS"), VECTOR_TYPE)
        has_small_blocks |= bool((vectors["w"] == 8).any())
        blocks = np.empty((full[0].height // 8, full[0].width // 8), np.int32)
        read_blocks(vectors, blocks)
        before, after = picture_of(chain[position - 1]), picture_of(chain[position])
        # In intra blocks that decoder shows the decoded pixels.
        assert_same(predict(blocks, before, types[position][1]), with_intra_blocks(after, blocks == INTRA, before))
        has_intra_blocks |= bool((blocks == INTRA).any())
    assert four_vectors or not has_small_blocks
    assert has_intra_blocks or scene != "square"


def test_blocks_without_vector_show_the_reference_as_it_is() -> None:
    draw = np.random.default_rng(0)
    sizes = ((32, 48), (16, 24), (16, 24))
    reference = Picture(*(draw.integers(0, 256, size, dtype=np.uint8) for size in sizes))
    for rounding in (0, 1):
        assert_same(predict(np.full((4, 6), INTRA, np.int32), reference, rounding), reference)
