"""A network, its loss and the clips that it reads: how students, their streams and teachers are trained and tested."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torch import Tensor, nn

from cdkd.callbacks import Log, Progress, RunProgress, silent
from cdkd.data.clips.clip import ClipBatch
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.clips.transforms import NetworkInputs
from cdkd.data.loading.dataset import ClipDataset
from cdkd.data.loading.steps import StepClips
from cdkd.data.manifest import Part
from cdkd.data.opening import OpenDataset
from cdkd.distill.objective import Loss
from cdkd.experiment.inputs import ClipInputs, RunError
from cdkd.experiment.loader_hint import with_hint
from cdkd.metric_names import VALIDATION_CROSS_ENTROPY
from cdkd.settings import EvaluationSettings, OptimizerSettings, RunConfig
from cdkd.train.calibration import Calibration
from cdkd.train.engine import FitConfig, TrainingTask, fit
from cdkd.train.epoch_meter import Divergence
from cdkd.train.evaluate import Scores, evaluate
from cdkd.train.processes import Processes


@dataclass(frozen=True)
class NetworkRun(ABC):
    """What a student and a teacher fill in: their network, what it reads, its loss."""

    inputs: ClipInputs
    """Cuts clips; its configuration's seed is the training's."""
    objective: nn.Module
    """Network and loss as one module, wrapped where several processes train."""
    auxiliary: nn.Module
    """What losses train along with the network; no part of it."""
    _validated: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    """Filled by `fit`: the validation of the weights that it ended with."""

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """What is trained."""

    @property
    @abstractmethod
    def settings(self) -> OptimizerSettings:
        """How."""

    @abstractmethod
    def layout(self, part: Part) -> ClipLayout:
        """What is read of a clip of a part."""

    @abstractmethod
    def loss(self, clips: StepClips, step: int) -> Loss:
        """The loss of a training step's clips."""

    @abstractmethod
    def logits(self, inputs: NetworkInputs) -> Tensor:
        """Logits (B, K) of prepared inputs."""

    @property
    def calibration(self) -> Calibration | None:
        """How losses get their units; None where none has one."""
        return None

    @property
    def config(self) -> RunConfig:
        """The whole configuration."""
        return self.inputs.config

    @property
    def dataset(self) -> OpenDataset:
        """What the clips are cut from."""
        return self.inputs.dataset

    @property
    def processes(self) -> Processes:
        """Who trains."""
        return self.inputs.processes

    def source(self, part: Part) -> ClipDataset:
        """Clips of a part."""
        return self.inputs.source(part, self.layout(part))

    def unlabelled_source(self) -> ClipDataset | None:
        """Clips without labels that stand beside those trained on; None where there are none."""
        return None

    @cached_property
    def _validation(self) -> ClipDataset | None:
        """None: all labelled videos are trained on."""
        has_part = "validation" in self.dataset.manifest.num_videos_per_part
        return self.source("validation") if has_part else None

    def fit(
        self,
        part: Part,
        folder: Path,
        log: Log,
        progress: Progress,
        *,
        validate_every_epochs: int = 0,
        keep_best: bool = False,
    ) -> Divergence | None:
        """Trains on a part; goes on from the checkpoint in `folder` where there is one. See `cdkd.train.engine.fit`.

        Raises:
            RunError: the best validated epoch is to be kept, and there are no validation videos.
        """
        # All are scanned before the first step: what is unreadable must not stop a training at its end.
        source, unlabelled, validation = self.source(part), self.unlabelled_source(), self._validation
        if keep_best and validation is None:
            raise RunError(
                "evaluation.select=best_validation: there are no validation videos, since data.validation_share is 0; "
                "set evaluation.select=last, or hold out a share"
            )
        task = TrainingTask(
            self.network,
            lambda epoch: self.inputs.step_clips(source, unlabelled, epoch, self.settings.batch_size),
            self.loss,
            None if validation is None else self.validate,
            auxiliary=self.auxiliary,
            no_sync=self.processes.no_sync(self.objective),
            calibration=self.calibration,
            validated=self._validated,
        )
        fit_config = FitConfig(
            self.settings,
            self.config.seed,
            self.inputs.device,
            folder,
            validate_every_epochs,
            self.config.runtime.checkpoint_every_epochs,
            keep_best,
            self.processes,
        )
        return fit(task, fit_config, with_hint(log, source, unlabelled), progress)

    def validate(self) -> dict[str, float]:
        """Cross-entropy and accuracies in percent on the validation part, of one view; {} without such a part."""
        if self._validation is None:
            return {}
        return _validation_metrics(self._scores(self._validation, self.inputs.validation))

    def judge(self, progress: RunProgress) -> tuple[dict[str, float], Scores]:
        """What `validate` says of the trained network, its accuracies in percent on the test part, the test's scores.

        What `fit` validated of the weights that it ended with is not read again.
        """
        tested, known = self.source("test"), dict(self._validated)
        # One phase for who looks on: both go at one speed, so that the time left is right from the first batch on.
        progress(0.0, "testing")
        share = 0.0
        if not known and self._validation is not None:
            views = self.inputs.evaluation.clips * self.inputs.evaluation.crops
            share = len(self._validation) / (len(self._validation) + views * len(tested))
            validation = self._scores(
                self._validation, self.inputs.validation, lambda done: progress(share * done, "testing")
            )
            known = _validation_metrics(validation)
        scores = self._scores(
            tested, self.inputs.evaluation, lambda done: progress(share + (1.0 - share) * done, "testing")
        )
        return {**known, **scores.accuracies("test")}, scores

    def _scores(self, source: ClipDataset, evaluation: EvaluationSettings, progress: Progress = silent) -> Scores:
        """Every video of a part through every view of a protocol."""

        def predict(batch: ClipBatch, crop: int) -> Tensor:
            return self.logits(self.inputs.view(batch, crop, evaluation))

        return evaluate(self.network, predict, source, evaluation, self.processes, progress)


def _validation_metrics(scores: Scores) -> dict[str, float]:
    return {VALIDATION_CROSS_ENTROPY: scores.cross_entropy, **scores.accuracies("validation")}
