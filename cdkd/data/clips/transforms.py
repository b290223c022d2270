"""One draw of crop, flip and scale per clip, applied to every modality of a whole batch on its device.

A crop, a flip and a resize are one linear map per axis: out = R x C^T, with R (out, H) and C (out, W) built from the
draw. Every modality of a clip goes through the same two matrices, so that positions keep corresponding.
"""

from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from torch import Tensor

from cdkd.data.clips.clip import ClipBatch, to_device
from cdkd.modality import FRAME, IFRAME, MOTION, RESIDUAL, Modality


@dataclass(frozen=True)
class Boxes:
    """B draws: left, top, width, height in source pixels, each (B,) float64; flip (B,) bool."""

    left: Tensor
    top: Tensor
    width: Tensor
    height: Tensor
    flip: Tensor


@dataclass(frozen=True)
class CropView:
    """How crops are cut in a test."""

    resize: int
    """Pixels of both sides of a frame before the crop, or of its shorter one."""
    crop_size: int
    """Pixels of both sides of a crop, as the network sees it."""
    num_crops: int = 1
    """1: the centre; 3: left, centre and right."""
    keep_aspect: bool = False
    """The shorter side is resized, and the longer one in proportion; then left and right are the ends of the longer."""


@dataclass(frozen=True)
class NetworkInputs:
    """What the networks read, normalised float32.

    iframes (B, G, 3, H, W); motion (B, T, F, 2, H, W); residual (B, T, F, 3, H, W); frames (B, T, F', 3, H, W), F' = 0
    when no teacher looks on.
    """

    iframes: Tensor
    motion: Tensor
    residual: Tensor
    frames: Tensor


def join_inputs(first: NetworkInputs, second: NetworkInputs) -> NetworkInputs:
    """Inputs (B, ...) and (B', ...) of equal layout as (B + B', ...), the first ones first."""
    pairs = ((getattr(first, field.name), getattr(second, field.name)) for field in fields(NetworkInputs))
    return NetworkInputs(*(torch.cat(pair) for pair in pairs))


def draw_boxes(
    num_clips: int, size: tuple[int, int], crop_scale: tuple[float, float], flips: bool, generator: torch.Generator
) -> Boxes:
    """Random square crops whose side is a fraction drawn from `crop_scale` of the shorter side of `size` (H, W)."""
    height, width = size
    # Four numbers per clip whatever is switched on: without flips the crops of a seed are still the same.
    draws = torch.rand(4, num_clips, generator=generator, dtype=torch.float64)
    low, high = crop_scale
    side = (low + (high - low) * draws[0]) * min(height, width)
    # Whole pixels, so that a crop without resize copies pixels.
    side = side.round()
    # One of the width - side + 1 places that a crop of whole pixels has, all equally likely.
    left = (draws[1] * (width - side + 1)).floor().clamp(max=width - 1)
    top = (draws[2] * (height - side + 1)).floor().clamp(max=height - 1)
    return Boxes(left, top, side, side.clone(), (draws[3] < 0.5) & flips)


def view_boxes(num_clips: int, size: tuple[int, int], view: CropView, crop: int) -> Boxes:
    """The boxes of test crop number `crop`, in source pixels of frames of `size` (H, W).

    256 of 320 x 256, aspect kept, three crops:      left 0, 32, 64
    224 of the same, squeezed to 256 x 256 before:   left 0, 16, 32 of 256
    """
    height, width = size
    # One map from the source to the crop: a resize of the whole frame, of which most is cut off, is never computed.
    # What a crop shows of each side; squeezed to a square, the same fraction of both.
    across = along = view.crop_size / view.resize
    if view.keep_aspect:
        across, along = across * min(size) / width, along * min(size) / height
    place = 0.5 if view.num_crops == 1 else crop / (view.num_crops - 1)
    # The crops of an upright frame lie one above the other.
    is_upright = view.keep_aspect and height > width
    full = torch.ones(num_clips, dtype=torch.float64)
    return Boxes(
        left=full * ((1 - across) * (0.5 if is_upright else place) * width),
        top=full * ((1 - along) * (place if is_upright else 0.5) * height),
        width=full * (across * width),
        height=full * (along * height),
        flip=torch.zeros(num_clips, dtype=torch.bool),
    )


def resampling_matrix(start: Tensor, length: Tensor, flip: Tensor, in_size: int, out_size: int) -> Tensor:
    """Bilinear sampling of `length` pixels from `start` as a matrix (B, out_size, in_size); flipped rows run backwards.

    Output pixel i looks at start + (i + 1/2) length / out_size - 1/2, clamped to the picture.
    """
    # Pixel centres, as fractions of the box. In double precision, since single precision would miss a place near column
    # 300 by a hundred-thousandth of a pixel, and a crop without resize is to copy pixels.
    at = (torch.arange(out_size, dtype=torch.float64) + 0.5) / out_size
    at = torch.where(flip[:, None], 1 - at, at.expand(len(start), -1))
    # (B, out_size) places in the source; then each one's distance to every column, (B, out_size, in_size).
    source = (start[:, None] + at * length[:, None] - 0.5).clamp(0, in_size - 1)
    columns = torch.arange(in_size, dtype=torch.float64)
    # A tent of width 2 around the place: its two neighbours share the weight, all others get 0.
    return (1 - (source[..., None] - columns).abs()).clamp(min=0).float()


def _resample(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(B, N, C, H, W) of any type -> (B, N, C, H', W') float32."""
    batch, num, channels, height, width = pictures.shape
    # In bfloat16 whole numbers above 256 are rounded to even ones: of motion, all that is longer than 64 pixels.
    with torch.autocast(pictures.device.type, enabled=False):
        flat = pictures.reshape(batch, num * channels * height, width).float()
        # (B, N * C * H, W'): columns first, for all rows of all pictures in one product per clip.
        flat = torch.bmm(flat, columns.transpose(1, 2))
        flat = flat.view(batch, num * channels, height, columns.shape[1])
        # (B, N * C, H', W')
        out = torch.matmul(rows[:, None], flat)
    return out.view(batch, num, channels, rows.shape[1], columns.shape[1])


@dataclass(frozen=True)
class _Geometry:
    """The draws of B clips as linear maps: rows (B, H', H), columns (B, W', W); factors of vectors (B, 2), x, y."""

    rows: Tensor
    columns: Tensor
    displacement: Tensor


def _to_input(pictures: Tensor, modality: Modality, geometry: _Geometry) -> Tensor:
    """Stored integers (B, N, C, H, W) -> network input (B, N, C, H', W')."""
    pictures = _resample(pictures, geometry.rows, geometry.columns)
    if modality.is_displacement:
        pictures = pictures.mul_(geometry.displacement[:, None, :, None, None])
    # In place: `_resample` has made these numbers for nobody else, and a copy of a clip's frames is large.
    pictures = pictures.div_(modality.scale)
    if modality.limit is not None:
        pictures = pictures.clamp_(-modality.limit, modality.limit)
    # Motion and residual have a mean of 0, and need no pass over memory to subtract it.
    if any(modality.mean):
        pictures = pictures.sub_(_per_channel(modality.mean, pictures.device))
    return pictures.div_(_per_channel(modality.std, pictures.device))


@lru_cache(maxsize=64)
def _per_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """(C, 1, 1); kept, as making it on a GPU in every step would make the processor wait."""
    return torch.tensor(values, device=device).view(-1, 1, 1)


def _gather(pictures: Tensor, windows: Tensor) -> Tensor:
    """(B, N, ...) by indices (B, T, F) -> (B, T, F, ...)."""
    clip = torch.arange(pictures.shape[0], device=pictures.device)[:, None, None]
    return pictures[clip, windows]


def prepare_inputs(batch: ClipBatch, boxes: Boxes, input_size: int) -> NetworkInputs:
    """Crops, flips, scales and normalises all modalities of a batch alike.

    A flip negates the x component of motion; a resize by s multiplies motion by s (per axis).
    """
    device = batch.iframes.device
    height, width = batch.iframes.shape[-2:]
    # 1. The draws as two matrices per clip. Left and right alone are exchanged, so rows are never flipped.
    columns = to_device(resampling_matrix(boxes.left, boxes.width, boxes.flip, width, input_size), device)
    unflipped = torch.zeros_like(boxes.flip)
    rows = to_device(resampling_matrix(boxes.top, boxes.height, unflipped, height, input_size), device)
    # 2. What the map does to a vector: pixels of the network's input per pixel of the source, and the flip.
    sign = 1 - 2 * boxes.flip.double()
    scale = to_device(torch.stack([sign * input_size / boxes.width, input_size / boxes.height], dim=1).float(), device)
    # 3. Each picture is resampled once, then the windows pick from them: a frame stands in several.
    geometry = _Geometry(rows, columns, scale)
    return NetworkInputs(
        iframes=_to_input(batch.iframes, IFRAME, geometry),
        motion=_gather(_to_input(batch.motion, MOTION, geometry), batch.motion_windows),
        residual=_gather(_to_input(batch.residual, RESIDUAL, geometry), batch.motion_windows),
        frames=_gather(_to_input(batch.frames, FRAME, geometry), batch.frame_windows),
    )


def swap_labels(labels: Tensor, flip: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    """Labels (B,) with each pair of left/right classes exchanged where the clip is flipped."""
    swapped = labels.clone()
    for left, right in pairs:
        # Asked of the labels as they were, so that the second line does not turn the first one back.
        swapped[flip & (labels == left)] = right
        swapped[flip & (labels == right)] = left
    return swapped
