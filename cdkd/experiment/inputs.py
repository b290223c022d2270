"""Clips of a data set become network inputs: random crops in training, fixed views in evaluation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cdkd.data.clips import ClipBatch
from cdkd.data.dataset import OpenDataset
from cdkd.data.loaders import ClipSource
from cdkd.data.manifest import Part
from cdkd.data.sampling import ClipLayout
from cdkd.data.transforms import NetworkInputs, draw_boxes, prepare_inputs, swap_labels, view_boxes
from cdkd.seeding import derive_seed
from cdkd.settings import Experiment


def choose_device(name: str) -> torch.device:
    """The device of a name; auto is the first GPU, else the CPU."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


@dataclass(frozen=True)
class ClipInputs:
    """How one experiment cuts clips from a data set and feeds them to its networks."""

    experiment: Experiment
    dataset: OpenDataset
    device: torch.device

    def source(self, part: Part, layout: ClipLayout) -> ClipSource:
        """The readable videos of a part.

        Raises:
            UnreadableError: more of them are unreadable than `data.max_unreadable` accepts.
            DatasetError: the part is empty.
        """
        data = self.experiment.data
        source = ClipSource(
            self.dataset.manifest.root,
            self.dataset.manifest.part(part),
            layout,
            accumulated=data.motion == "accumulated",
            num_workers=self.experiment.runtime.num_workers,
            keep_in_memory=data.cache != "off",
        )
        return source.scan(part, data.max_unreadable)

    def training(self, batch: ClipBatch, step: int) -> tuple[NetworkInputs, Tensor]:
        """Inputs under the random crops and flips of a step, and labels (B,)."""
        data = self.experiment.data
        generator = torch.Generator().manual_seed(derive_seed(self.experiment.seed, "augmentation", step))
        size = (batch.iframes.shape[-2], batch.iframes.shape[-1])
        flips = self.dataset.flip != "off"
        boxes = draw_boxes(len(batch.labels), size, data.crop_scale, flips, generator)
        labels = batch.labels
        if self.dataset.flip == "swap":
            labels = swap_labels(labels, boxes.flip, self.dataset.swapped_labels)
        inputs = prepare_inputs(batch.to(self.device), boxes, data.input_size)
        return inputs, labels.to(self.device)

    def view(self, batch: ClipBatch, crop: int) -> NetworkInputs:
        """Inputs under test crop number `crop`."""
        data, evaluation = self.experiment.data, self.experiment.evaluation
        size = (batch.iframes.shape[-2], batch.iframes.shape[-1])
        resize = evaluation.resize or data.input_size
        boxes = view_boxes(len(batch.labels), size, resize, data.input_size, crop, evaluation.crops)
        return prepare_inputs(batch.to(self.device), boxes, data.input_size)

    @property
    def facts(self) -> dict[str, str]:
        """Provenance of data, split and views."""
        data, evaluation = self.experiment.data, self.experiment.evaluation
        resize = evaluation.resize or data.input_size
        return {
            **self.dataset.facts,
            "split": str(data.split),
            "clip": f"{data.gops_per_clip} GOP x {data.frames_per_gop} P-frames, {data.motion} motion",
            "views": (
                f"{evaluation.clips} clip{'s' * (evaluation.clips > 1)} x {evaluation.crops} "
                f"crop{'s' * (evaluation.crops > 1)} of {data.input_size} from {resize} pixels"
            ),
        }
