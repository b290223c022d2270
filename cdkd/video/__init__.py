"""A video file becomes arrays: groups of pictures with I-frame, motion, residual, raw frames."""
