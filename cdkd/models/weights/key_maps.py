"""The names that other projects give to the tensors of a teacher, and ours; imports no torch.

A further project is its rules and a line in `KEY_MAPS`.
"""

from dataclasses import dataclass

Rules = tuple[tuple[str, str], ...]
"""(pattern that must match the whole key, our name); the first rule that matches decides."""

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


@dataclass(frozen=True)
class KeyMap:
    """How one project names the tensors of one architecture."""

    naming: str
    """Whose names."""
    rules: Rules
    marks: tuple[str, ...] = ()
    """Beginnings of keys that only this project has; (): whatever no other map of the architecture claims."""


KEY_MAPS: dict[str, tuple[KeyMap, ...]] = {
    "tsm": (KeyMap("MMAction2", _MMACTION_RULES, ("cls_head.", "backbone.")), KeyMap("TSM", _TSM_RULES)),
    "tdn": (KeyMap("TDN", _TDN_RULES),),
}
"""By architecture: the projects whose files `cdkd teacher import` reads."""
DROPPED: dict[str, str] = {
    r"conv1_temp\..*": "registered by the authors but never used",
    r"data_preprocessor\.(mean|std)": "normalisation constants, the same ImageNet ones as ours",
}
"""What has no place in our networks, as patterns of whole keys, and why."""
