"""A cell: one resolved run, with its place in the study and its identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cdkd.experiment.identity import row_identity, seeded_identity, teacher_identity
from cdkd.settings import RunConfig
from cdkd.tracking.tracker import label_text


@dataclass(frozen=True)
class Cell:
    """One run of one configuration with one seed."""

    stage: str
    labels: Mapping[str, str]
    """Axis -> label, in the study's order."""
    config: RunConfig
    row: str | None = None
    """`row_identity` of the configuration, where it is known already: it is the same for all seeds."""
    recipe: str = ""
    """Name of the recipe that the configuration stands on."""

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.config.seed

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits; equal exactly when the results must be."""
        return seeded_identity(self.row or row_identity(self.config), self.seed)

    @cached_property
    def teacher(self) -> str | None:
        """Identity of the teacher that the run needs and cdkd trains; None when it needs none."""
        if not self.config.uses_teacher or self.config.teacher.checkpoint is not None:
            return None
        return teacher_identity(self.config)

    @property
    def label(self) -> str:
        """The cell's labels as one text, without the seed."""
        return label_text(self.labels)
