"""The embedded data set's facts; its videos are rendered by `cdkd.data.shapes`, so there is nothing to read."""

from cdkd.data.annotations.spec import DatasetSpec

SPEC = DatasetSpec(
    name="shapes",
    title="shapes (embedded, synthetic)",
    origin="generated",
    num_classes=12,
    # A mirror turns rotations and orbits to the left into those to the right.
    flip="off",
    note="generated when it is first used",
)
