"""One geometry for all modalities: exact copies, exact flips, scaled vectors."""

import pytest
import torch
from support.clips import batch_of

from cdkd.data.clips.transforms import (
    Boxes,
    CropView,
    draw_boxes,
    prepare_inputs,
    resampling_matrix,
    swap_labels,
    view_boxes,
)
from cdkd.modality import FRAME, MOTION, RESIDUAL


def boxes(left: float, top: float, width: float, height: float, flip: bool, num_clips: int = 2) -> Boxes:
    one = torch.ones(num_clips, dtype=torch.float64)
    return Boxes(left * one, top * one, width * one, height * one, torch.full((num_clips,), flip))


def denormalised(pictures: torch.Tensor, modality: object) -> torch.Tensor:
    std = torch.tensor(modality.std).view(-1, 1, 1)  # type: ignore[attr-defined]
    mean = torch.tensor(modality.mean).view(-1, 1, 1)  # type: ignore[attr-defined]
    return (pictures * std + mean) * modality.scale  # type: ignore[attr-defined]


def test_a_crop_copies_pixels_of_every_modality() -> None:
    batch = batch_of(20, 28)
    inputs = prepare_inputs(batch, boxes(3, 2, 16, 16, flip=False), 16)
    window = (..., slice(2, 18), slice(3, 19))
    torch.testing.assert_close(denormalised(inputs.iframes, FRAME), batch.iframes[window].float(), atol=1e-3, rtol=0)
    expected = batch.motion[:, [0, 2, 3]][window].float().unsqueeze(2)
    torch.testing.assert_close(denormalised(inputs.motion, MOTION), expected, atol=1e-4, rtol=0)
    expected = batch.residual[:, [0, 2, 3]][window].float().clamp(-128, 128).unsqueeze(2)
    torch.testing.assert_close(denormalised(inputs.residual, RESIDUAL), expected, atol=1e-3, rtol=0)
    expected = torch.stack([batch.frames[:, i : i + 3] for i in range(3)], dim=1)[window].float()
    torch.testing.assert_close(denormalised(inputs.frames, FRAME), expected, atol=1e-3, rtol=0)


def test_a_flip_mirrors_pictures_and_negates_x_motion_alone() -> None:
    batch = batch_of(16, 16)
    plain = prepare_inputs(batch, boxes(0, 0, 16, 16, flip=False), 16)
    flipped = prepare_inputs(batch, boxes(0, 0, 16, 16, flip=True), 16)
    torch.testing.assert_close(flipped.frames, plain.frames.flip(-1))
    torch.testing.assert_close(flipped.iframes, plain.iframes.flip(-1))
    torch.testing.assert_close(flipped.residual, plain.residual.flip(-1))
    torch.testing.assert_close(flipped.motion[..., 0, :, :], -plain.motion[..., 0, :, :].flip(-1))
    torch.testing.assert_close(flipped.motion[..., 1, :, :], plain.motion[..., 1, :, :].flip(-1))


def test_a_resize_scales_motion_by_its_factor_per_axis() -> None:
    batch = batch_of(16, 32)
    batch.motion[:, :, 0] = 8  # 2 pixels
    batch.motion[:, :, 1] = -4  # -1 pixel
    inputs = prepare_inputs(batch, boxes(0, 0, 32, 16, flip=False), 24)
    pixels = denormalised(inputs.motion, MOTION) / 4
    torch.testing.assert_close(pixels[..., 0, :, :], torch.full_like(pixels[..., 0, :, :], 2 * 24 / 32))
    torch.testing.assert_close(pixels[..., 1, :, :], torch.full_like(pixels[..., 1, :, :], -1 * 24 / 16))


def test_resampling_weights_of_a_halved_row() -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    matrix = resampling_matrix(zero, zero + 4, torch.tensor([False]), in_size=4, out_size=2)
    # Output 0 looks at 0.5, output 1 at 2.5.
    assert matrix.tolist() == [[[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]]


def test_random_boxes_stay_inside_and_reach_the_borders() -> None:
    drawn = draw_boxes(500, (20, 30), (0.8, 1.0), True, torch.Generator().manual_seed(1))
    assert drawn.width.min() == 16 and drawn.width.max() == 20
    assert drawn.left.min() == 0 and (drawn.left + drawn.width).max() == 30
    assert drawn.top.min() == 0 and (drawn.top + drawn.height).max() == 20
    assert 0.4 < drawn.flip.float().mean() < 0.6


def test_three_crops_are_left_centre_right_of_the_resized_frame() -> None:
    # 320 x 256 -> 256 x 256 -> three 224 crops: columns 0, 16, 32 of the resized frame.
    lefts = [view_boxes(1, (256, 320), CropView(256, 224, 3), crop).left.item() * 256 / 320 for crop in range(3)]
    assert lefts == pytest.approx([0, 16, 32])
    centre = view_boxes(1, (256, 320), CropView(256, 224), 0)
    assert (centre.left.item(), centre.top.item()) == pytest.approx((20, 16))
    assert (centre.width.item(), centre.height.item()) == pytest.approx((280, 224))


@pytest.mark.parametrize(
    ("size", "resize", "crop_size", "expected"),
    [
        # Full resolution: the short side stays 256, crops of 256 at 0, 32 and 64 of 320.
        ((256, 320), 256, 256, [(0, 0, 256), (32, 0, 256), (64, 0, 256)]),
        # 240 x 320 becomes 256 x 341.33: crops of 224 are 210 source pixels wide, at 15 of 240 from above.
        ((240, 320), 256, 224, [(0, 15, 210), (55, 15, 210), (110, 15, 210)]),
        # Upright: the crops lie one above the other.
        ((320, 240), 256, 224, [(15, 0, 210), (15, 55, 210), (15, 110, 210)]),
    ],
)
def test_crops_of_frames_that_keep_their_aspect_are_squares_along_the_longer_side(
    size: tuple[int, int], resize: int, crop_size: int, expected: list[tuple[float, float, float]]
) -> None:
    for crop, box in enumerate(expected):
        found = view_boxes(1, size, CropView(resize, crop_size, 3, keep_aspect=True), crop)
        assert (found.left.item(), found.top.item(), found.width.item()) == pytest.approx(box)
        assert found.height.item() == pytest.approx(found.width.item())


def test_labels_are_swapped_where_flipped() -> None:
    labels = torch.tensor([86, 87, 5, 86])
    flip = torch.tensor([True, True, True, False])
    assert swap_labels(labels, flip, ((86, 87),)).tolist() == [87, 86, 5, 86]
