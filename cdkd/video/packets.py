"""Packets in the form in which FFmpeg's decoders give out all frames.

DivX and XviD left AVI files whose chunks pack a reference frame with the B-frame that is shown before it, because the
players of their time took one chunk for each picture. A chunk with nothing to decode, a VOP that says "not coded",
follows later to make up for it:

    chunk            decoder                          chunk            decoder at the end of a stream without [-]
    [I]                                               [P4 B3]          keeps B3, gives out P2
    [P2 B1]          keeps B1, gives out I            (the end)        forgets B3, gives out P4: B3 is lost
    [-]              gives out B1                     [-] (the end)    gives out B3, then P4
    [P4 B3]          keeps B3, gives out P2

Where the encoder wrote no [-] before the next reference frame or the end, as after the last chunk of a stream, one is
fed here.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import av

from cdkd.video.mpeg4_headers import FrameHeader, Layer, not_coded_frame, parse_frames, parse_layer


def complete_packed(packets: Iterable[Any], extradata: bytes | None) -> Iterator[Any]:
    """The packets of an MPEG-4 Part 2 stream, from a key packet on, with the VOPs "not coded" that are missing.

    Args:
        packets: in decoding order; an empty one ends the stream.
        extradata: the stream's headers, where they do not stand in the first packet.
    """
    layer = _layer(extradata or b"")
    # Frames that went in packed and have not come out.
    num_kept = 0
    for packet in packets:
        data = bytes(packet) if packet.size else b""
        layer = _layer(data) or layer
        if layer is not None:
            frames = _frames(data, layer)
            # A chunk that starts with a B-frame is the kept one's successor, which the decoder keeps in its turn.
            if num_kept > 0 and (not frames or (frames[0].is_coded and frames[0].picture_type != "B")):
                yield av.Packet(not_coded_frame(layer))
                num_kept -= 1
            # A decoder gives out one frame a packet; what a packet holds beyond that it keeps.
            num_kept = max(num_kept + sum(frame.is_coded for frame in frames) - 1, 0)
        yield packet


def _layer(data: bytes) -> Layer | None:
    try:
        return parse_layer(data)
    except EOFError:
        return None  # damage is for the decoder to find


def _frames(data: bytes, layer: Layer) -> list[FrameHeader]:
    try:
        return list(parse_frames(data, layer))
    except EOFError:
        return []
