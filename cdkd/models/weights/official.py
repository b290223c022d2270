"""State dicts of the TSM and TDN authors and of MMAction2's TSM, renamed to ours without losing count of a key."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cdkd.models.backbones.resnet import BACKBONES, BasicBlock
from cdkd.models.backbones.tdn import TDN
from cdkd.models.backbones.tsm import TSM
from cdkd.models.errors import ModelError
from cdkd.models.weights.checkpoints import fill
from cdkd.models.weights.state_dict_io import strip_prefix

Rules = tuple[tuple[str, str], ...]

# (pattern that must match the whole key, our name). The first rule that matches decides.
_BATCH_NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
_TSM_RULES: Rules = (
    (r"(layer\d+\.\d+\.conv1)\.net\.weight", r"encoder.backbone.\1.weight"),
    (rf"((?:layer\d+\.\d+\.)?bn\d|layer\d+\.\d+\.downsample\.1)\.{_BATCH_NORM}", r"encoder.backbone.\1.\2"),
    (r"((?:layer\d+\.\d+\.)?conv\d|layer\d+\.\d+\.downsample\.0)\.weight", r"encoder.backbone.\1.weight"),
    (r"(?:new_fc|fc)\.(weight|bias)", r"head.fc.\1"),
)
_TDN_BRANCH = {"conv1": "squeeze", "conv2": "smooth", "conv3": "expand", "bn1": "squeeze_bn", "bn3": "expand_bn"} | {
    "conv3_smallscale2": "coarse",
    "bn3_smallscale2": "coarse_bn",
    "conv3_smallscale4": "fine",
    "bn3_smallscale4": "fine_bn",
}
_TDN_RULES: Rules = (
    *(
        (rf"(layer\d+)(?:_bak)?\.(\d+)\.mse\.{theirs}\.(\w+)", rf"encoder.backbone.\1.\2.between.difference.{ours}.\3")
        for theirs, ours in _TDN_BRANCH.items()
    ),
    (r"(layer\d+)(?:_bak)?\.(\d+)\.shift\.conv\.weight", r"encoder.backbone.\1.\2.between.shift.weight"),
    (
        rf"(layer\d+)(?:_bak)?\.(\d+)\.(bn\d|downsample\.1)\.{_BATCH_NORM}",
        r"encoder.backbone.\1.\2.\3.\4",
    ),
    (r"(layer\d+)(?:_bak)?\.(\d+)\.(conv\d|downsample\.0)\.(weight|bias)", r"encoder.backbone.\1.\2.\3.\4"),
    (r"resnext_layer1\.(\d+\.(?:conv\d|bn\d|downsample\.[01])\.\w+)", r"encoder.short_term.layer1.\1"),
    (r"conv1_5\.0\.weight", r"encoder.short_term.conv.weight"),
    (rf"conv1_5\.1\.{_BATCH_NORM}", r"encoder.short_term.bn.\1"),
    (r"conv1\.(weight|bias)", r"encoder.backbone.conv1.\1"),
    (rf"bn1\.{_BATCH_NORM}", r"encoder.backbone.bn1.\1"),
    (r"(?:new_fc|fc)\.(weight|bias)", r"head.fc.\1"),
)
_MMACTION_RULES: Rules = (
    (r"backbone\.conv1\.conv\.weight", r"encoder.backbone.conv1.weight"),
    (rf"backbone\.conv1\.bn\.{_BATCH_NORM}", r"encoder.backbone.bn1.\1"),
    (r"backbone\.(layer\d+\.\d+\.conv\d)\.conv\.(?:net\.)?weight", r"encoder.backbone.\1.weight"),
    (rf"backbone\.(layer\d+\.\d+)\.conv(\d)\.bn\.{_BATCH_NORM}", r"encoder.backbone.\1.bn\2.\3"),
    (r"backbone\.(layer\d+\.\d+)\.downsample\.conv\.weight", r"encoder.backbone.\1.downsample.0.weight"),
    (rf"backbone\.(layer\d+\.\d+)\.downsample\.bn\.{_BATCH_NORM}", r"encoder.backbone.\1.downsample.1.\2"),
    (r"cls_head\.fc_cls\.(weight|bias)", r"head.fc.\1"),
)
# What has no place in our networks, and why.
_DROPPED: dict[str, str] = {
    r"conv1_temp\..*": "registered by the authors but never used",
    r"data_preprocessor\.(mean|std)": "normalisation constants, the same ImageNet ones as ours",
}
_CONV_BIAS = re.compile(r"(.*\.)(conv(\d)|downsample\.0)\.bias")


@dataclass(frozen=True)
class ImportReport:
    """What became of every key of a foreign state dict."""

    naming: str
    """Whose names: TSM, TDN or MMAction2."""
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
        state: as `foreign_files.read_state_dict` returns it.
        arch: tsm or tdn.
        source: the file's name, for errors.

    Raises:
        ModelError: a key that no rule knows, or one that belongs there and is absent.
    """
    naming, rules = _rules_of(state, arch)
    bare = strip_prefix(state, "base_model.") if naming == "MMAction2" else _strip_base_model(state)
    if any(key.startswith("new_fc.") for key in bare) and any(key.startswith("fc.") for key in bare):
        raise ModelError(f"{source}: holds two classifiers, fc and new_fc; it is no {naming} checkpoint")
    renamed: dict[str, Tensor] = {}
    mapped, dropped, unknown = [], [], []
    for key, tensor in bare.items():
        ours = _rename(key, rules)
        reason = next((why for pattern, why in _DROPPED.items() if re.fullmatch(pattern, key)), None)
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


def _strip_base_model(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors keep the ResNet in `base_model`, the new classifier beside it."""
    return {key.removeprefix("base_model."): tensor for key, tensor in state.items()}


def _rules_of(state: Mapping[str, Tensor], arch: str) -> tuple[str, Rules]:
    if arch == "tdn":
        return "TDN", _TDN_RULES
    if any(key.startswith(("cls_head.", "backbone.")) for key in state):
        return "MMAction2", _MMACTION_RULES
    return "TSM", _TSM_RULES


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


_BUILDERS: dict[str, Callable[[str, int, int], nn.Module]] = {"tsm": TSM, "tdn": TDN}


def _add_counters(renamed: dict[str, Tensor], backbone: str, num_classes: int, arch: str) -> tuple[str, ...]:
    """Old files lack the batch counters; zero is what a fresh layer has and inference never reads them."""
    with torch.device("meta"):
        wanted = _BUILDERS[arch](backbone, num_classes, 8).state_dict()
    missing = tuple(key for key in wanted if key.endswith("num_batches_tracked") and key not in renamed)
    renamed.update({key: torch.zeros((), dtype=torch.long) for key in missing})
    return missing


def import_official(
    state: Mapping[str, Tensor], arch: str, num_segments: int, source: str
) -> tuple[TSM | TDN, ImportReport]:
    """The published network with the weights of `state`, for `num_segments` segments.

    Raises:
        ModelError: the file is not what `arch` says, or anything is missing or misshapen; nothing loads by halves.
    """
    conversion = convert(state, arch, source)
    report = conversion.report
    network = _BUILDERS[arch](report.backbone, report.num_classes, num_segments)
    assert isinstance(network, TSM | TDN)
    fill(network, conversion.state, source)
    return network.eval(), report
