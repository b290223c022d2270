"""Half-pixel prediction equals FFmpeg's own, chained along real streams."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.videos import clip, moving_texture, sudden_square

from cdkd.video.colour import Picture, picture_of
from cdkd.video.motion_blocks import BARE, VECTOR_TYPE, list_cells
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
    return [(header.letter, header.rounding) for data in packets for header in parse_frames(data, layer)]


def assert_same(first: Picture, second: Picture) -> None:
    for name in ("y", "u", "v"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


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
    letters = headers(path)
    assert [letter for letter, _ in letters] == list("IPPPPPPPPPPPIP")
    assert {rounding for letter, rounding in letters if letter == "P"} == {0, 1}
    predicted = picture_of(full[0])
    has_small_blocks = False
    for position in range(1, 12):
        vectors = np.frombuffer(full[position].side_data.get("MOTION_VECTORS"), VECTOR_TYPE)
        has_small_blocks |= bool((vectors["w"] == 8).any())
        cells = np.empty((full[0].height // 8, full[0].width // 8), np.int32)
        list_cells(vectors, cells)
        predicted = predict(cells, predicted, picture_of(full[position]), letters[position][1])
        assert_same(predicted, picture_of(chain[position]))
    assert four_vectors or not has_small_blocks


def test_blocks_without_vector_show_the_decoded_pixels() -> None:
    draw = np.random.default_rng(0)
    pictures = [
        Picture(*(draw.integers(0, 256, size, dtype=np.uint8) for size in ((32, 48), (16, 24), (16, 24))))
        for _ in range(2)
    ]
    assert_same(predict(np.full((4, 6), BARE, np.int32), pictures[0], pictures[1], 0), pictures[1])
