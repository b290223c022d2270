"""What a row's network costs, read from the metadata of its runs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Of one network under one test-time protocol."""

    gmacs_per_view: float
    """10^9 multiply-adds for one crop of one clip."""
    num_views: int
    """Clips times crops per video."""
    parameters: int

    @property
    def gflops(self) -> float:
        """10^9 multiply-adds per video, which the paper's tables call GFLOPs."""
        return self.gmacs_per_view * self.num_views


def cost_of(metadata: Mapping[str, str], of: str = "") -> Cost | None:
    """The cost among a run's metadata; None where the run did not count it.

    Args:
        metadata: of the run.
        of: "teacher_" for the run's teacher instead of its student.
    """
    try:
        return Cost(
            gmacs_per_view=float(metadata[f"{of}gmacs_per_view"]),
            num_views=int(metadata["num_views"]),
            parameters=int(metadata[f"{of}parameters"]),
        )
    except KeyError:
        return None
