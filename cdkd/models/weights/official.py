"""State dicts of the TSM and TDN authors and of MMAction2's TSM, renamed to ours without losing count of a key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cdkd.models.backbones.resnet import BACKBONES, BasicBlock
from cdkd.models.errors import ModelError
from cdkd.models.teacher.teacher import Teacher, build_teacher
from cdkd.models.weights.checkpoints import fill
from cdkd.models.weights.key_maps import DROPPED, KEY_MAPS, KeyMap, Rules
from cdkd.settings import TeacherSettings

_SHIFT_DIV = 8
"""Of every released TSM."""
_CONV_BIAS = re.compile(r"(.*\.)(conv(\d)|downsample\.0)\.bias")


@dataclass(frozen=True)
class ImportReport:
    """What became of every key of a foreign state dict."""

    naming: str
    """Whose names: TSM, TDN, MMAction2 or torchvision."""
    backbone: str
    num_classes: int
    mapped: tuple[tuple[str, str], ...]
    """(their key, our key)."""
    folded: tuple[tuple[str, str], ...]
    """(their convolution bias, our running mean it was subtracted from)."""
    dropped: tuple[tuple[str, str], ...]
    """(their key, reason)."""
    missing: tuple[str, ...]
    """Our keys the file does not have and does not need: batch counters, which start at 0."""


@dataclass(frozen=True)
class Conversion:
    """A state dict under our names, and how it came about."""

    state: dict[str, Tensor]
    report: ImportReport


def convert(state: Mapping[str, Tensor], arch: str, source: str) -> Conversion:
    """Renames an official state dict and folds convolution biases into the batch norms that follow them.

    Args:
        state: as `state_dict_io.read_state_dict` returns it.
        arch: one of `KEY_MAPS`.
        source: the file's name, for errors.

    Raises:
        ModelError: a key that no rule knows, or one that belongs there and is absent.
    """
    key_map = _key_map(state, arch)
    naming = key_map.naming
    # TSM's and TDN's authors keep the ResNet in `base_model`, the new classifier beside it.
    bare = {key.removeprefix("base_model."): tensor for key, tensor in state.items()}
    if any(key.startswith("new_fc.") for key in bare) and any(key.startswith("fc.") for key in bare):
        raise ModelError(f"{source}: holds two classifiers, fc and new_fc; it is no {naming} checkpoint")
    renamed: dict[str, Tensor] = {}
    mapped, dropped, unknown = [], [], []
    for key, tensor in bare.items():
        ours = _rename(key, key_map.rules)
        reason = next((why for pattern, why in DROPPED.items() if re.fullmatch(pattern, key)), None)
        if ours is not None:
            renamed[ours] = tensor
            mapped.append((key, ours))
        elif reason is not None:
            dropped.append((key, reason))
        else:
            unknown.append(key)
    if unknown:
        raise ModelError(
            f"{source}: not a {naming} checkpoint: {len(unknown)} of {len(bare)} keys are unknown, "
            f"such as {', '.join(unknown[:3])}{_hint(unknown)}"
        )
    backbone, num_classes = _geometry(renamed, source)
    folded = _fold_biases(renamed, source)
    # Bias keys are reported as folded, not as mapped.
    consumed = {bias for bias, _ in folded}
    their = {ours: key for key, ours in mapped}
    report = ImportReport(
        naming=naming,
        backbone=backbone,
        num_classes=num_classes,
        mapped=tuple((key, ours) for key, ours in mapped if ours not in consumed),
        folded=tuple((their[bias], mean) for bias, mean in folded),
        dropped=tuple(dropped),
        missing=_add_counters(renamed, backbone, num_classes, arch),
    )
    return Conversion(renamed, report)


def _key_map(state: Mapping[str, Tensor], arch: str) -> KeyMap:
    *marked, unmarked = KEY_MAPS[arch]
    return next((each for each in marked if any(key.startswith(each.marks) for key in state)), unmarked)


def _rename(key: str, rules: Rules) -> str | None:
    for pattern, ours in rules:
        match = re.fullmatch(pattern, key)
        if match:
            return match.expand(ours)
    return None


def _hint(unknown: list[str]) -> str:
    if any(".nl." in key for key in unknown):
        return " (non-local blocks are not supported)"
    if any(".mse." in key or key.startswith("resnext_layer1") for key in unknown):
        return " (it looks like TDN: give --arch tdn)"
    return ""


def _geometry(renamed: Mapping[str, Tensor], source: str) -> tuple[str, int]:
    """The backbone's name from the number of blocks per stage, K from the classifier."""
    blocks: dict[int, set[int]] = {}
    for key in renamed:
        found = re.match(r"encoder\.backbone\.layer(\d+)\.(\d+)\.", key)
        if found:
            blocks.setdefault(int(found.group(1)), set()).add(int(found.group(2)))
    layers = tuple(len(blocks[stage]) for stage in sorted(blocks))
    is_basic = not any(re.fullmatch(r"encoder\.backbone\.layer1\.0\.conv3\.weight", key) for key in renamed)
    names = [name for name, s in BACKBONES.items() if s.layers == layers and (s.block is BasicBlock) == is_basic]
    if not names:
        raise ModelError(f"{source}: stages of {layers} blocks belong to no known ResNet ({', '.join(BACKBONES)})")
    if "head.fc.weight" not in renamed:
        raise ModelError(f"{source}: has no classifier (new_fc or fc), so it is no trained teacher")
    return names[0], renamed["head.fc.weight"].shape[0]


def _fold_biases(renamed: dict[str, Tensor], source: str) -> list[tuple[str, str]]:
    """BN(conv(x) + b) = BN'(conv(x)) with running_mean' = running_mean - b: exact in eval mode."""
    folded = []
    for key in [key for key in renamed if _CONV_BIAS.fullmatch(key)]:
        match = _CONV_BIAS.fullmatch(key)
        assert match is not None
        norm = "downsample.1" if match.group(3) is None else f"bn{match.group(3)}"
        mean = f"{match.group(1)}{norm}.running_mean"
        if mean not in renamed:
            raise ModelError(f"{source}: {key} has a bias, but {mean} is missing")
        renamed[mean] = renamed[mean] - renamed.pop(key)
        folded.append((key, mean))
    return folded


def official_settings(arch: str, backbone: str, num_segments: int) -> TeacherSettings:
    """The settings of a published network of `num_segments` segments."""
    return TeacherSettings.model_validate(
        {"arch": arch, "backbone": backbone, "shift_div": _SHIFT_DIV, "num_segments": num_segments}
    )


def _add_counters(renamed: dict[str, Tensor], backbone: str, num_classes: int, arch: str) -> tuple[str, ...]:
    """Old files lack the batch counters; zero is what a fresh layer has and inference never reads them."""
    with torch.device("meta"):
        network = build_teacher(official_settings(arch, backbone, 8), num_classes=num_classes, num_segments=8)
    missing = tuple(key for key in network.state_dict() if key.endswith("num_batches_tracked") and key not in renamed)
    renamed.update({key: torch.zeros((), dtype=torch.long) for key in missing})
    return missing


def import_official(
    state: Mapping[str, Tensor], arch: str, num_segments: int, source: str
) -> tuple[Teacher, ImportReport]:
    """The published network with the weights of `state`, for `num_segments` segments.

    Raises:
        ModelError: the file is not what `arch` says, or anything is missing or misshapen; nothing loads by halves.
    """
    conversion = convert(state, arch, source)
    report = conversion.report
    settings = official_settings(arch, report.backbone, num_segments)
    network = build_teacher(settings, num_classes=report.num_classes, num_segments=num_segments)
    fill(network, conversion.state, source)
    return network.eval(), report
