"""What all losses have in common: what they refuse, where they are zero, what half precision becomes."""

import subprocess
import sys

import pytest
import torch
from support.loss_batches import batch

from cdkd.distill.losses.loss import at_least_single
from cdkd.distill.losses.table import LOSSES, DistillSettings

LOGITS = [name for name, loss in LOSSES.items() if "logits" in loss.needs]
DECODED = [name for name, loss in LOSSES.items() if "decoder" in loss.needs]


def test_importing_every_loss_imports_no_torch() -> None:
    code = "import sys; from cdkd.distill.losses.table import LOSSES; print(len(LOSSES), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(LOSSES)} False\n"


def test_every_loss_says_what_it_is_and_what_it_needs() -> None:
    assert {"decoupled", "dist", "logits", "standardised_logits"} <= set(LOGITS)
    assert {"attention_transfer", "mgd", "relational", "spatial", "temporal"} <= set(DECODED)
    assert set(LOGITS) | set(DECODED) == set(LOSSES)
    assert len({loss.title for loss in LOSSES.values()}) == len(LOSSES)
    assert all(loss.source and loss.__doc__ and loss.pull > 0 for loss in LOSSES.values())


def test_the_papers_losses_are_on_and_all_others_off() -> None:
    assert list(DistillSettings().used) == ["spatial", "temporal"]
    changed = DistillSettings.model_validate({"spatial": {"weight": 0.0}, "mgd": {"enabled": True}})
    assert list(changed.used) == ["temporal", "mgd"]
    assert (changed.used_that_need("decoder"), changed.used_that_need("logits")) == (["temporal", "mgd"], [])


@pytest.mark.parametrize("name", LOGITS)
def test_other_classes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"student logits \(3, 6\) and teacher logits \(3, 4\) differ"):
        LOSSES[name]().value(batch(teacher_logits=torch.zeros(3, 4)))


@pytest.mark.parametrize("name", DECODED)
def test_other_maps_and_students_without_decoder_are_refused(name: str) -> None:
    loss = LOSSES[name]()
    own = loss.build_auxiliary(4)
    with pytest.raises(ValueError, match="a student with pseudo-decoder"):
        loss.value(batch(decoded=None, gate=None, auxiliary=own))
    with pytest.raises(ValueError, match=r"decoded maps \(3, 2, 4, 1, 5\) and teacher maps \(3, 2, 4, 2, 5\) do not"):
        loss.value(batch(teacher_maps=torch.zeros(3, 2, 4, 2, 5), auxiliary=own))


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "mgd"])
def test_a_student_that_equals_its_teacher_has_nothing_to_learn(name: str) -> None:
    both = batch()
    alike = batch(teacher_logits=both.student_logits, teacher_maps=both.decoded)
    assert LOSSES[name]().value(alike).total.item() == pytest.approx(0, abs=1e-6)
    assert LOSSES[name]().value(both).total.item() > 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_a_finite_gradient_reaches_the_student(name: str) -> None:
    loss = LOSSES[name]()
    own = loss.build_auxiliary(4)
    single = batch(auxiliary=own)
    value = loss.value(single)
    value.total.backward()
    learnt = single.student_logits if "logits" in loss.needs else single.decoded
    assert learnt is not None and learnt.grad is not None and learnt.grad.abs().sum() > 0
    assert value.total.dtype == torch.float32 and torch.isfinite(learnt.grad).all()
    assert not set(value.logged) & set(LOSSES)


def test_half_precision_becomes_single_and_double_stays() -> None:
    wanted = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.float64: torch.float64}
    assert {kind: at_least_single(torch.ones(2, dtype=kind)).dtype for kind in wanted} == wanted
