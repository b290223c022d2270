"""A video file becomes arrays: groups of pictures with I-frame, motion, residual, raw frames.

    from cdkd.video.reader import VideoReader, describe, read_gop
    from cdkd.video.transcode import encode_frames, transcode

What is read, and how exactly (everything else raises `cdkd.video.frames.VideoError` with path, reason and remedy):

    MPEG-4 Part 2, I- and P-frames   motion, and residuals relative to the I-frame and to the frame before, to the bit
    ... with B-frames, packed too    the same at P-frames; raw frames at any position
    ... quarter-pixel, or a side     motion, and residuals relative to the I-frame to the bit; to the frame before
        that is no multiple of 16    refused
    ... interlaced, sprites          refused
    H.264, one reference, no B       motion to the quarter pixel; residuals by bilinear warp
    H.264 otherwise, other codecs    refused: re-encode with `cdkd data transcode`
    all of the above                 CoViAR's residual (`data.residual=coviar`)

How a file becomes arrays:

    opening -> index -> packets -> decoding -> motion_blocks -> motion                      (dense fields)
                                      |             |--------> prediction -> residual       (exact)
                                      |             |--------> coviar_residual              (CoViAR's)
                                      |-> carried: the I-frame by a second decoder, where prediction does not reach
                                      |-> colour: RGB

The loops below are compiled (`jit`), and made of `row_operations`: `simd` and `simd_colour`, or `plain`.
"""
