"""A video file becomes arrays: groups of pictures with I-frame, motion, residual, raw frames.

    from cdkd.video.reader import VideoReader, describe, read_gop
    from cdkd.video.transcode import encode_frames, transcode

What is read, and how exactly (everything else raises `cdkd.video.frames.VideoError` with path, reason and remedy):

    MPEG-4 Part 2, I- and P-frames   motion, and residuals of both forms, to the bit
    ... with B-frames, packed too    the same at P-frames; raw frames at any position
    ... quarter-pixel, or a side     motion, and accumulated residuals to the bit; residuals per frame refused
        that is no multiple of 16
    ... interlaced, sprites          refused
    H.264, one reference, no B       motion to the quarter pixel; residuals by bilinear warp
    H.264 otherwise, other codecs    refused: re-encode with `cdkd data prepare`
"""
