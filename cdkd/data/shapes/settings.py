"""What the embedded data set is made of: a part of every run's configuration, beside the generator that reads it."""

from typing import Annotated, Literal, Self

from pydantic import Field

from cdkd.config import Count, Record

GOP_LENGTH = 12
"""Frames from one I-frame to the next."""


class ShapesSettings(Record):
    """The embedded data set; (version, seed, size, counts) alone decide every pixel."""

    version: Literal[1, 2] = 1
    """Of the generator. 1: an object rotates, zooms or orbits; 2: it slides and turns over in one of four rhythms."""
    seed: int = 0
    """Seed of the generator."""
    draw: Literal["fixed", "by_seed"] = "fixed"
    """by_seed: the run's seed is the generator's, so that seeds differ in videos and teachers too; fixed: `seed` is."""
    frame_size: Annotated[int, Field(ge=32, multiple_of=16)] = 48
    """Width and height in pixels."""
    num_frames: Annotated[int, Field(ge=2)] = 12
    """Frames per clip."""
    train_clips_per_class: Count = 10
    """Clips per class of the training part."""
    validation_clips_per_class: Count = 25
    """Clips per class of the validation part."""
    test_clips_per_class: Count = 100
    """Clips per class of the test part."""
    pretrain_clips_per_class: Count = 100
    """Clips per class of the part that the teacher learns from."""

    def drawn_for(self, seed: int) -> Self:
        """Those of a run with this seed, where `draw` is by_seed."""
        if self.seed != seed and "seed" in self.model_fields_set:
            raise ValueError(f"data.shapes.draw=by_seed and seed={seed}: leave data.shapes.seed={self.seed} out")
        return self.model_copy(update={"seed": seed})
