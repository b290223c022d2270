"""Pictures of what the networks read: I-frame, motion and residual along a GOP, as the paper's Fig. 1 sketches."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cdkd.modality import DEFAULT_FORM, MOTION_UNITS_PER_PIXEL, MotionReference, PFrameForm, ResidualKind
from cdkd.video.frames import GopRead, VideoError
from cdkd.video.reader import VideoReader
from cdkd.video.transcode import encode_frames

_MAX_COLUMNS = 6
_NUM_ARROWS = 14
_ROWS = ("frame", "motion", "residual")


def colour_motion(motion: NDArray[np.int16], limit_pixels: float) -> NDArray[np.uint8]:
    """A motion field in the colours of a wheel: hue is direction, saturation is length.

    Args:
        motion: (H, W, 2) quarter pixels.
        limit_pixels: length of full saturation.

    Returns:
        (H, W, 3) RGB; no motion is white.
    """
    x, y = motion[..., 0].astype(np.float64), motion[..., 1].astype(np.float64)
    hue = np.arctan2(y, x) / (2 * np.pi) % 1.0
    length = np.hypot(x, y) / MOTION_UNITS_PER_PIXEL
    saturation = np.clip(length / max(limit_pixels, 1e-9), 0, 1)
    colours = hsv_to_rgb(np.stack([hue, saturation, np.ones_like(hue)], -1))
    rounded: NDArray[np.uint8] = np.round(255 * colours).astype(np.uint8)
    return rounded


def grey_residual(residual: NDArray[np.int16]) -> NDArray[np.uint8]:
    """A residual (H, W, 3) around middle grey; +-128 reaches black and white."""
    shown: NDArray[np.uint8] = np.clip(residual.astype(np.int32) + 128, 0, 255).astype(np.uint8)
    return shown


def motion_limit(read: GopRead) -> float:
    """Length in pixels under which 99 % of a GOP's motion lies, at least 1."""
    if not len(read.motion):
        return 1.0
    lengths = np.hypot(read.motion[..., 0].astype(np.float32), read.motion[..., 1].astype(np.float32))
    return max(1.0, float(np.percentile(lengths, 99)) / MOTION_UNITS_PER_PIXEL)


def save_sheet(path: Path, output: Path, gop: int | None, form: PFrameForm = DEFAULT_FORM) -> int:
    """Draws one GOP as a contact sheet and returns its number.

    Args:
        output: `.png`, or any suffix that matplotlib writes.
        gop: None takes the GOP with the most motion among up to twelve spread over the file.
        form: what motion and residual mean.

    Raises:
        VideoError: the video cannot be read, or has no GOP with P-frames.
    """
    with VideoReader(path) as video:
        chosen = _liveliest_gop(video) if gop is None else gop
        if not 0 <= chosen < len(video):
            raise VideoError(path, f"has {len(video)} GOPs; there is no GOP {chosen}")
        known = video.p_positions(chosen)
        if not known:
            raise VideoError(path, f"GOP {chosen} has no P-frames; choose another with --gop")
        spread = np.unique(np.linspace(0, len(known) - 1, min(_MAX_COLUMNS, len(known))).round().astype(int))
        positions = tuple(known[index] for index in spread)
        read = video.read_gop(chosen, positions, positions, form.reference, form.residual)
        title = f"{path.name}: GOP {chosen} of {len(video)}, {video.info.gop_lengths[chosen]} frames"
    figure = _draw(read, title, form)
    FigureCanvasAgg(figure)
    try:
        figure.savefig(output, dpi=100)
    except (OSError, ValueError) as error:
        raise VideoError(output, f"cannot be written: {error}") from error
    return chosen


def _liveliest_gop(video: VideoReader) -> int:
    candidates = [gop for gop in range(len(video)) if video.p_positions(gop)]
    if not candidates:
        raise VideoError(video.path, "has no GOP with P-frames")
    motions: dict[int, float] = {}
    for index in np.unique(np.linspace(0, len(candidates) - 1, min(12, len(candidates))).astype(int)):
        gop = candidates[int(index)]
        last = video.p_positions(gop)[-1]
        motions[gop] = float(np.abs(video.read_gop(gop, [last], residual=None).motion.astype(np.int32)).mean())
    return max(motions, key=lambda gop: motions[gop])


def _draw(read: GopRead, title: str, form: PFrameForm) -> Figure:
    height, width = read.iframe.shape[:2]
    num_columns = len(read.positions) + 1
    cell_width = 2.6
    cell_height = cell_width * height / width + 0.28
    figure = Figure(figsize=(num_columns * cell_width + 0.3, 3 * cell_height + 0.6), layout="constrained")
    figure.suptitle(f"{title}; {_describe(form)}", fontsize=11)
    axes = figure.subplots(3, num_columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    limit = motion_limit(read)
    axes[0][0].imshow(read.iframe)
    axes[0][0].set_title("I-frame", fontsize=9)
    _draw_wheel(axes[1][0], limit)
    _draw_scale(axes[2][0])
    for column, position in enumerate(read.positions, 1):
        images = (
            read.frames[column - 1],
            colour_motion(read.motion[column - 1], limit),
            grey_residual(read.residual[column - 1]),
        )
        for row, (name, image) in enumerate(zip(_ROWS, images, strict=True)):
            axes[row][column].imshow(image)
            axes[row][column].set_title(f"{name} {position}", fontsize=9)
        _draw_arrows(axes[1][column], read.motion[column - 1])
    return figure


def _describe(form: PFrameForm) -> str:
    relative = "the I-frame" if form.reference is MotionReference.IFRAME else "the frame before"
    definition = " (residual: CoViAR's)" if form.residual is ResidualKind.COVIAR else ""
    return f"motion and residual relative to {relative}{definition}"


def _draw_arrows(axes: Axes, motion: NDArray[np.int16]) -> None:
    """Arrows from where the content stood to where it is now."""
    height, width = motion.shape[:2]
    step = max(width // _NUM_ARROWS, 4)
    rows, columns = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    sampled = motion[rows, columns].astype(np.float64) / MOTION_UNITS_PER_PIXEL
    moves = np.hypot(sampled[..., 0], sampled[..., 1]) >= 0.5
    x, y = sampled[moves].T
    axes.quiver(
        columns[moves] - x, rows[moves] - y, x, y, angles="xy", scale_units="xy", scale=1, width=0.006, color="0.15"
    )
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _draw_wheel(axes: Axes, limit_pixels: float) -> None:
    y, x = np.mgrid[-1:1:121j, -1:1:121j]
    wheel = colour_motion(np.stack([x, y], -1) * 400, 100.0)
    wheel[np.hypot(x, y) > 1] = 255
    axes.imshow(wheel, extent=(-1, 1, 1, -1))
    axes.set_title(f"motion; at the rim {limit_pixels:.1f} pixels", fontsize=9)


def _draw_scale(axes: Axes) -> None:
    ramp = np.linspace(-128, 127, 256)[None, :].repeat(24, 0)
    axes.imshow(ramp, cmap="gray", extent=(-128, 127, -24, 24))
    axes.set_title("residual: -128 to 127", fontsize=9)


def save_video(path: Path, output: Path, form: PFrameForm = DEFAULT_FORM) -> int:
    """The whole file as a video of frame, motion and residual side by side; returns the number of frames.

    Raises:
        VideoError: the video cannot be read, or the output not written.
    """
    with VideoReader(path) as video:
        rate = video.info.frames_per_second or 25.0
        return encode_frames(output, _panels(video, form), frames_per_second=rate, quantiser=2)


def _panels(video: VideoReader, form: PFrameForm) -> Iterator[NDArray[np.uint8]]:
    limit = None
    for gop in range(len(video)):
        known = video.p_positions(gop)
        positions = tuple(range(video.info.gop_lengths[gop]))
        read = video.read_gop(gop, known, positions, form.reference, form.residual)
        limit = limit or (motion_limit(read) if len(known) else None)
        for position in positions:
            yield _panel(read, position, known, limit or 1.0)


def _panel(read: GopRead, position: int, known: Sequence[int], limit: float) -> NDArray[np.uint8]:
    height, width = read.iframe.shape[:2]
    if position in known:
        slot = known.index(position)
        images = [colour_motion(read.motion[slot], limit), grey_residual(read.residual[slot])]
    else:
        images = [np.full((height, width, 3), 255, np.uint8), np.full((height, width, 3), 128, np.uint8)]
    panel = np.concatenate([read.frames[position], *images], axis=1)
    # The codec wants even sides.
    padded: NDArray[np.uint8] = np.pad(panel, ((0, height % 2), (0, panel.shape[1] % 2), (0, 0)), mode="edge")
    return padded
