"""Every setting of a run, as typed records; imports no torch, so that plans and tables answer at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cdkd.config import Count, Fraction, Record, Weight, build_record, flatten, load_document, merge_dotted
from cdkd.data.shapes.settings import ShapesSettings
from cdkd.distill.losses.table import DistillSettings
from cdkd.modality import PFrameForm

Pair = Annotated[tuple[float, float], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]
Steps = Annotated[tuple[int, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]
Texts = Annotated[tuple[str, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)]

NAMED_WEIGHTS = frozenset({"random", "pretrain", "imagenet", "kinetics400"})
"""Starts of a network that are no file."""

TEACHERS: dict[str, str] = {
    "tsm": "cdkd.models.teacher.consensus:TSM",
    "tdn": "cdkd.models.teacher.consensus:TDN",
    "mvit_v2_s": "cdkd.models.teacher.video_models:VideoTeacher",
    "swin3d_t": "cdkd.models.teacher.video_models:VideoTeacher",
    "s3d": "cdkd.models.teacher.video_models:VideoTeacher",
    "r2plus1d_18": "cdkd.models.teacher.video_models:VideoTeacher",
}
"""Architecture -> module and class of the network, imported when one is built; a new teacher is one line here."""
if TYPE_CHECKING:
    TeacherArch = str
else:
    TeacherArch = Literal[tuple(TEACHERS)]
DatasetName = Literal["shapes", "ucf101", "hmdb51", "kinetics400", "ssv2", "folder"]
"""The data sets; each is described by the file of its name in cdkd/data/annotations/."""
Sampling = Literal["segments", "dense", "gops"]
"""How the P-frames of a clip are chosen; drawn and explained in cdkd/data/clips/sampling.py."""
BackboneName = Literal["slim", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
NO_UNLABELLED = "none"
"""Of `data.unlabelled`; a word, since tables do not tell an empty value from one that nobody logged."""


class DataSettings(Record):
    """Which videos, and what a clip of them is."""

    name: DatasetName = "shapes"
    """The data set."""
    root: str | None = None
    """Folder of the prepared data set; shapes generates its own."""
    split: Annotated[int, Field(ge=1, le=3)] = 1
    """Official split (UCF-101 and HMDB-51 have three)."""
    validation_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Share of the training videos held out by group for validation, where the data set has no such part. 0: the full
    official list is trained on, and nothing can be chosen on validation."""
    gops_per_clip: Count = 1
    """G: groups of pictures per clip."""
    frames_per_gop: Count = 6
    """P: P-frames per group of pictures."""
    sampling: Sampling = "segments"
    """Where in a video a clip's P-frames lie. segments: from G equal parts of the whole video, anywhere in the part in
    training, in its middle in a test; dense: at a stride of 64 // G in a window of 64 P-frames (the published dense
    models of Kinetics-400); gops: at always the same places of a GOP from each of G parts."""
    motion: Literal["accumulated", "per_frame"] = "accumulated"
    """Motion and residual relative to the I-frame (accumulated), or to the frame before (per_frame)."""
    residual: Literal["exact", "coviar"] = "exact"
    """What a frame's residual is: the frame minus the codec's own sub-pixel prediction (exact), or minus the reference
    warped by vectors cut to whole pixels, as in CoViAR (coviar)."""
    input_size: Annotated[int, Field(ge=16)] = 48
    """Width and height of what the networks see, in pixels."""
    crop_scale: Pair = (0.85, 1.0)
    """Range of a training crop's side, as a share of the shorter side."""
    flip: Literal["auto", "off", "on", "swap"] = "auto"
    """Horizontal flips in training: off, on, on with left/right labels swapped (swap). auto: on; for
    Something-Something, whose labels tell left from right, off for TSM and swap for TDN, as their authors do."""
    cache: Literal["auto", "off", "memory", "packed"] = "auto"
    """Where clips come from after the first time. memory: kept decoded, up to 2 GiB per part; packed: read from the
    packed cache of `cdkd data cache`; auto: from one that fits, else memory where the part fits; off: decoded anew."""
    max_unreadable: Fraction = 0.0
    """Share of unreadable videos that a run accepts (they are left out and listed)."""
    unlabelled: str = NO_UNLABELLED
    """Videos whose labels nobody reads: from them the student learns by distillation alone, beside the labelled ones.
    A part of this data set (pretrain, unlabelled, train), a folder of videos or a list path[,group] of them as CSV, or
    a prepared data set, of which the parts to train on count; none: labelled videos alone."""
    unlabelled_videos: Count | Literal["all"] = "all"
    """How many of them: the same ones in every run, those of a smaller number among those of a larger."""
    shapes: ShapesSettings = ShapesSettings()

    @property
    def p_frame_form(self) -> PFrameForm:
        """What motion and residual mean."""
        return PFrameForm.named(self.motion, self.residual)


class StudentSettings(Record):
    """The compressed-domain network."""

    model: Literal["three_stream", "coviar"] = "three_stream"
    """three_stream: the paper's; coviar: the CoViAR baseline (late fusion of separately classified streams)."""
    arch: Literal["tsm", "tdn"] = "tsm"
    """Temporal modelling inside each stream."""
    streams: Literal["slim", "paper", "lite", "resnet18", "coviar"] = "slim"
    """Backbones of I-frame, motion and residual; slim suits the embedded data set, paper is three ResNet-50."""
    shift_div: Annotated[int, Field(ge=3)] = 4
    """TSM: 1/shift_div of the channels moves each way (the published TSM: 8)."""
    decoder: bool = True
    """Pseudo-decoder (Eq. 1 and 2)."""
    head: Literal["both", "streams", "decoded"] = "both"
    """What the classifier reads: the three streams, the decoded features, or both."""
    attention_dim: Annotated[int, Field(ge=0)] = 0
    """Width of the cross-attention; 0: 512, or the backbone's width where that is smaller."""
    gate: Literal["softmax", "sigmoid", "uniform"] = "softmax"
    """Attention gate over time: softmax times T, the paper's sigmoid, or constant 1."""
    dropout: Fraction = 0.0
    """Share of the classifier's inputs that training drops."""
    weights: str = "random"
    """Start of the streams: random, pretrain (this data set's pre-training part), imagenet, or a checkpoint file."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.decoder and self.head != "streams":
            raise ValueError("student.head must be 'streams' when student.decoder is false")
        return self


class OptimizerSettings(Record):
    """How a network is trained."""

    epochs: Count = 40
    """Passes over the training part."""
    batch_size: Count = 24
    """Clips per step, over all processes of a data-parallel training."""
    optimizer: Literal["sgd", "adamw"] = "adamw"
    """sgd: with momentum; adamw: Adam with decoupled weight decay."""
    learning_rate: Annotated[float, Field(gt=0.0)] = 2e-3
    """The largest one, after warm-up."""
    momentum: Fraction = 0.9
    """Of sgd."""
    weight_decay: Weight = 1e-2
    """Pull of the weights towards 0."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    """Course of the learning rate: to 0 along a cosine, down at `step_epochs`, or level."""
    step_epochs: Steps = ()
    """Epochs at which `step` divides the learning rate by 10."""
    warmup_epochs: Annotated[float, Field(ge=0.0)] = 4.0
    """Linear warm-up from a hundredth of the learning rate."""
    clip_norm: Annotated[float, Field(ge=0.0)] = 20.0
    """Gradient norm above which gradients are scaled down; 0: never."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: bf16 on a GPU that has it, else fp32."""
    label_smoothing: Fraction = 0.0
    """Share of the target that is spread over all classes."""
    accumulate_steps: Count = 1
    """Batches per optimizer step."""
    classifier_weight_multiplier: Weight = 1.0
    """Learning rate of the classifier's weights relative to the rest (the published TSM: 5)."""
    classifier_bias_multiplier: Weight = 1.0
    """Learning rate of the classifier's biases relative to the rest (the published TSM: 10)."""
    decay_all: bool = False
    """Weight decay on biases and normalisation parameters too (the published TDN)."""
    partial_batch_norm: bool = False
    """Batch norms behind the stems keep their statistics, scale and shift (the published TSM's fine-tuning)."""
    sync_batch_norm: bool = True
    """Batch norm over the clips of all processes of a data-parallel training; without: over each one's own."""


class StudentOptimizerSettings(OptimizerSettings):
    """How a student is trained."""

    decoder_multiplier: Weight = 1.0
    """Learning rate of pseudo-decoder and gate relative to the rest; attention and ConvLSTM bear less than streams."""
    unlabelled_per_step: Count | Literal["auto"] = "auto"
    """Clips of data.unlabelled in each step, over all processes, beside the batch_size labelled ones; auto: as many."""


class TeacherOptimizerSettings(OptimizerSettings):
    """How a teacher is trained."""

    epochs: Count = 20
    """Passes over what the teacher learns from."""
    batch_size: Count = 32
    """Clips per step, over all processes of a data-parallel training."""
    learning_rate: Annotated[float, Field(gt=0.0)] = 8e-3
    """The largest one, after warm-up."""
    warmup_epochs: Annotated[float, Field(ge=0.0)] = 1.0
    """Linear warm-up from a hundredth of the learning rate."""


class TeacherSettings(Record):
    """The raw-domain network, frozen while the student learns."""

    arch: TeacherArch = "tsm"
    """Its network; tdn and tsm are the paper's, the others are torchvision's."""
    backbone: BackboneName = "slim"
    """ResNet of tsm and tdn; slim suits the embedded data set."""
    shift_div: Annotated[int, Field(ge=3)] = 4
    """TSM: 1/shift_div of the channels moves each way (the published TSM: 8)."""
    num_segments: Annotated[int, Field(ge=0)] = 0
    """Segments that the checkpoint was trained with (fixes TDN's mixing weights); 0: the clip's T."""
    checkpoint: str | None = None
    """Checkpoint file of an imported or trained teacher; none: train one and keep it by identity."""
    members: Texts = ()
    """Further checkpoints whose scores are averaged with this teacher's (the paper's TDN rows: 16 and 8 frames)."""
    part: Literal["auto", "pretrain", "train"] = "auto"
    """What a teacher without checkpoint learns from; auto: the pre-training part where there is one."""
    weights: str = "random"
    """Start of its training: random, imagenet, or a file of torchvision weights."""
    seed: int = 0
    """Of its initial weights and its training; independent of the run's seed."""
    dropout: Fraction = 0.0
    """Share of the classifier's inputs that training drops."""
    train: TeacherOptimizerSettings = TeacherOptimizerSettings()


class EvaluationSettings(Record):
    """The test-time protocol; views = clips x crops. What is 0 follows from the data set."""

    clips: Annotated[int, Field(ge=0)] = 0
    """0: as the paper tests the data set; 1 for shapes and folders."""
    crops: Literal[0, 1, 3] = 0
    """1: the centre; 3: left, centre and right; 0: as the paper tests the data set; 1 for shapes and folders."""
    resize: Annotated[int, Field(ge=0)] = 0
    """Frames become this many pixels square before the crop; 0: 256 for crops of 224 and in proportion, where the data
    set is one of the paper's or crops is 3; else data.input_size; never less than a crop."""
    keep_aspect: bool = False
    """Only the shorter side becomes `resize` pixels, as the authors of TSM and TDN test; crops lie along the longer."""
    crop_size: Annotated[int, Field(ge=0)] = 0
    """Width and height of a crop; 0: data.input_size. 256 of 256 pixels is what the authors call full resolution."""
    batch_size: Count = 100
    """Clips per step of a test."""
    every_epochs: Annotated[int, Field(ge=0)] = 5
    """Evaluate on the validation part, through one view, every so many epochs; 0: after the last one only."""
    select: Literal["last", "best_validation"] = "last"
    """Which epoch's weights are tested."""


class RuntimeSettings(Record):
    """What cannot change a result; no part of a cell's identity."""

    device: str = "auto"
    """auto: a GPU where there is one; else cpu, cuda, cuda:1 ..."""
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that decode videos ahead of the training loop. auto: the run's share of the cores less its own threads,
    16 at most; none where clips are kept in memory (the embedded data set, data.cache=memory)."""
    num_threads: Count = 1
    """Threads of the process."""
    checkpoint_every_epochs: Count = 5
    """How often a training writes what it resumes from."""
    channels_last: bool = True
    """Memory format of the networks; measured faster on CPUs (slim TSM 254 -> 214 ms a step) and on GPUs."""
    compile: bool = False
    """torch.compile the student and the teacher."""
    checkpoint_activations: bool = False
    """Recompute the streams' activations in the backward pass to save memory."""


class RunConfig(Record):
    """One run's whole configuration."""

    seed: int = 0
    """Of the student's initial weights, the order of its clips, crops and flips."""
    data: DataSettings = DataSettings()
    student: StudentSettings = StudentSettings()
    teacher: TeacherSettings = TeacherSettings()
    distill: DistillSettings = DistillSettings()
    train: StudentOptimizerSettings = StudentOptimizerSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    runtime: RuntimeSettings = RuntimeSettings()

    @classmethod
    def from_yaml(cls, path: Path | str) -> Self:
        """The configuration of a file that holds settings, nested or by dotted keys; the others keep their defaults.

        Example:
            config = RunConfig.from_yaml("run.yaml")

        Raises:
            ConfigError: names file, line and key of every mistake.
        """
        document = load_document(Path(path))
        return build_record(cls, merge_dotted({}, document.values), document)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.data.name == "shapes" and self.data.shapes.draw == "by_seed":
            # Records are frozen for their users; this one is still being made.
            shapes = self.data.shapes.drawn_for(self.seed)
            object.__setattr__(self, "data", self.data.model_copy(update={"shapes": shapes}))
        decoded = [] if self.student.decoder else self.distill.used_that_need("decoder")
        if decoded:
            switches = " and ".join(f"distill.{name}.enabled" for name in decoded)
            raise ValueError(
                f"{' and '.join(decoded)} distillation need the pseudo-decoder: set student.decoder to true, "
                f"or {switches} to false"
            )
        numbers = {
            "data.unlabelled_videos": self.data.unlabelled_videos,
            "train.unlabelled_per_step": self.train.unlabelled_per_step,
        }
        for key, number in numbers.items():
            if isinstance(number, int) and self.data.unlabelled == NO_UNLABELLED:
                raise ValueError(
                    f"{key}={number}: no unlabelled videos are named; set data.unlabelled to a part such as pretrain, "
                    f"a folder of videos or a prepared data set, or leave {key} out"
                )
        return self

    @property
    def uses_teacher(self) -> bool:
        """Some loss takes part; each compares the student with the teacher."""
        return bool(self.distill.used)

    @property
    def unlabelled_per_step(self) -> int:
        """Unlabelled clips of each training step, over all processes; 0 where no loss could learn from any."""
        learns = len(self.distill.used) > len(self.distill.used_that_need("labels"))
        if self.data.unlabelled == NO_UNLABELLED or not learns:
            return 0
        wanted = self.train.unlabelled_per_step
        return self.train.batch_size if wanted == "auto" else wanted


def flat_settings(config: RunConfig) -> dict[str, Any]:
    """Every setting by its dotted key, as logged and as read back by reports."""
    return flatten(config.model_dump(mode="json"))
