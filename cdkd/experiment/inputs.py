"""Clips of a data set become network inputs: random crops in training, fixed views in evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from cdkd.capacity import own_cores
from cdkd.data.annotations.catalog import dataset_spec, default_views
from cdkd.data.annotations.spec import FlipPolicy
from cdkd.data.clips.clip import ClipBatch, to_device
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.clips.transforms import (
    Boxes,
    CropView,
    NetworkInputs,
    draw_boxes,
    join_inputs,
    prepare_inputs,
    swap_labels,
    view_boxes,
)
from cdkd.data.loading.dataset import ClipDataset, UnreadableError
from cdkd.data.loading.loader import ClipLoader
from cdkd.data.loading.steps import StepClips, StepLoader
from cdkd.data.manifest import Manifest, Part
from cdkd.data.opening import OpenDataset
from cdkd.effective_settings import BEFORE, has_effect
from cdkd.errors import CdkdError
from cdkd.seeding import derive_seed
from cdkd.settings import EvaluationSettings, RunConfig, flat_settings
from cdkd.train.processes import ALONE, Processes

_MAX_LOADER_WORKERS = 16
"""More are rarely needed to keep one GPU busy, and each takes memory."""


class RunError(CdkdError):
    """A run cannot be carried out as configured."""


def resolve_evaluation(config: RunConfig) -> EvaluationSettings:
    """The test-time protocol with every 0 replaced by what the data set calls for; the only place that does so.

    The paper resizes frames to 256 x 256 pixels and cuts crops of 224 from them; other crop sizes keep that share.

    Raises:
        RunError: frames would be smaller than the crops.
    """
    data, wanted = config.data, config.evaluation
    usual = default_views(data.name)
    clips, crops = wanted.clips or usual[0], wanted.crops or usual[1]
    # Three crops of a frame that is no wider than one of them would be the same picture three times.
    is_wide = usual != (1, 1) or crops > 1
    crop_size = wanted.crop_size or data.input_size
    usual_resize = round(data.input_size * 256 / 224) if is_wide else data.input_size
    resize = wanted.resize or max(usual_resize, crop_size)
    if resize < crop_size:
        key = "evaluation.crop_size" if wanted.crop_size else "data.input_size"
        raise RunError(
            f"evaluation.resize={resize}: smaller than the crops of {key}={crop_size}; choose at least that, or 0"
        )
    found = {"clips": clips, "crops": crops, "resize": resize, "crop_size": crop_size}
    return EvaluationSettings.model_validate({**wanted.model_dump(), **found})


def clip_words(clip: Mapping[str, Any], config: RunConfig) -> str:
    """A clip's shape, and where its frames lie if that makes a difference to the run.

    Args:
        clip: `gops_per_clip`, `frames_per_gop` and, unless it is older than the setting, `sampling`.
        config: of the run.
    """
    shape = f"{clip['gops_per_clip']} GOP x {clip['frames_per_gop']} P-frames"
    sampling = clip.get("sampling", BEFORE["data.sampling"])
    return f"{shape}, {sampling}" if has_effect("data.sampling", flat_settings(config)) else shape


def num_loader_workers(config: RunConfig) -> int:
    """Processes that read ahead for one process of a run: `runtime.num_workers`, with auto resolved here alone.

    auto is the process's own share of the cores, less those that it computes on itself. None are worth their start
    where clips are kept in memory after their first epoch, as the embedded data set's are.
    """
    wanted = config.runtime.num_workers
    if wanted != "auto":
        return wanted
    data = config.data
    if dataset_spec(data.name).origin == "generated" or data.cache == "memory":
        return 0
    return min(_MAX_LOADER_WORKERS, max(0, own_cores() - config.runtime.num_threads))


@dataclass(frozen=True)
class ClipInputs:
    """How one experiment cuts clips from a data set and feeds them to its networks."""

    config: RunConfig
    dataset: OpenDataset
    device: torch.device
    processes: Processes = ALONE
    arch: str = ""
    """Of the network that learns from them."""

    def source(self, part: Part, layout: ClipLayout) -> ClipDataset:
        """The readable videos of a part.

        Raises:
            UnreadableError: more of them are unreadable than `data.max_unreadable` accepts.
            DatasetError: the part is empty.
        """
        return self._source(self.dataset.manifest, part, layout)

    def _source(self, manifest: Manifest, part: Part, layout: ClipLayout) -> ClipDataset:
        data = self.config.data
        return ClipDataset(
            manifest,
            part,
            layout,
            form=data.p_frame_form,
            num_workers=num_loader_workers(self.config),
            cache=data.cache,
            max_unreadable=data.max_unreadable,
        )

    def unlabelled_source(self, unlabelled: Manifest, layout: ClipLayout) -> ClipDataset:
        """The readable ones among the videos of `cdkd.data.unlabelled.open_unlabelled`.

        Raises:
            RunError: more of them than `data.max_unreadable` accepts cannot be read, or have too short GOPs.
        """
        try:
            return self._source(unlabelled, "unlabelled", layout)
        except UnreadableError as error:
            raise RunError(f"data.unlabelled={self.config.data.unlabelled}: {error}") from error

    def step_clips(
        self, source: ClipDataset, unlabelled: ClipDataset | None, epoch: int, batch_size: int
    ) -> StepLoader:
        """This process's share of an epoch's steps of `batch_size` clips, and of unlabelled ones beside them.

        Raises:
            RunError: the clips of a step cannot be shared equally.
        """
        seed, processes, number = self.config.seed, self.processes, self.config.unlabelled_per_step
        labelled = self.training_batches(source, seed, epoch, batch_size)
        if unlabelled is None:
            return StepLoader(labelled)
        if number % processes.world_size:
            raise RunError(
                f"{processes.world_size} processes cannot share {number} unlabelled clips per step equally; choose a "
                f"train.unlabelled_per_step that {processes.world_size} divides"
            )
        steps = range(epoch * len(labelled), (epoch + 1) * len(labelled))
        others = unlabelled.endless_batches(
            seed, steps, number // processes.world_size, processes.rank, processes.world_size
        )
        return StepLoader.sharing_workers(labelled, others)

    def training_batches(self, source: ClipDataset, seed: int, epoch: int, batch_size: int) -> ClipLoader:
        """This process's share of an epoch's batches of `batch_size` clips.

        Raises:
            RunError: the clips of a step cannot be shared equally.
        """
        world_size = self.processes.world_size
        if world_size > 1 and (batch_size % world_size or len(source) < batch_size):
            raise RunError(
                f"{world_size} processes cannot share batches of {batch_size} from {len(source)} clips equally; "
                f"choose a batch_size that {world_size} divides and that does not exceed the number of clips"
            )
        return source.training_batches(seed, epoch, batch_size // world_size, self.processes.rank, world_size)

    def training(self, clips: StepClips, step: int) -> tuple[NetworkInputs, Tensor]:
        """Inputs (B, ...) under the random crops and flips of a step, and labels (L,) of the first L of them.

        They are drawn for the clips of all processes, so that a clip meets the same ones however many share the step.
        """
        labelled = clips.labelled
        boxes = self._boxes(labelled, "augmentation", step)
        # A flipped "push from left to right" is a push from right to left.
        labels = labelled.labels
        if self.flip == "swap":
            labels = swap_labels(labels, boxes.flip, self.dataset.swapped_labels)
        inputs = self._prepared(labelled, boxes)
        if clips.unlabelled is not None:
            # From another stream: the labelled clips meet the same crops with and without them. Joined behind the crop,
            # so that pictures of another size are no obstacle.
            others = self._boxes(clips.unlabelled, "unlabelled augmentation", step)
            inputs = join_inputs(inputs, self._prepared(clips.unlabelled, others))
        return inputs, to_device(labels, self.device)

    def _boxes(self, batch: ClipBatch, stream: str, step: int) -> Boxes:
        """This process's share of the crops and flips of a step."""
        # On the CPU, from a stream of the step's own: the same crops on every device, and after every interruption.
        generator = torch.Generator().manual_seed(derive_seed(self.config.seed, stream, step))
        size = (batch.iframes.shape[-2], batch.iframes.shape[-1])
        num_clips = len(batch.labels) * self.processes.world_size
        drawn = draw_boxes(num_clips, size, self.config.data.crop_scale, self.flip != "off", generator)
        return Boxes(*(self.processes.share(getattr(drawn, field.name)) for field in fields(drawn)))

    def _prepared(self, batch: ClipBatch, boxes: Boxes) -> NetworkInputs:
        return prepare_inputs(batch.to(self.device), boxes, self.config.data.input_size)

    def view(self, batch: ClipBatch, crop: int, evaluation: EvaluationSettings | None = None) -> NetworkInputs:
        """Inputs under crop number `crop` of a resolved protocol; None: the test's."""
        asked = self.evaluation if evaluation is None else evaluation
        size = (batch.iframes.shape[-2], batch.iframes.shape[-1])
        view = CropView(asked.resize, asked.crop_size, asked.crops, asked.keep_aspect)
        return prepare_inputs(batch.to(self.device), view_boxes(len(batch.labels), size, view, crop), asked.crop_size)

    @property
    def flip(self) -> FlipPolicy:
        """Horizontal flips in training, for the network that learns."""
        # Where a mirror changes labels, TSM's authors do not flip, TDN's exchange the labels.
        is_left_to_us = self.config.data.flip == "auto" and self.dataset.flip == "swap"
        return "off" if is_left_to_us and self.arch != "tdn" else self.dataset.flip

    @cached_property
    def evaluation(self) -> EvaluationSettings:
        """The resolved test-time protocol."""
        return resolve_evaluation(self.config)

    @property
    def validation(self) -> EvaluationSettings:
        """The same with one view: a validation compares epochs and rows, and has no published figure to match."""
        return self.evaluation.model_copy(update={"clips": 1, "crops": 1})

    @property
    def metadata(self) -> dict[str, str]:
        """Provenance of data, split and views."""
        data, evaluation = self.config.data, self.evaluation
        return {
            **self.dataset.metadata,
            "flip": self.flip,
            "split": str(data.split),
            "num_views": str(evaluation.clips * evaluation.crops),
            "clip": f"{clip_words(data.model_dump(), self.config)}, {data.motion} motion",
            "views": (
                f"{evaluation.clips} clip{'s' * (evaluation.clips > 1)} x {evaluation.crops} "
                f"crop{'s' * (evaluation.crops > 1)} of {evaluation.crop_size} from {evaluation.resize} pixels"
                f"{', aspect kept' * evaluation.keep_aspect}"
            ),
        }
