"""The student: shapes, what each head reads, what trains the gate, what rows of a table share."""

import pytest
import torch

from cdkd.models.backbones.tsm import TemporalShift
from cdkd.models.errors import ModelError
from cdkd.models.student.student import build_student
from cdkd.settings import StudentSettings


def _student(num_gops=1, frames_per_gop=3, **settings):
    torch.manual_seed(0)
    return build_student(
        StudentSettings(**settings),
        num_classes=5,
        num_gops=num_gops,
        frames_per_gop=frames_per_gop,
        teacher_channels=24,
    )


def _clips(student, num_gops=1, num_frames=3, size=32):
    generator = torch.Generator().manual_seed(1)
    window = student.window
    return (
        torch.randn(2, num_gops, 3, size, size + 16, generator=generator),
        torch.randn(2, num_frames, window, 2, size, size + 16, generator=generator),
        torch.randn(2, num_frames, window, 3, size, size + 16, generator=generator),
    )


BASELINE = {"decoder": False, "head": "streams"}


@pytest.mark.parametrize("arch", ["tsm", "tdn"])
@pytest.mark.parametrize(("num_gops", "frames_per_gop"), [(1, 3), (3, 2)])
def test_shapes(arch, num_gops, frames_per_gop):
    student = _student(num_gops, frames_per_gop, arch=arch)
    assert student.window == {"tsm": 1, "tdn": 5}[arch]
    assert student.map_stride == 16
    num_frames = num_gops * frames_per_gop
    output = student(*_clips(student, num_gops, num_frames))
    assert output.logits.shape == (2, 5)
    assert output.decoded.shape == (2, num_frames, 24, 2, 3)
    assert output.gate.shape == (2, num_frames)


def test_without_decoder_there_is_neither_h_hat_nor_gate():
    student = _student(**BASELINE)
    output = student(*_clips(student))
    assert output.decoded is None
    assert output.gate is None
    assert not any(name.startswith(("decoder", "gate")) for name, _ in student.named_parameters())


def test_the_decoder_leaves_every_other_name_and_shape_alone():
    plain = {name: p.shape for name, p in _student(**BASELINE).named_parameters()}
    full = {name: p.shape for name, p in _student().named_parameters()}
    assert plain.items() <= full.items()
    added = {name.split(".")[0] for name in full.keys() - plain.keys()}
    assert added == {"decoder", "gate", "head"}
    assert [name for name in full.keys() - plain.keys() if name.startswith("head")] == ["head.decoded.weight"]


@pytest.mark.parametrize(
    ("head", "read"),
    [
        ("streams", {"head.iframe", "head.motion", "head.residual"}),
        ("decoded", {"head.decoded"}),
        ("both", {"head.iframe", "head.motion", "head.residual", "head.decoded"}),
    ],
)
def test_what_each_head_reads(head, read):
    student = _student(head=head)
    student(*_clips(student)).logits.sum().backward()
    trained = {name for name, p in student.named_parameters() if p.grad is not None and name.startswith("head")}
    assert trained == {f"{name}.weight" for name in read} | {"head.bias"}
    reaches_decoder = student.decoder.recurrence.out.weight.grad is not None
    assert reaches_decoder == (head != "streams")


@pytest.mark.parametrize(("gate", "is_trained"), [("softmax", True), ("sigmoid", False)])
def test_cross_entropy_trains_the_softmax_gate_only(gate, is_trained):
    student = _student(gate=gate)
    torch.nn.functional.cross_entropy(student(*_clips(student)).logits, torch.tensor([1, 3])).backward()
    grad = student.gate.excitation[2].weight.grad
    assert (grad is not None and bool(grad.any())) == is_trained


def test_logits_by_hand_from_the_parts():
    student = _student(gate="softmax").eval()
    torch.nn.init.normal_(student.gate.excitation[2].weight)
    clips = _clips(student)
    maps = student.streams(*clips)
    output = student(*clips)
    pooled = output.decoded.mean(dim=(3, 4))
    weights = torch.softmax(torch.log(output.gate), dim=1)
    decoded = torch.stack([sum(weights[b, t] * pooled[b, t] for t in range(3)) for b in range(2)])
    expected = student.head.bias + decoded @ student.head.decoded.weight.T
    for name in ("iframe", "motion", "residual"):
        feature = getattr(maps, name).mean(dim=(1, 3, 4))
        expected = expected + feature @ getattr(student.head, name).weight.T
    torch.testing.assert_close(output.logits, expected)


def test_time_is_mixed_per_stream_and_the_single_i_frame_is_left_alone():
    shifts = {
        name: [m.num_segments for m in getattr(_student(1, 6).streams, name).modules() if isinstance(m, TemporalShift)]
        for name in ("iframe", "motion", "residual")
    }
    assert shifts == {"iframe": [], "motion": [6] * 3, "residual": [6] * 3}
    over_gops = [m.num_segments for m in _student(4, 2).streams.iframe.modules() if isinstance(m, TemporalShift)]
    assert over_gops == [4] * 3


def test_lite_streams_of_different_widths_decode():
    with torch.device("meta"):
        student = _student(streams="lite")
        clips = [torch.empty_like(x, device="meta") for x in _clips(student, size=64)]
        output = student.eval()(*clips)
    assert output.decoded.shape == (2, 3, 24, 2, 3)
    assert student.streams.widths == {"iframe": 2048, "motion": 512, "residual": 512}
    assert student.map_stride == 32


def test_coviar_classifies_each_stream_and_weighs_two_one_one():
    student = _student(3, 1, model="coviar", **BASELINE).eval()
    clips = _clips(student, 3, 3)
    output = student(*clips)
    maps = student.streams(*clips)
    expected = 0
    for name, weight in (("iframe", 0.5), ("motion", 0.25), ("residual", 0.25)):
        expected = expected + weight * getattr(student.head, name)(getattr(maps, name).mean(dim=(3, 4))).mean(dim=1)
    torch.testing.assert_close(output.logits, expected)
    assert not any(isinstance(module, TemporalShift) for module in student.modules())


def test_coviar_with_a_decoder_names_the_remedy():
    with pytest.raises(ModelError, match=r"student\.decoder to false"):
        _student(model="coviar")


def test_inputs_of_another_shape_are_refused():
    student = _student()
    iframes, _, residual = _clips(student)
    with pytest.raises(ModelError, match=r"T, F, C = 3, 1, 2, got \(2, 3, 1, 3, 32, 48\)"):
        student(iframes, residual, residual)


@pytest.mark.parametrize("settings", [{}, {"arch": "tdn"}, {"model": "coviar", **BASELINE}])
def test_reset_parameters_alone_determines_every_number(settings):
    def draw(student):
        for name, module in reversed(list(student.named_modules())):
            if hasattr(module, "reset_parameters"):
                torch.manual_seed(len(name))
                module.reset_parameters()
        return student.state_dict()

    first, second = _student(**settings), _student(**settings)
    with torch.no_grad():
        for tensor in second.state_dict().values():
            tensor.add_(1)
    first_state, second_state = draw(first), draw(second)
    assert all(torch.equal(first_state[name], second_state[name]) for name in first_state)
