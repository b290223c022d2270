"""What a table's reader relies on: fair rows, a frozen teacher, exact resume."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.tiny import BASELINE, tiny

from cdkd.distill.losses.table import LOSSES
from cdkd.experiment import RUNNER
from cdkd.experiment.build import StudentRun, assemble
from cdkd.experiment.identity import cell_identity, teacher_identity
from cdkd.settings import RunConfig

Logged = dict[int, dict[str, float]]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def train(config: RunConfig, folder: Path) -> tuple[Logged, dict[str, torch.Tensor]]:
    logged: Logged = {}
    outcome = RUNNER.run(config, folder, lambda metrics, epoch: logged.__setitem__(epoch, metrics))
    return logged, load_file(outcome.artifacts["checkpoint"])


def without_time(logged: Logged) -> Logged:
    return {epoch: {k: v for k, v in row.items() if not k.endswith("_seconds")} for epoch, row in logged.items()}


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def first_batch(config: RunConfig) -> tuple[StudentRun, object]:
    assembled = assemble(config, lambda metrics, epoch: None)
    assembled.student.train()
    return assembled, next(iter(assembled.inputs.step_clips(assembled.source("train"), None, 0, 12)))


def test_zero_weights_equal_plain_cross_entropy_to_the_bit(tmp_path: Path) -> None:
    zero = tiny(distill__spatial__weight=0.0, distill__temporal__weight=0.0)
    plain = tiny(distill__spatial__enabled=False, distill__temporal__enabled=False)
    assert cell_identity(zero) == cell_identity(plain)
    assert_equal(train(zero, tmp_path / "zero")[1], train(plain, tmp_path / "plain")[1])


def test_no_gradient_reaches_the_teacher_and_it_stays_in_eval_mode() -> None:
    assembled, batch = first_batch(tiny(distill__logits__enabled=True))
    assert assembled.teacher is not None
    before = {name: tensor.clone() for name, tensor in assembled.teacher.state_dict().items()}
    assembled.loss(batch, 0).total.backward()  # type: ignore[arg-type]
    assert all(p.grad is None and not p.requires_grad for p in assembled.teacher.parameters())
    assert not any(module.training for module in assembled.teacher.train().modules())
    assert_equal(before, assembled.teacher.state_dict())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in assembled.student.streams.parameters())


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path: Path) -> None:
    once, again = (train(tiny(train__epochs=1), tmp_path / name)[0] for name in ("once", "again"))
    other = train(tiny(train__epochs=1, seed=1), tmp_path / "other")[0]
    assert without_time(once) == without_time(again)
    assert once[1]["train/loss"] != other[1]["train/loss"]


def test_resume_equals_uninterrupted(tmp_path: Path) -> None:
    # Masked generative distillation brings a network along, which must go on from where it was too; the unlabelled
    # clips, 5 a step of 24, are in the middle of a pass then.
    others = {"data__unlabelled": "pretrain", "train__unlabelled_per_step": 5}
    config = tiny(train__epochs=3, student__dropout=0.3, distill__mgd__enabled=True, **others)
    whole_log, whole = train(config, tmp_path / "whole")
    assert whole.keys() == dict(first_batch(config)[0].student.state_dict()).keys()

    class Killed(BaseException):
        pass

    def die_in_epoch_2(metrics: dict[str, float], epoch: int) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        RUNNER.run(config, tmp_path / "cut", die_in_epoch_2)
    cut_log, cut = train(config, tmp_path / "cut")
    assert sorted(cut_log) == [2, 3]
    assert without_time(cut_log) == without_time({epoch: whole_log[epoch] for epoch in (2, 3)})
    assert_equal(whole, cut)


def test_switching_losses_on_leaves_the_other_streams_alone() -> None:
    """Rows of one seed share initial weights, order, GOPs and crops; only the loss differs."""
    rows = [
        tiny(),
        tiny(distill__spatial__enabled=False),
        tiny(distill__spatial__enabled=False, distill__temporal__enabled=False),
        tiny(**{f"distill__{name}__enabled": True for name in LOSSES}),
        tiny(**BASELINE),
    ]
    runs = [first_batch(row) for row in rows]
    reference, batch = runs[0]
    shared = {name for name in runs[-1][0].student.state_dict()}
    for assembled, own_batch in runs:
        state = assembled.student.state_dict()
        for name in shared:
            assert torch.equal(state[name], reference.student.state_dict()[name]), name
        assert torch.equal(own_batch.labelled.videos, batch.labelled.videos)  # type: ignore[attr-defined]
        ours, _ = assembled.inputs.training(own_batch, 0)  # type: ignore[arg-type]
        theirs, _ = reference.inputs.training(batch, 0)  # type: ignore[arg-type]
        assert torch.equal(ours.iframes, theirs.iframes) and torch.equal(ours.motion, theirs.motion)
    entropies = [float(assembled.loss(own, 0).terms["cross_entropy"]) for assembled, own in runs[:4]]  # type: ignore[arg-type]
    assert len(set(entropies)) == 1


def test_identity_ignores_what_cannot_change_a_result() -> None:
    base = cell_identity(tiny())
    assert cell_identity(tiny(runtime__num_workers=3, runtime__device="cuda", data__cache="off")) == base
    assert cell_identity(tiny(seed=2)) != base
    assert cell_identity(tiny(distill__spatial__weight=0.2)) != base
    assert cell_identity(tiny(data__residual="coviar")) != base
    assert teacher_identity(tiny(data__residual="coviar", data__motion="per_frame")) == teacher_identity(tiny())
    off = {"distill__spatial__enabled": False}
    assert cell_identity(tiny(**off, distill__spatial__weight=0.5)) == cell_identity(tiny(**off))
