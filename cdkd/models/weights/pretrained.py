"""Where a network starts from: random streams of its own, then torchvision's weights or a file's where they fit."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from cdkd.models.backbones.resnet import BACKBONES, ResNet
from cdkd.models.backbones.tdn import TDNEncoder
from cdkd.models.errors import ModelError
from cdkd.models.teacher.video_models import VideoTeacher
from cdkd.models.weights.checkpoints import load_tensors
from cdkd.models.weights.description import SUFFIX
from cdkd.models.weights.state_dict_io import read_state_dict
from cdkd.seeding import derive_seed

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


def initialise(network: nn.Module, seed: int) -> None:
    """Draws every weight anew from the stream (seed, "weights", name of the submodule).

    Two networks that share some submodules by name start with equal weights there, whatever else they hold. Children
    come before their parents, so that a parent's own rule has the last word.
    """
    with torch.random.fork_rng(devices=[]):
        for name, module in reversed(list(network.named_modules())):
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                torch.manual_seed(derive_seed(seed, "weights", name))
                reset()


def fit_stem(kernel: Tensor, in_channels: int) -> Tensor:
    """An RGB kernel (O, 3, h, w) for `in_channels` channels: averaged over its inputs, repeated, not rescaled."""
    if kernel.shape[1] == in_channels:
        return kernel
    return kernel.mean(dim=1, keepdim=True).repeat(1, in_channels, 1, 1)


def load_pretrained(network: nn.Module, weights: str) -> None:
    """Fills what `weights` knows of a freshly initialised network; the rest, its classifier above all, stays random.

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
        return
    if weights == "imagenet":
        _fill_resnets(network, _imagenet_state)
    elif weights == "kinetics400":
        _fill_video(network, None)
    elif isinstance(network, VideoTeacher) and not weights.endswith(SUFFIX):
        _fill_video(network, Path(weights))
    else:
        _fill_from_file(network, Path(weights))


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


def _fill_resnets(network: nn.Module, state_of: Callable[[ResNet], Mapping[str, Tensor]]) -> None:
    names = [name for name, module in network.named_modules() if isinstance(module, ResNet)]
    if not names:
        raise ModelError("weights: imagenet needs a network with a ResNet; use kinetics400, random or a file")
    for name in names:
        resnet = network.get_submodule(name)
        assert isinstance(resnet, ResNet)
        state = state_of(resnet)
        _fill_resnet(resnet, state)
        parent = network.get_submodule(name.rpartition(".")[0])
        if isinstance(parent, TDNEncoder):
            _fill_short_term(parent, state)


def _imagenet_state(resnet: ResNet) -> dict[str, Tensor]:
    for name, spec in BACKBONES.items():
        if spec == resnet.spec and name in _IMAGENET:
            return _download(_IMAGENET[name])
    known = ", ".join(_IMAGENET)
    raise ModelError(f"weights: torchvision has no ImageNet weights for this backbone; it has them for {known}")


def _fill_resnet(resnet: ResNet, state: Mapping[str, Tensor]) -> None:
    own = resnet.state_dict()
    wanted = [key for key in own if not any(mark in key or key.startswith(mark) for mark in _ADDED)]
    fitted = {**state, "conv1.weight": fit_stem(_take(state, "conv1.weight"), resnet.in_channels)}
    _copy(own, {key: _take(fitted, key) for key in wanted})


def _fill_short_term(encoder: TDNEncoder, state: Mapping[str, Tensor]) -> None:
    own = encoder.short_term.state_dict()
    values = {key: _take(state, key) for key in own if key.startswith("layer1.")}
    values["conv.weight"] = fit_stem(_take(state, "conv1.weight"), own["conv.weight"].shape[1])
    _copy(own, values)


def _take(state: Mapping[str, Tensor], key: str) -> Tensor:
    if key in state:
        return state[key]
    if key.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.long)
    raise ModelError(f"weights: {key} is missing; is the file of another architecture?")


def _copy(own: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for key, value in values.items():
        if own[key].shape != value.shape:
            raise ModelError(
                f"weights: {key} is {tuple(value.shape)}, the network has {tuple(own[key].shape)}; "
                "is the file of another architecture?"
            )
    with torch.no_grad():
        for key, value in values.items():
            own[key].copy_(value)


def _fill_video(network: nn.Module, path: Path | None) -> None:
    if not isinstance(network, VideoTeacher):
        raise ModelError("weights: kinetics400 is for torchvision's video networks; use imagenet, random or a file")
    state = _download(network.model.kinetics_weights) if path is None else read_state_dict(path)
    head = f"{network.model.head}."
    own = network.trunk.state_dict()
    _copy(own, {key: _take(state, key) for key in own})
    # S3D's classifier is a 1x1x1 convolution; the same numbers in the shape of a linear layer.
    classifier = {key.removeprefix(head): value for key, value in state.items() if key.startswith(head)}
    classifier = {key: value.flatten(1) if value.dim() > 2 else value for key, value in classifier.items()}
    fits = {key: tensor.shape for key, tensor in network.fc.state_dict().items()}
    if {key: value.shape for key, value in classifier.items()} == fits:
        _copy(network.fc.state_dict(), classifier)


def _fill_from_file(network: nn.Module, path: Path) -> None:
    state = load_tensors(path) if path.suffix == SUFFIX else read_state_dict(path)
    parts = [name for name, _ in network.named_children() if not f"{name}.".startswith(_HEADS)]
    present = [name for name in parts if any(key.startswith(f"{name}.") for key in state)]
    if present:
        own = network.state_dict()
        wanted = [key for key in own if key.partition(".")[0] in present]
        try:
            _copy(own, {key: _take(state, key) for key in wanted})
            return
        except ModelError as error:
            # A teacher's encoder may still fit by its ResNet alone, such as TSM's in TDN.
            if not any(key.startswith(_BACKBONE) for key in state):
                raise ModelError(f"{path}: {error}") from error
    if any(key.startswith(_BACKBONE) for key in state):
        state = {key.removeprefix(_BACKBONE): value for key, value in state.items() if key.startswith(_BACKBONE)}
    try:
        _fill_resnets(network, lambda resnet: state)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
