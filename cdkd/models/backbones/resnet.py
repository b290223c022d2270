"""ResNets of any width and depth under torchvision's names, with places where temporal modules can be put."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from cdkd.models.backbones.activation_checkpointing import checkpointed
from cdkd.models.errors import ModelError


class BackboneConv2d(nn.Conv2d):
    """A bias-free convolution, initialised N(0, sqrt(2 / (k * k * out_channels))) as ResNet, TSM and TDN are."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, groups=groups, bias=False
        )

    def reset_parameters(self) -> None:
        """Draws the weights anew from torch's current generator."""
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")


class Block(nn.Module):
    """What both residual blocks share: the shortcut, and two places for temporal modules.

        x -+- before - conv1 - bn1 - relu - between - conv2 - bn2 - ... -+- relu
           +---------------------- downsample ---------------------------+

    TSM shifts in `before`, so the shortcut sees unshifted features; TDN works in `between`.
    """

    expansion: int = 1

    def __init__(self, in_channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.planes = planes
        self.before: nn.Module = nn.Identity()
        self.between: nn.Module = nn.Identity()
        out_channels = planes * self.expansion
        # A module without parameters where the sizes agree, so that the forward pass need not ask.
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                BackboneConv2d(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels)
            )

    def residual(self, x: Tensor) -> Tensor:
        """The residual branch, (N, C, H, W) to (N, C', H', W'), C' = planes * expansion."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, planes * expansion, H / stride, W / stride)."""
        # In place on the sum, which nobody else holds.
        return F.relu(self.residual(x) + self.downsample(x), inplace=True)


class BasicBlock(Block):
    """Two 3x3 convolutions; the first one strides."""

    expansion = 1

    def __init__(self, in_channels: int, planes: int, stride: int = 1) -> None:
        super().__init__(in_channels, planes, stride)
        self.conv1 = BackboneConv2d(in_channels, planes, 3, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = BackboneConv2d(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)

    def residual(self, x: Tensor) -> Tensor:
        """See `Block`."""
        x = F.relu(self.bn1(self.conv1(self.before(x))), inplace=True)
        out: Tensor = self.bn2(self.conv2(self.between(x)))
        return out


class Bottleneck(Block):
    """1x1, 3x3, 1x1; the 3x3 strides (torchvision's v1.5)."""

    expansion = 4

    def __init__(self, in_channels: int, planes: int, stride: int = 1) -> None:
        super().__init__(in_channels, planes, stride)
        self.conv1 = BackboneConv2d(in_channels, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = BackboneConv2d(planes, planes, 3, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = BackboneConv2d(planes, planes * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)

    def residual(self, x: Tensor) -> Tensor:
        """See `Block`."""
        x = F.relu(self.bn1(self.conv1(self.before(x))), inplace=True)
        x = F.relu(self.bn2(self.conv2(self.between(x))), inplace=True)
        out: Tensor = self.bn3(self.conv3(x))
        return out


@dataclass(frozen=True)
class BackboneSpec:
    """The geometry of a ResNet."""

    block: type[BasicBlock] | type[Bottleneck]
    layers: tuple[int, ...]
    """Blocks per stage; every stage but the first halves the map and doubles the planes."""
    width: int = 64
    """Planes of the first stage."""

    @property
    def num_features(self) -> int:
        """C of the last map."""
        return self.width * self.block.expansion << (len(self.layers) - 1)

    @property
    def map_stride(self) -> int:
        """Input pixels per position of the last map."""
        return 4 << (len(self.layers) - 1)


BACKBONES: dict[str, BackboneSpec] = {
    "slim": BackboneSpec(BasicBlock, (1, 1, 1), 16),
    "resnet18": BackboneSpec(BasicBlock, (2, 2, 2, 2)),
    "resnet34": BackboneSpec(BasicBlock, (3, 4, 6, 3)),
    "resnet50": BackboneSpec(Bottleneck, (3, 4, 6, 3)),
    "resnet101": BackboneSpec(Bottleneck, (3, 4, 23, 3)),
    "resnet152": BackboneSpec(Bottleneck, (3, 8, 36, 3)),
}


def backbone_spec(backbone: str | BackboneSpec) -> BackboneSpec:
    """The geometry behind a name; a geometry passes through.

    Raises:
        ModelError: an unknown name.
    """
    if isinstance(backbone, BackboneSpec):
        return backbone
    if backbone not in BACKBONES:
        raise ModelError(f"unknown backbone '{backbone}'; known: {', '.join(BACKBONES)}")
    return BACKBONES[backbone]


class ResNet(nn.Module):
    """torchvision's ResNet without its classifier: same names, so its state dicts fit.

    `input_norm` is a batch norm on the input of streams whose values follow no ImageNet statistics.
    """

    def __init__(self, spec: BackboneSpec, in_channels: int = 3, input_norm: bool = False) -> None:
        super().__init__()
        self.spec = spec
        self.in_channels = in_channels
        self.num_features = spec.num_features
        self.checkpoint_activations = False
        # Without a scale and a shift of its own: conv1's weights hold a scale as well, and bn1 takes a shift away.
        # They alone would make the backward pass go through conv1 to its input, a sixth of a slim student's step.
        self.input_norm: nn.Module = nn.BatchNorm2d(in_channels, affine=False) if input_norm else nn.Identity()
        self.conv1 = BackboneConv2d(in_channels, spec.width, 7, 2)
        self.bn1 = nn.BatchNorm2d(spec.width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        # The stages get torchvision's names, layer1 and so on, under which published weights are stored.
        channels = spec.width
        self._stage_names: list[str] = []
        for index in range(len(spec.layers)):
            stage = residual_stage(spec, index, channels)
            self.add_module(f"layer{index + 1}", stage)
            self._stage_names.append(f"layer{index + 1}")
            channels = spec.width * 2**index * spec.block.expansion

    @property
    def stages(self) -> list[nn.Sequential]:
        """layer1 .. layerN."""
        return [self.get_submodule(name) for name in self._stage_names]  # type: ignore[misc]

    def stem(self, x: Tensor) -> Tensor:
        """conv1, bn1, relu, maxpool: normalised input (N, C, H, W) to (N, width, H / 4, W / 4)."""
        out: Tensor = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        return out

    def run_stage(self, stage: nn.Sequential, x: Tensor) -> Tensor:
        """One of `stages`, (N, C, H, W) to (N, C', H', W').

        With `checkpoint_activations` its activations are not kept for the backward pass.
        """
        # Without gradient nothing is kept anyhow, and computing it twice would only cost time.
        if self.checkpoint_activations and self.training:
            return checkpointed(stage, x)
        out: Tensor = stage(x)
        return out

    def stage_maps(self, images: Tensor) -> list[Tensor]:
        """The output of every stage, images (N, C, H, W) to a list of (N, C_i, H_i, W_i)."""
        x = self.stem(self.input_norm(images))
        maps = []
        for stage in self.stages:
            x = self.run_stage(stage, x)
            maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to the last map (N, num_features, H / map_stride, W / map_stride)."""
        return self.stage_maps(images)[-1]


def residual_stage(spec: BackboneSpec, index: int, in_channels: int) -> nn.Sequential:
    """Stage `index` (from 0) of a ResNet, as a sequence of blocks."""
    planes = spec.width * 2**index
    blocks: list[nn.Module] = [spec.block(in_channels, planes, stride=1 if index == 0 else 2)]
    blocks += [spec.block(planes * spec.block.expansion, planes) for _ in range(spec.layers[index] - 1)]
    return nn.Sequential(*blocks)


def build_backbone(backbone: str | BackboneSpec, in_channels: int = 3, *, input_norm: bool = False) -> ResNet:
    """A ResNet for images of `in_channels` channels.

    Raises:
        ModelError: an unknown name.
    """
    return ResNet(backbone_spec(backbone), in_channels, input_norm)


def checkpoint_activations(network: nn.Module, is_wanted: bool = True) -> None:
    """Every ResNet inside computes its stages' activations again in the backward pass: slower, and smaller."""
    for module in network.modules():
        if isinstance(module, ResNet):
            module.checkpoint_activations = is_wanted
