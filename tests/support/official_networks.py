"""TSM and TDN computed the slow way, frame by frame, straight from a state dict in the authors' names.

Shares no code with cdkd.models: the batch norm is arithmetic, the shift is a loop over frames, biases stay biases.
"""

import torch
import torch.nn.functional as F
import torchvision

State = dict[str, torch.Tensor]
LAYERS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}


def _randomise(state: State, seed: int) -> State:
    """Trained-looking values: batch norms away from identity, biases away from zero."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            out[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            out[key] = torch.rand(value.shape, generator=generator) + 0.5
        elif value.dim() == 1 and key.endswith("weight"):
            out[key] = torch.rand(value.shape, generator=generator) * 0.5 + 0.5
        elif value.dim() == 1:
            out[key] = torch.randn(value.shape, generator=generator) * 0.1
        else:
            fan_in = value[0].numel()
            out[key] = torch.randn(value.shape, generator=generator) / fan_in**0.5
    return out


def tsm_state(num_classes: int, depth: str = "resnet50", seed: int = 0) -> State:
    """A released TSM file's state dict: `module.` prefix, `.net` on shifted convolutions, `new_fc`."""
    deep = LAYERS[depth][2] >= 23
    bare = getattr(torchvision.models, depth)(num_classes=num_classes).state_dict()
    state = {}
    for key, value in bare.items():
        parts = key.split(".")
        if key.startswith("fc."):
            state[f"module.new_{key}"] = value
            continue
        if parts[0].startswith("layer") and parts[2] == "conv1" and not (deep and int(parts[1]) % 2):
            key = f"{parts[0]}.{parts[1]}.conv1.net.weight"
        state[f"module.base_model.{key}"] = value
    return _randomise(state, seed)


def tdn_state(num_classes: int, seed: int = 0) -> State:
    """A released TDN file's state dict (ResNet-50): convolution biases, `_bak`, `mse`, `shift`, `resnext_layer1`."""
    bare = torchvision.models.resnet50(num_classes=num_classes).state_dict()
    state = {}
    for key, value in bare.items():
        if key.startswith("fc."):
            state[f"new_{key}"] = value
            continue
        ours = key
        if key.startswith("layer"):
            stage, rest = key.split(".", 1)
            ours = f"{stage}_bak.{rest}"
        state[f"base_model.{ours}"] = value
        is_conv = value.dim() == 4
        if is_conv:
            state[f"base_model.{ours.removesuffix('weight')}bias"] = torch.zeros(value.shape[0])
        if key.startswith("layer1."):
            state[f"base_model.resnext_{key}"] = value
            if is_conv:
                state[f"base_model.resnext_{key.removesuffix('weight')}bias"] = torch.zeros(value.shape[0])
    state["base_model.conv1_temp.weight"] = bare["conv1.weight"]
    state["base_model.conv1_temp.bias"] = torch.zeros(64)
    state["base_model.conv1_5.0.weight"] = torch.zeros(64, 12, 7, 7)
    _add_norm(state, "base_model.conv1_5.1", 64)
    for stage, planes in ((2, 128), (3, 256), (4, 512)):
        for block in range(LAYERS["resnet50"][stage - 1]):
            _add_long_term(state, f"base_model.layer{stage}_bak.{block}", planes)
    return _randomise({f"module.{key}": value for key, value in state.items()}, seed)


def _add_norm(state: State, key: str, channels: int) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        state[f"{key}.{name}"] = torch.zeros(channels)
    state[f"{key}.num_batches_tracked"] = torch.tensor(0)


def _add_long_term(state: State, key: str, planes: int) -> None:
    r = planes // 16
    state[f"{key}.shift.conv.weight"] = torch.zeros(planes, 1, 3)
    shapes = {"conv1": (r, planes, 1, 1), "conv2": (r, 1, 3, 3), "conv3": (planes, r, 1, 1)}
    shapes |= {"conv3_smallscale2": (r, r, 3, 3), "conv3_smallscale4": (r, r, 3, 3)}
    for name, shape in shapes.items():
        state[f"{key}.mse.{name}.weight"] = torch.zeros(shape)
    for name, channels in (("bn1", r), ("bn3", planes), ("bn3_smallscale2", r), ("bn3_smallscale4", r)):
        _add_norm(state, f"{key}.mse.{name}", channels)


def _norm(state: State, key: str, x: torch.Tensor) -> torch.Tensor:
    def column(name: str) -> torch.Tensor:
        return state[f"{key}.{name}"].to(x.dtype)[None, :, None, None]

    return (x - column("running_mean")) / torch.sqrt(column("running_var") + 1e-5) * column("weight") + column("bias")


def _conv(state: State, key: str, x: torch.Tensor, stride: int = 1, groups: int = 1) -> torch.Tensor:
    weight = state.get(f"{key}.weight", state.get(f"{key}.net.weight"))
    bias = state.get(f"{key}.bias")
    bias = None if bias is None else bias.to(x.dtype)
    return F.conv2d(x, weight.to(x.dtype), bias, stride, weight.shape[-1] // 2, groups=groups)


def slow_shift(frames: torch.Tensor, fold: int) -> torch.Tensor:
    """(T, C, H, W): one copy per frame and channel group."""
    out = torch.zeros_like(frames)
    last = frames.shape[0] - 1
    for t in range(last + 1):
        for c in range(frames.shape[1]):
            if c < fold:
                source = t + 1
            elif c < 2 * fold:
                source = t - 1
            else:
                source = t
            if 0 <= source <= last:
                out[t, c] = frames[source, c]
    return out


def _block(state: State, key: str, x: torch.Tensor, stride: int, before=None, between=None) -> torch.Tensor:
    out = x if before is None else before(x)
    is_bottleneck = f"{key}.conv3.weight" in state
    out = torch.relu(_norm(state, f"{key}.bn1", _conv(state, f"{key}.conv1", out, 1 if is_bottleneck else stride)))
    if between is not None:
        out = between(out)
    out = _norm(state, f"{key}.bn2", _conv(state, f"{key}.conv2", out, stride if is_bottleneck else 1))
    if is_bottleneck:
        out = _norm(state, f"{key}.bn3", _conv(state, f"{key}.conv3", torch.relu(out)))
    shortcut = x
    if f"{key}.downsample.0.weight" in state:
        shortcut = _norm(state, f"{key}.downsample.1", _conv(state, f"{key}.downsample.0", x, stride))
    return torch.relu(out + shortcut)


def _bare(state: State) -> State:
    bare = {key.removeprefix("module.").removeprefix("base_model."): value for key, value in state.items()}
    return {key.replace("_bak.", "."): value for key, value in bare.items()}


def slow_tsm(state: State, clip: torch.Tensor, depth: str = "resnet50") -> tuple[list[torch.Tensor], torch.Tensor]:
    """One clip (T, 3, H, W) to the maps of the four stages, each (T, C, h, w), and logits (K,)."""
    state = _bare(state)
    x = F.max_pool2d(torch.relu(_norm(state, "bn1", _conv(state, "conv1", clip, 2))), 3, 2, 1)
    maps = []
    for stage, count in enumerate(LAYERS[depth], start=1):
        for block in range(count):
            key = f"layer{stage}.{block}"
            shifted = f"{key}.conv1.net.weight" in state
            before = (lambda y: slow_shift(y, y.shape[1] // 8)) if shifted else None
            x = _block(state, key, x, 2 if stage > 1 and block == 0 else 1, before)
        maps.append(x)
    frame_logits = x.mean(dim=(2, 3)) @ state["new_fc.weight"].to(x.dtype).T + state["new_fc.bias"].to(x.dtype)
    return maps, frame_logits.mean(dim=0)


def _nearest(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    rows = [i * x.shape[2] // height for i in range(height)]
    columns = [i * x.shape[3] // width for i in range(width)]
    return x[:, :, rows][:, :, :, columns]


def _branch(state: State, key: str, d: torch.Tensor) -> torch.Tensor:
    height, width = d.shape[2:]
    small = F.avg_pool2d(d, 2)
    small = _norm(state, f"{key}.bn3_smallscale2", _conv(state, f"{key}.conv3_smallscale2", small))
    full = _norm(state, f"{key}.bn3_smallscale4", _conv(state, f"{key}.conv3_smallscale4", d))
    mixed = _conv(state, f"{key}.conv3", (d + _nearest(small, height, width) + full) / 3)
    return 1 / (1 + torch.exp(-_norm(state, f"{key}.bn3", mixed))) - 0.5


def _long_term(state: State, key: str, x: torch.Tensor) -> torch.Tensor:
    num_frames = x.shape[0]
    z = _norm(state, f"{key}.mse.bn1", _conv(state, f"{key}.mse.conv1", x))
    w = _conv(state, f"{key}.mse.conv2", z, groups=z.shape[1])
    zero = torch.zeros_like(z[0])
    ahead = torch.stack([w[t + 1] - z[t] if t + 1 < num_frames else zero for t in range(num_frames)])
    back = torch.stack([w[t - 1] - z[t] if t > 0 else zero for t in range(num_frames)])
    x = x + x * (0.5 * _branch(state, f"{key}.mse", ahead) + 0.5 * _branch(state, f"{key}.mse", back))
    kernel = state[f"{key}.shift.conv.weight"].to(x.dtype)[:, 0]
    out = []
    for t in range(num_frames):
        frame = kernel[:, 1, None, None] * x[t]
        if t > 0:
            frame = frame + kernel[:, 0, None, None] * x[t - 1]
        if t + 1 < num_frames:
            frame = frame + kernel[:, 2, None, None] * x[t + 1]
        out.append(frame)
    return torch.stack(out)


def slow_tdn(state: State, clip: torch.Tensor, alpha: float, beta: float) -> tuple[list[torch.Tensor], torch.Tensor]:
    """One clip (T, 5, 3, H, W) to the maps of the four stages and logits (K,)."""
    state = _bare(state)
    x1, x2, x3, x4, x5 = clip.unbind(dim=1)
    differences = F.avg_pool2d(torch.cat([x2 - x1, x3 - x2, x4 - x3, x5 - x4], dim=1), 2)
    d0 = torch.relu(_norm(state, "conv1_5.1", _conv(state, "conv1_5.0", differences, 2)))
    d0 = F.max_pool2d(d0, 3, 2, 1)
    d1 = d0
    for block in range(3):
        d1 = _block(state, f"resnext_layer1.{block}", d1, 1)
    y = F.max_pool2d(torch.relu(_norm(state, "bn1", _conv(state, "conv1", x3, 2))), 3, 2, 1)
    y = alpha * y + beta * _nearest(d0, *y.shape[2:])
    maps = []
    for stage, count in enumerate(LAYERS["resnet50"], start=1):
        for block in range(count):
            key = f"layer{stage}.{block}"
            between = (lambda z, key=key: _long_term(state, key, z)) if stage > 1 else None
            y = _block(state, key, y, 2 if stage > 1 and block == 0 else 1, between=between)
        maps.append(y)
        if stage == 1:
            y = alpha * y + beta * _nearest(d1, *y.shape[2:])
    frame_logits = y.mean(dim=(2, 3)) @ state["new_fc.weight"].to(y.dtype).T + state["new_fc.bias"].to(y.dtype)
    return maps, frame_logits.mean(dim=0)
