"""Eq. 1 and Eq. 2 against loops over heads, positions and time."""

import pytest
import torch
import torch.nn.functional as F

from cdkd.models.errors import ModelError
from cdkd.models.student.cross_attention import CrossAttention, sine_positions
from cdkd.models.student.pseudo_decoder import BiConvLSTM, ConvLSTM, PseudoDecoder
from cdkd.models.student.streams import StreamMaps


def _slow_attention(module, query, key, value):
    """(L, D) each: softmax over keys for every head and position in turn."""
    length, dim = query.shape
    size = dim // 8
    out = torch.zeros(length, dim, dtype=query.dtype)
    for head in range(8):
        part = slice(head * size, (head + 1) * size)
        for i in range(length):
            scores = torch.stack([query[i, part] @ key[j, part] for j in range(length)]) / size**0.5
            weights = torch.exp(scores) / torch.exp(scores).sum()
            out[i, part] = sum(weights[j] * value[j, part] for j in range(length))
    return out


def test_cross_attention_equals_eq_1():
    torch.manual_seed(0)
    module = CrossAttention(16).double()
    iframe, motion, residual = torch.randn(2, 16, 2, 3), torch.randn(2, 4, 16, 2, 3), torch.randn(2, 4, 16, 2, 3)
    iframe, motion, residual = iframe.double(), motion.double(), residual.double()
    result = module(iframe, motion, residual)
    assert result.shape == (2, 4, 16, 2, 3)
    positions = sine_positions(2, 3, 16, torch.device("cpu")).double()
    n, t = 1, 2
    tokens = iframe[n].reshape(16, 6).T
    f = module.iframe_norm(tokens)
    query, value = module.query(f + positions), module.value(f)
    m = module.motion_norm(motion[n, t].reshape(16, 6).T)
    r = module.residual_norm(residual[n, t].reshape(16, 6).T)
    moved = _slow_attention(module, query, module.motion_key(m + positions), value)
    changed = _slow_attention(module, query, module.residual_key(r + positions), value)
    expected = tokens + module.motion_out(moved) + module.residual_out(changed)
    torch.testing.assert_close(result[n, t].reshape(16, 6).T, expected)


def test_positions_by_hand():
    code = sine_positions(2, 3, 4, torch.device("cpu"))
    # One frequency (1 rad per step): sin row, cos row, sin column, cos column.
    expected = [
        [torch.sin(torch.tensor(y)), torch.cos(torch.tensor(y)), torch.sin(torch.tensor(x)), torch.cos(torch.tensor(x))]
        for y in (0.0, 1.0)
        for x in (0.0, 1.0, 2.0)
    ]
    torch.testing.assert_close(code, torch.tensor(expected))
    many = sine_positions(4, 5, 16, torch.device("cpu"))
    assert many.shape == (20, 16)
    assert torch.unique(many, dim=0).shape[0] == 20


def test_a_width_the_heads_do_not_divide_is_refused():
    with pytest.raises(ModelError, match=r"student\.attention_dim: 20 is no multiple of the 8"):
        CrossAttention(20)


def _slow_lstm(module, frames):
    """The textbook recurrence over (T, C, H, W), with an explicit zero start."""
    hidden_channels = module.from_hidden.in_channels
    hidden = cell = torch.zeros(hidden_channels, *frames.shape[2:], dtype=frames.dtype)
    outputs = []
    for frame in frames:
        gates = F.conv2d(frame[None], module.from_input.weight, module.from_input.bias, padding=1)
        gates = gates + F.conv2d(hidden[None], module.from_hidden.weight, padding=1)
        i, f, o, g = gates[0].split(hidden_channels)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        outputs.append(hidden)
    return torch.stack(outputs)


def test_conv_lstm_equals_the_recurrence_in_both_directions():
    torch.manual_seed(0)
    module = ConvLSTM(5, 3).double()
    clips = torch.randn(2, 4, 5, 6, 7, dtype=torch.float64)
    ahead, back = module(clips), module(clips, reverse=True)
    for b in range(2):
        torch.testing.assert_close(ahead[b], _slow_lstm(module, clips[b]))
        torch.testing.assert_close(back[b], _slow_lstm(module, clips[b].flip(0)).flip(0))


def test_bi_conv_lstm_concatenates_ahead_and_back():
    module = BiConvLSTM(4, 3, 5)
    clips = torch.randn(2, 6, 4, 2, 2)
    both = torch.cat([module.ahead(clips), module.back(clips, reverse=True)], dim=2)
    expected = torch.stack([module.out(both[:, t]) for t in range(6)], dim=1)
    torch.testing.assert_close(module(clips), expected)


def test_a_p_frame_attends_to_its_own_gop_only():
    torch.manual_seed(0)
    decoder = PseudoDecoder((8, 24, 16), frames_per_gop=2, out_channels=12, attention_dim=16)
    maps = StreamMaps(torch.randn(2, 3, 8, 2, 4), torch.randn(2, 6, 24, 2, 4), torch.randn(2, 6, 16, 2, 4))
    seen = []
    decoder.recurrence.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    assert decoder(maps).shape == (2, 6, 12, 2, 4)
    iframe = maps.iframe.clone()
    iframe[1, 2] += 1
    decoder(StreamMaps(iframe, maps.motion, maps.residual))
    changed = (seen[0] != seen[1]).flatten(2).any(dim=2)
    assert changed.tolist() == [[False] * 6, [False, False, False, False, True, True]]


@pytest.mark.parametrize(("width", "given", "dim"), [(64, 0, 64), (2048, 0, 512), (2048, 256, 256)])
def test_attention_width(width, given, dim):
    with torch.device("meta"):
        decoder = PseudoDecoder((width, width, width), 3, 7, given)
    assert decoder.attention.dim == dim
    assert decoder.recurrence.ahead.from_hidden.in_channels == dim // 2
    assert decoder.recurrence.out.out_channels == 7


def test_its_gradient_in_double():
    torch.manual_seed(0)
    decoder = PseudoDecoder((8, 8, 8), 2, 3).double()
    shapes = ((1, 1, 8, 1, 2), (1, 2, 8, 1, 2), (1, 2, 8, 1, 2))
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(lambda *maps: decoder(StreamMaps(*maps)), inputs)
