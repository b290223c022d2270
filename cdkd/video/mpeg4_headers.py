"""The few header fields of MPEG-4 Part 2 on which frame order and prediction hang (ISO/IEC 14496-2, 6.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from cdkd.video.bitstream import BitReader

_VOP_START = b"\x00\x00\x01\xb6"
_VOP_TYPES = "IPBS"
_HEADER_BYTES = 32


@dataclass(frozen=True)
class Layer:
    """What the video object layer says about all of its frames."""

    width: int
    height: int
    time_bits: int
    """Bits of a frame's time increment."""
    is_interlaced: bool
    has_sprites: bool
    """Static sprites or global motion compensation."""
    is_quarter_pixel: bool


@dataclass(frozen=True)
class FrameHeader:
    """One coded frame (VOP)."""

    picture_type: str
    """I, P, B or S (sprite: global motion compensation)."""
    is_coded: bool
    """False: a place holder, for which a decoder gives no frame."""
    rounding: int
    """`vop_rounding_type` of a P-frame."""


def parse_layer(data: bytes) -> Layer | None:
    """The first video object layer header in `data`, None if there is none.

    Raises:
        EOFError: the header ends early.
    """
    start = next((i for i in _start_codes(data) if 0x20 <= data[i + 3] <= 0x2F), None)
    if start is None:
        return None
    bits = BitReader(data[start + 4 : start + 4 + 256])
    bits.read(1 + 8)  # random_accessible_vol, video_object_type_indication
    version = 1
    if bits.read(1):  # is_object_layer_identifier: its version, its priority
        version, _ = bits.read(4), bits.read(3)
    if bits.read(4) == 15:  # aspect_ratio_info: extended, width and height of a pixel
        bits.read(16)
    if bits.read(1):  # vol_control_parameters: chroma_format, low_delay; the buffer's parameters
        bits.read(2 + 1)
        if bits.read(1):
            bits.read(79)
    shape = bits.read(2)
    bits.read(1)  # a marker, as other single bits that are read and dropped below
    time_bits = max((bits.read(16) - 1).bit_length(), 1)  # of a number below vop_time_increment_resolution
    bits.read(1)
    if bits.read(1):  # fixed_vop_rate: its time increment
        bits.read(time_bits)
    if shape != 0:
        raise EOFError("arbitrary shapes are not supported")
    _, width, _, height, _ = (bits.read(n) for n in (1, 13, 1, 13, 1))
    is_interlaced = bool(bits.read(1))
    bits.read(1)  # obmc_disable
    sprites = bits.read(1 if version == 1 else 2)
    # With sprites the question does not arise: they are refused.
    is_quarter_pixel = version != 1 and sprites == 0 and _quarter_sample(bits)
    return Layer(width, height, time_bits, is_interlaced, sprites != 0, is_quarter_pixel)


def _quarter_sample(bits: BitReader) -> bool:
    if bits.read(1):  # not_8_bit: precision of quantiser and pixels
        bits.read(4 + 4)
    if bits.read(1):  # quant_type: by matrices
        for _ in ("intra", "inter"):
            if bits.read(1):
                # A quantiser matrix ends with a zero or with its 64th entry.
                for _ in range(64):
                    if bits.read(8) == 0:
                        break
    return bool(bits.read(1))


def parse_frames(data: bytes, layer: Layer) -> Iterator[FrameHeader]:
    """Each frame in a packet; old AVI files pack a P-frame and its B-frame into one.

    Raises:
        EOFError: a frame header ends early.
    """
    start = data.find(_VOP_START)
    while start >= 0:
        bits = BitReader(data[start + 4 : start + 4 + _HEADER_BYTES])
        picture_type = _VOP_TYPES[bits.read(2)]
        # modulo_time_base: a 1 for each whole second passed, then a 0.
        while bits.read(1):
            pass
        bits.read(1 + layer.time_bits + 1)
        is_coded = bool(bits.read(1))
        yield FrameHeader(picture_type, is_coded, bits.read(1) if is_coded and picture_type == "P" else 0)
        start = data.find(_VOP_START, start + 4)


def not_coded_frame(layer: Layer) -> bytes:
    """A P-frame that holds nothing: a place holder, for which a decoder gives no frame."""
    # 01 P | 0 no whole second | 1 marker | 0.. time | 1 marker | 0 not coded | stuffing 0, then 1s to the next byte
    bits = "01" + "0" + "1" + "0" * layer.time_bits + "1" + "0" + "0"
    bits += "1" * (-len(bits) % 8)
    return _VOP_START + int(bits, 2).to_bytes(len(bits) // 8, "big")


def _start_codes(data: bytes) -> Iterator[int]:
    start = data.find(b"\x00\x00\x01")
    while 0 <= start < len(data) - 4:
        yield start
        start = data.find(b"\x00\x00\x01", start + 3)
