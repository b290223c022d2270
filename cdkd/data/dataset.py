"""Opens a data set by its settings: its manifest, and what its labels allow."""

from collections.abc import Callable
from dataclasses import dataclass

from cdkd.data.manifest import Manifest
from cdkd.data.spec import FlipPolicy
from cdkd.settings import DataSettings


@dataclass(frozen=True)
class OpenDataset:
    """A data set that is ready to be read."""

    manifest: Manifest
    flip: FlipPolicy
    """Horizontal flips in training: off, on, or on with the labels of `swapped_labels` exchanged."""
    swapped_labels: tuple[tuple[int, int], ...] = ()

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.manifest.classes)

    @property
    def facts(self) -> dict[str, str]:
        """Provenance, as text: what a reader of a table must know of the data."""
        counts = {f"num_{part}_videos": str(n) for part, n in self.manifest.num_videos_per_part.items()}
        return {"dataset": self.manifest.name, "dataset_version": self.manifest.version, "flip": self.flip, **counts}


def open_dataset(settings: DataSettings, progress: Callable[[float], None] = lambda share: None) -> OpenDataset:
    """The data set of some settings; what must be generated or transcoded first is.

    Raises:
        DatasetError, VideoError: it is missing, damaged, or cannot be made.
    """
    if settings.name == "shapes":
        from cdkd.data.embedded import prepare_shapes

        dataset = OpenDataset(prepare_shapes(settings.shapes, progress), flip="off")
    else:
        from cdkd.data.catalog import flip_policy, load_manifest

        manifest = load_manifest(
            settings.name,
            settings.root,
            settings.split,
            settings.validation_share,
            max_unreadable=settings.max_unreadable,
            progress=progress,
        )
        dataset = OpenDataset(manifest, *flip_policy(settings.name))
    if settings.flip != "auto":
        return OpenDataset(dataset.manifest, settings.flip, dataset.swapped_labels)
    return dataset
