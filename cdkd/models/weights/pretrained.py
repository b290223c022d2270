"""Where a network starts from: torchvision's ImageNet or Kinetics weights, or a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from cdkd.models.backbones.resnet import BACKBONES, ResNet
from cdkd.models.backbones.tdn import TDNEncoder
from cdkd.models.backbones.video_models import VideoTeacher
from cdkd.models.errors import ModelError
from cdkd.models.weights.checkpoints import SUFFIX, load_tensors
from cdkd.models.weights.state_dict_io import read_state_dict

_IMAGENET: dict[str, str] = {
    "resnet18": "ResNet18_Weights.IMAGENET1K_V1",
    "resnet34": "ResNet34_Weights.IMAGENET1K_V1",
    "resnet50": "ResNet50_Weights.IMAGENET1K_V1",
    "resnet101": "ResNet101_Weights.IMAGENET1K_V1",
    "resnet152": "ResNet152_Weights.IMAGENET1K_V1",
}
# What a network adds to a torchvision ResNet; ImageNet weights say nothing about it.
_ADDED = ("input_norm.", ".between.")
_BACKBONE = "encoder.backbone."
_HEADS = ("head.", "fc.", "dropout.")


@dataclass(frozen=True)
class StartReport:
    """Which parameters and buffers got a value, and which keep their random start."""

    loaded: tuple[str, ...]
    random: tuple[str, ...]


def fit_stem(kernel: Tensor, in_channels: int) -> Tensor:
    """An RGB kernel (O, 3, h, w) for `in_channels` channels: averaged over its inputs, repeated, not rescaled."""
    if kernel.shape[1] == in_channels:
        return kernel
    return kernel.mean(dim=1, keepdim=True).repeat(1, in_channels, 1, 1)


def load_pretrained(network: nn.Module, weights: str) -> StartReport:
    """Fills a freshly initialised network.

    Args:
        network: a student or a teacher of this package.
        weights: `random`; `imagenet` (every ResNet inside; motion stems from the averaged RGB kernel); `kinetics400`
            (torchvision's video teachers); or a file: one of our checkpoints (of the same kind of network: every part
            the file has, but the classifier; of a TSM or TDN teacher: its ResNet, for every stream), or torchvision
            weights.

    Raises:
        ModelError: weights that cannot be downloaded or read, or do not fit.
    """
    if weights == "random":
        names: set[str] = set()
    elif weights == "imagenet":
        names = _fill_resnets(network, {name: weights for name in _resnet_names(network)})
    elif weights == "kinetics400":
        names = _fill_video(network, None)
    elif isinstance(network, VideoTeacher) and not weights.endswith(SUFFIX):
        names = _fill_video(network, Path(weights))
    else:
        names = _fill_from_file(network, Path(weights))
    return StartReport(tuple(sorted(names)), tuple(name for name in network.state_dict() if name not in names))


def _resnet_names(network: nn.Module) -> list[str]:
    names = [name for name, module in network.named_modules() if isinstance(module, ResNet)]
    if not names:
        raise ModelError("weights: imagenet needs a network with a ResNet; use kinetics400, random or a file")
    return names


def _download(name: str) -> dict[str, Tensor]:
    import torchvision  # a second of import that runs from random weights need not wait for

    try:
        state: dict[str, Tensor] = torchvision.models.get_weight(name).get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise ModelError(
            f"{name}: torchvision's weights cannot be downloaded ({error}); "
            "give the path of a downloaded file instead, or weights: random"
        ) from error
    return state


def _fill_resnets(network: nn.Module, sources: Mapping[str, str | dict[str, Tensor]]) -> set[str]:
    names: set[str] = set()
    for name, source in sources.items():
        resnet = network.get_submodule(name)
        assert isinstance(resnet, ResNet)
        state = _imagenet_state(resnet) if isinstance(source, str) else source
        names |= {f"{name}.{key}" for key in _fill_resnet(resnet, state)}
        parent = network.get_submodule(name.rpartition(".")[0])
        if isinstance(parent, TDNEncoder):
            prefix = f"{name.rpartition('.')[0]}.short_term."
            names |= {prefix + key for key in _fill_short_term(parent, state)}
    return names


def _imagenet_state(resnet: ResNet) -> dict[str, Tensor]:
    for name, spec in BACKBONES.items():
        if spec == resnet.spec and name in _IMAGENET:
            return _download(_IMAGENET[name])
    known = ", ".join(_IMAGENET)
    raise ModelError(f"weights: torchvision has no ImageNet weights for this backbone; it has them for {known}")


def _fill_resnet(resnet: ResNet, state: Mapping[str, Tensor]) -> set[str]:
    own = resnet.state_dict()
    wanted = [key for key in own if not any(mark in key or key.startswith(mark) for mark in _ADDED)]
    fitted = {**state, "conv1.weight": fit_stem(_take(state, "conv1.weight"), resnet.in_channels)}
    return _copy(own, {key: _take(fitted, key) for key in wanted})


def _fill_short_term(encoder: TDNEncoder, state: Mapping[str, Tensor]) -> set[str]:
    own = encoder.short_term.state_dict()
    values = {key: _take(state, key) for key in own if key.startswith("layer1.")}
    values["conv.weight"] = fit_stem(_take(state, "conv1.weight"), own["conv.weight"].shape[1])
    return _copy(own, values)


def _take(state: Mapping[str, Tensor], key: str) -> Tensor:
    if key in state:
        return state[key]
    if key.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.long)
    raise ModelError(f"weights: {key} is missing; is the file of another architecture?")


def _copy(own: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> set[str]:
    for key, value in values.items():
        if own[key].shape != value.shape:
            raise ModelError(
                f"weights: {key} is {tuple(value.shape)}, the network has {tuple(own[key].shape)}; "
                "is the file of another architecture?"
            )
    with torch.no_grad():
        for key, value in values.items():
            own[key].copy_(value)
    return set(values)


def _fill_video(network: nn.Module, path: Path | None) -> set[str]:
    if not isinstance(network, VideoTeacher):
        raise ModelError("weights: kinetics400 is for torchvision's video networks; use imagenet, random or a file")
    state = _download(network.model.kinetics_weights) if path is None else read_state_dict(path)
    head = f"{network.model.head}."
    own = network.trunk.state_dict()
    names = {f"trunk.{key}" for key in _copy(own, {key: _take(state, key) for key in own})}
    # S3D's classifier is a 1x1x1 convolution; the same numbers in the shape of a linear layer.
    classifier = {key.removeprefix(head): value for key, value in state.items() if key.startswith(head)}
    classifier = {key: value.flatten(1) if value.dim() > 2 else value for key, value in classifier.items()}
    fits = {key: tensor.shape for key, tensor in network.fc.state_dict().items()}
    if {key: value.shape for key, value in classifier.items()} == fits:
        names |= {f"fc.{key}" for key in _copy(network.fc.state_dict(), classifier)}
    return names


def _fill_from_file(network: nn.Module, path: Path) -> set[str]:
    state = load_tensors(path) if path.suffix == SUFFIX else read_state_dict(path)
    parts = [name for name, _ in network.named_children() if not f"{name}.".startswith(_HEADS)]
    present = [name for name in parts if any(key.startswith(f"{name}.") for key in state)]
    if present:
        own = network.state_dict()
        wanted = [key for key in own if key.partition(".")[0] in present]
        try:
            return _copy(own, {key: _take(state, key) for key in wanted})
        except ModelError as error:
            # A teacher's encoder may still fit by its ResNet alone, such as TSM's in TDN.
            if not any(key.startswith(_BACKBONE) for key in state):
                raise ModelError(f"{path}: {error}") from error
    if any(key.startswith(_BACKBONE) for key in state):
        state = {key.removeprefix(_BACKBONE): value for key, value in state.items() if key.startswith(_BACKBONE)}
    try:
        return _fill_resnets(network, {name: state for name in _resnet_names(network)})
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
