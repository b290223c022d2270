"""What a run distilled, read from its settings: a loss takes part when it is enabled and its weight is above zero."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MethodFactors:
    """The settings that the paper's tables vary."""

    model: str
    arch: str
    decoder: bool
    lambda1: float
    """Weight of the spatial loss; 0 where it is switched off."""
    lambda2: float
    """Weight of the temporal loss; 0 where it is switched off."""
    lambda3: float
    """Weight of the logits loss; 0 where it is switched off."""

    @property
    def spatial(self) -> bool:
        """The spatial loss takes part."""
        return self.lambda1 > 0

    @property
    def temporal(self) -> bool:
        """The temporal loss takes part."""
        return self.lambda2 > 0

    @property
    def logits(self) -> bool:
        """The logits loss takes part."""
        return self.lambda3 > 0

    def matches(self, wanted: Mapping[str, Any]) -> bool:
        """Every wanted axis has its value; numbers are compared to nine digits."""
        return all(_equal(getattr(self, name), value) for name, value in wanted.items())


def factors_of(settings: Mapping[str, Any]) -> MethodFactors:
    """The axes of a run's dotted settings; a setting that was not logged counts as its default."""
    return MethodFactors(
        model=str(settings.get("student.model", "three_stream")),
        arch=str(settings.get("student.arch", "tsm")),
        decoder=bool(settings.get("student.decoder", True)),
        lambda1=_effective_weight(settings, "spatial"),
        lambda2=_effective_weight(settings, "temporal"),
        lambda3=_effective_weight(settings, "logits"),
    )


def _effective_weight(settings: Mapping[str, Any], loss: str) -> float:
    enabled = bool(settings.get(f"distill.{loss}.enabled", False))
    return float(settings.get(f"distill.{loss}.weight", 0.0)) if enabled else 0.0


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return math.isclose(float(value), wanted, rel_tol=1e-9)
    return bool(value == wanted)
