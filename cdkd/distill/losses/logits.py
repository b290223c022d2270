"""Logits distillation: the student's softened class probabilities follow the teacher's."""

from torch import Tensor
from torch.nn import functional


def logits_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """tau^2 KL(softmax(teacher / tau) || softmax(student / tau)) of logits (B, K), averaged over the batch.

    Source: Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015.

    Raises:
        ValueError: the shapes differ (teacher and student know different classes).
    """
    if student.shape != teacher.shape:
        raise ValueError(f"student logits {tuple(student.shape)} and teacher logits {tuple(teacher.shape)} differ")
    ours = functional.log_softmax(student.float() / temperature, dim=1)
    theirs = functional.log_softmax(teacher.float() / temperature, dim=1)
    return temperature**2 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
