"""torchvision's Kinetics-400 video networks as teachers: their own time axis is aligned to the T time steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.modality import FRAME
from cdkd.models.backbones.tsm import check_frames
from cdkd.models.errors import ModelError
from cdkd.models.outputs import TeacherOutput
from cdkd.models.teacher.teacher import Teacher
from cdkd.settings import TeacherSettings

Trunk = Callable[[Any, Tensor], tuple[Tensor, Tensor]]
"""Turns a clip (B, 3, N, H, W) into maps (B, C, T', H', W') and the vector (B, C) that the classifier reads."""


def _pool(maps: Tensor) -> Tensor:
    """(B, C, T', H', W') to (B, C)."""
    return maps.mean(dim=(2, 3, 4))


def _mvit_trunk(net: Any, clip: Tensor) -> tuple[Tensor, Tensor]:
    tokens = net.pos_encoding(net.conv_proj(clip).flatten(2).transpose(1, 2))
    grid = (net.pos_encoding.temporal_size, *net.pos_encoding.spatial_size)
    for block in net.blocks:
        tokens, grid = block(tokens, grid)
    tokens = net.norm(tokens)
    # Token 0 is the class token; the others lie in reading order over (T', H', W').
    return torch.unflatten(tokens[:, 1:].transpose(1, 2), 2, grid), tokens[:, 0]


def _swin_trunk(net: Any, clip: Tensor) -> tuple[Tensor, Tensor]:
    maps = net.norm(net.features(net.pos_drop(net.patch_embed(clip)))).permute(0, 4, 1, 2, 3)
    return maps, _pool(maps)


def _s3d_trunk(net: Any, clip: Tensor) -> tuple[Tensor, Tensor]:
    maps = net.features(clip)
    return maps, _pool(maps)


def _resnet_trunk(net: Any, clip: Tensor) -> tuple[Tensor, Tensor]:
    maps = net.layer4(net.layer3(net.layer2(net.layer1(net.stem(clip)))))
    return maps, _pool(maps)


@dataclass(frozen=True)
class VideoModel:
    """What differs between torchvision's video networks."""

    trunk: Trunk
    num_features: int
    num_input_frames: int
    """N: frames the network is fed with, whatever T is."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """Normalisation of its Kinetics weights."""
    head: str
    """Name of the classifier, which is replaced."""
    kinetics_weights: str
    """torchvision's name of them."""
    crop_pixels: int
    """Side of the pictures that they were trained on."""
    fixed_size: int | None = None
    """Height and width it was built for; None: any."""


_R3D_MEAN, _R3D_STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)

VIDEO_MODELS: dict[str, VideoModel] = {
    "mvit_v2_s": VideoModel(
        _mvit_trunk, 768, 16, (0.45,) * 3, (0.225,) * 3, "head.1",
        "MViT_V2_S_Weights.KINETICS400_V1", crop_pixels=224, fixed_size=224,
    ),
    "swin3d_t": VideoModel(
        _swin_trunk, 768, 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "head",
        "Swin3D_T_Weights.KINETICS400_V1", crop_pixels=224,
    ),
    "s3d": VideoModel(
        _s3d_trunk, 1024, 16, _R3D_MEAN, _R3D_STD, "classifier.1",
        "S3D_Weights.KINETICS400_V1", crop_pixels=224,
    ),
    "r2plus1d_18": VideoModel(
        _resnet_trunk, 512, 16, _R3D_MEAN, _R3D_STD, "fc",
        "R2Plus1D_18_Weights.KINETICS400_V1", crop_pixels=112,
    ),
}  # fmt: skip


def _build_trunk(arch: str) -> nn.Module:
    """torchvision's network without its classifier."""
    import torchvision  # a second of import that the other teachers need not wait for

    network: nn.Module = getattr(torchvision.models.video, arch)(weights=None)
    network.set_submodule(VIDEO_MODELS[arch].head, nn.Identity())
    return network


def spread_frames(num_time_steps: int, num_input_frames: int) -> list[int]:
    """Which of T time steps each of N input frames shows: floor(j T / N), each step about N / T times in a row."""
    return [j * num_time_steps // num_input_frames for j in range(num_input_frames)]


def align_time(maps: Tensor, num_time_steps: int) -> Tensor:
    """(B, C, T', H, W) to (B, T, C, H, W), linear between the centres of the T' steps, constant beyond them."""
    batch, channels, steps, height, width = maps.shape
    columns = maps.permute(0, 1, 3, 4, 2).reshape(batch, channels * height * width, steps)
    aligned = F.interpolate(columns, size=num_time_steps, mode="linear", align_corners=False)
    return aligned.reshape(batch, channels, height, width, num_time_steps).permute(0, 4, 1, 2, 3)


class VideoTeacher(Teacher):
    """A torchvision video network behind the teachers' interface.

        T time steps -> N input frames (repeat) -> network -> T' steps -> T time steps (linear interpolation)

    The logits come from the network's own pooled vector through a linear layer; with 400 classes the Kinetics
    weights fill it, otherwise it has to be trained before logits distillation makes sense. MViT's positions fix its
    input to 224 x 224, so its frames are resized.

    Raises:
        ModelError: an unknown name.
    """

    window = 1

    def __init__(self, arch: str, num_classes: int, num_segments: int, dropout: float = 0.0) -> None:
        super().__init__()
        if arch not in VIDEO_MODELS:
            raise ModelError(f"teacher.arch: unknown video network '{arch}'; known: {', '.join(VIDEO_MODELS)}")
        self.model = VIDEO_MODELS[arch]
        self.num_segments = num_segments
        self.num_features = self.model.num_features
        self.arch = arch
        self.trunk = _build_trunk(arch)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.num_features, num_classes)
        scale = [ours / theirs for ours, theirs in zip(FRAME.std, self.model.std, strict=True)]
        offset = [
            (ours - theirs) / std for ours, theirs, std in zip(FRAME.mean, self.model.mean, self.model.std, strict=True)
        ]
        self.register_buffer("scale", torch.tensor(scale).view(3, 1, 1), persistent=False)
        self.register_buffer("offset", torch.tensor(offset).view(3, 1, 1), persistent=False)

    @classmethod
    def from_settings(cls, settings: TeacherSettings, num_classes: int, num_segments: int) -> Self:
        """See `Teacher`."""
        return cls(settings.arch, num_classes, num_segments, settings.dropout)

    def reset_parameters(self) -> None:
        """Draws the trunk anew, its class token and position tables too; `fc` initialises itself."""
        self.trunk.load_state_dict(_build_trunk(self.arch).state_dict())

    def forward(self, frames: Tensor) -> TeacherOutput:
        """ImageNet-normalised frames (B, T, 1, 3, H, W) to logits (B, K) and maps (B, T, num_features, H', W').

        Raises:
            ModelError: frames of another shape.
        """
        check_frames(frames, self.num_segments, 1, FRAME.num_channels)
        pictures = frames[:, :, 0] * self.get_buffer("scale") + self.get_buffer("offset")
        if self.model.fixed_size is not None and pictures.shape[-1] != self.model.fixed_size:
            pictures = self._resize(pictures, self.model.fixed_size)
        clip = pictures[:, spread_frames(self.num_segments, self.model.num_input_frames)].transpose(1, 2)
        maps, pooled = self.model.trunk(self.trunk, clip)
        return TeacherOutput(self.fc(self.dropout(pooled)), align_time(maps, self.num_segments))

    def _resize(self, pictures: Tensor, size: int) -> Tensor:
        """(B, T, 3, H, W) to (B, T, 3, size, size)."""
        resized = F.interpolate(
            pictures.flatten(0, 1), size=(size, size), mode="bilinear", align_corners=False, antialias=True
        )
        return torch.unflatten(resized, 0, (-1, self.num_segments))
