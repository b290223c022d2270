"""The few sequence parameters of H.264 that say how its frames refer to each other (ITU-T H.264, 7.3.2.1.1)."""

from dataclasses import dataclass

from cdkd.video.bitstream import BitReader

# Profiles whose parameter set starts with chroma format, bit depths and scaling lists.
_HIGH_PROFILES = (44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244)


@dataclass(frozen=True)
class Sequence:
    """What the sequence parameter set says about all frames."""

    num_reference_frames: int
    """The most frames that a P-frame may choose among; 1: always the frame before."""
    is_interlaced: bool
    """Fields or macroblock-adaptive frames may occur."""


def parse_sequence(extradata: bytes) -> Sequence | None:
    """The first sequence parameter set of an `avcC` box or of Annex B start codes, None if there is none.

    Raises:
        EOFError: the parameter set ends early.
    """
    if extradata[:1] == b"\x01":
        if len(extradata) < 8 or extradata[5] & 31 == 0:
            return None
        unit = extradata[8 : 8 + int.from_bytes(extradata[6:8], "big")]
    else:
        units = (part for part in extradata.split(b"\x00\x00\x01") if part and part[0] & 31 == 7)
        unit = next(units, b"")
    if not unit:
        return None
    # A byte 3 is stuffed after two zero bytes so that no start code arises by chance.
    bits = BitReader(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile, _ = bits.read(8), bits.read(16)  # constraints and level
    bits.read_exp_golomb()  # seq_parameter_set_id
    if profile in _HIGH_PROFILES:
        _skip_high_profile(bits)
    bits.read_exp_golomb()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    num_reference_frames = bits.read_exp_golomb()
    bits.read(1)  # gaps_in_frame_num_value_allowed_flag
    bits.read_exp_golomb()  # width and height in macroblocks
    bits.read_exp_golomb()
    # What follows is frame_mbs_only_flag.
    return Sequence(num_reference_frames, is_interlaced=bits.read(1) == 0)


def _skip_high_profile(bits: BitReader) -> None:
    chroma = bits.read_exp_golomb()
    if chroma == 3:  # 4:4:4, whose planes may be coded apart
        bits.read(1)
    bits.read_exp_golomb()  # bit depths of luma and chroma, less 8
    bits.read_exp_golomb()
    bits.read(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.read(1):  # seq_scaling_matrix_present_flag; then a flag before each list
        for index in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)


def _skip_scaling_list(bits: BitReader, length: int) -> None:
    last = following = 8
    for _ in range(length):
        if following:
            following = (last + bits.read_signed_exp_golomb()) % 256
        last = following or last


def _skip_picture_order(bits: BitReader) -> None:
    kind = bits.read_exp_golomb()
    if kind == 0:
        bits.read_exp_golomb()
    elif kind == 1:
        bits.read(1)
        bits.read_exp_golomb()
        bits.read_exp_golomb()
        for _ in range(bits.read_exp_golomb()):
            bits.read_exp_golomb()
