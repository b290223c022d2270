"""What a training step sees: labelled clips and, where a run has them, unlabelled ones beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cdkd.data.clips.clip import ClipBatch
from cdkd.data.loading.loader import ClipLoader


@dataclass(frozen=True)
class StepClips:
    """The clips of one step, or one process's share of them."""

    labelled: ClipBatch
    unlabelled: ClipBatch | None = None
    """Their labels mean nothing; their pictures may have another size than the labelled ones'."""


@dataclass(frozen=True)
class StepLoader:
    """An epoch's steps: as many as there are labelled batches."""

    labelled: ClipLoader
    unlabelled: ClipLoader | None = None
    """Of as many batches."""

    @classmethod
    def sharing_workers(cls, labelled: ClipLoader, unlabelled: ClipLoader) -> "StepLoader":
        """Both together have the processes that read ahead for one, in proportion to their clips."""
        num_workers = labelled.num_workers
        num_clips = labelled.batch_size + unlabelled.batch_size
        # Whoever has none reads in the training process itself, which then stands still.
        own = min(max(1, round(num_workers * labelled.batch_size / num_clips)), max(1, num_workers - 1))
        shares = (own, max(1, num_workers - own)) if num_workers else (0, 0)
        return cls(replace(labelled, num_workers=shares[0]), replace(unlabelled, num_workers=shares[1]))

    def __len__(self) -> int:
        return len(self.labelled)

    def __iter__(self) -> Iterator[StepClips]:
        if self.unlabelled is None:
            yield from map(StepClips, self.labelled)
            return
        for labelled, unlabelled in zip(self.labelled, self.unlabelled, strict=True):
            yield StepClips(labelled, unlabelled)
