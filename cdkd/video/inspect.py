"""What a video holds and what a network could read from it, gathered by decoding it once."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from cdkd.video.frames import StreamInfo, VideoError
from cdkd.video.motion_blocks import frame_vectors
from cdkd.video.opening import PICTURE_TYPES, new_decoder, open_video, picture_type_of
from cdkd.video.packets import complete_packed
from cdkd.video.reader import describe


@dataclass(frozen=True)
class FrameTypeStatistics:
    """All frames of one type."""

    picture_type: str
    """I, P, B or S."""
    num_frames: int
    mean_bits: float
    """Bits per frame."""


@dataclass(frozen=True)
class Inspection:
    """One file, looked through."""

    info: StreamInfo
    num_decoded: int
    """Frames that a decoder gives."""
    frame_types: tuple[FrameTypeStatistics, ...]
    block_fractions: dict[str, float]
    """Share of the predicted area of P-frames by block size, e.g. `16x16`."""
    intra_fraction: float | None
    """Share of the P-frames' area without a vector; None where the codec exports none."""
    mean_motion_pixels: float | None
    """Mean length of a P-frame's vectors, weighted by area, in pixels per frame."""

    @property
    def verdict(self) -> str:
        """Whether and how cdkd reads the file."""
        if self.info.unsupported_reason:
            return f"cannot be read: it {self.info.unsupported_reason}"
        how = "exactly" if self.info.codec == "mpeg4" else "with residuals by bilinear warp"
        limit = self.info.frame_residual_unsupported_reason
        if limit:
            return f"read {how} relative to the I-frame, but not to the frame before: it {limit}"
        return f"read {how}, relative to the I-frame and to the frame before"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        values = asdict(self)
        values["info"]["path"] = str(self.info.path)
        return {**values, "verdict": self.verdict}


def inspect_video(path: Path) -> Inspection:
    """Decodes a file and counts.

    Raises:
        VideoError: the file cannot be read to its end.
    """
    info = describe(path)
    bits, counts = Counter[str](), Counter[str]()
    area, motion = Counter[str](), 0.0
    num_p_with_vectors = 0
    packet_bits: dict[int | None, int] = {}
    for packet, frames in _decoded(path):
        if packet.size:
            packet_bits[packet.pts] = 8 * packet.size
        for frame in frames:
            picture_type = picture_type_of(frame)
            counts[picture_type] += 1
            bits[picture_type] += packet_bits.pop(frame.pts, 0)
            vectors = frame_vectors(frame)
            if picture_type == "P" and vectors is not None:
                num_p_with_vectors += 1
                motion += _add_blocks(vectors, info, area)
    predicted = sum(area.values())
    has_vectors = num_p_with_vectors > 0
    return Inspection(
        info=info,
        num_decoded=sum(counts.values()),
        frame_types=tuple(FrameTypeStatistics(t, counts[t], bits[t] / counts[t]) for t in PICTURE_TYPES if counts[t]),
        block_fractions={size: fraction / predicted for size, fraction in area.most_common()},
        intra_fraction=1 - predicted / (num_p_with_vectors * info.width * info.height) if has_vectors else None,
        mean_motion_pixels=motion / predicted if predicted else None,
    )


def _add_blocks(vectors: NDArray[np.void], info: StreamInfo, area: Counter[str]) -> float:
    """Adds the visible area of a frame's blocks by size; returns their motion times area."""
    w, h = vectors["w"].astype(int), vectors["h"].astype(int)
    left, top = vectors["dst_x"] - w // 2, vectors["dst_y"] - h // 2
    visible = np.clip(info.width - left, 0, w) * np.clip(info.height - top, 0, h)
    for width, height in {(int(x), int(y)) for x, y in zip(w, h, strict=True)}:
        area[f"{width}x{height}"] += int(visible[(w == width) & (h == height)].sum())
    lengths = np.hypot(vectors["motion_x"], vectors["motion_y"]) / np.maximum(vectors["motion_scale"], 1)
    return float((lengths * visible).sum())


def _decoded(path: Path) -> Iterator[tuple[Any, list[Any]]]:
    """Each packet of the file with the frames that it brings out of a decoder."""
    container, stream = open_video(path)
    with container:
        decoder = new_decoder(stream, {"flags2": "+export_mvs"})
        # An empty packet in the middle of a file would make the decoder believe in its end.
        packets: Iterator[Any] = (p for p in container.demux(stream) if p.size or p.dts is None)
        if decoder.name == "mpeg4":
            packets = complete_packed(packets, stream.codec_context.extradata)
        try:
            for packet in packets:
                yield packet, decoder.decode(packet)
        except FFmpegError as error:
            raise VideoError(path, f"cannot be decoded to its end: {error.strerror}") from error


def format_inspection(inspection: Inspection) -> str:
    """The inspection as lines of text."""
    info = inspection.info
    lengths = Counter(info.gop_lengths)
    gops = ", ".join(f"{count} of {length}" for length, count in sorted(lengths.items(), key=lambda item: -item[1])[:6])
    more = f" and {len(lengths) - 6} more lengths" if len(lengths) > 6 else ""
    rows = [
        ("file", str(info.path)),
        ("codec", f"{info.codec}, {info.profile or 'no profile'}, {info.pixel_format}, in {info.container}"),
        ("picture", f"{info.width}x{info.height} at {info.frames_per_second:.3f} frames per second"),
        ("frames", f"{info.num_frames} in the index, {inspection.num_decoded} decoded"),
        ("GOPs", f"{info.num_gops}: {gops} frames{more}"),
        ("B-frames", "yes" if info.has_b_frames else "no"),
    ]
    for kind in inspection.frame_types:
        rows.append((f"{kind.picture_type}-frames", f"{kind.num_frames}, {kind.mean_bits:,.0f} bits each"))
    if inspection.intra_fraction is not None:
        blocks = ", ".join(f"{size} {fraction:.1%}" for size, fraction in inspection.block_fractions.items())
        rows.append(("blocks of P", f"{blocks}; intra {inspection.intra_fraction:.2%} of the area"))
    if inspection.mean_motion_pixels is not None:
        rows.append(("motion of P", f"{inspection.mean_motion_pixels:.2f} pixels per frame on average"))
    rows.append(("cdkd", inspection.verdict))
    return "\n".join(f"{name + ':':<13}{text}" for name, text in rows)
