"""Progress callbacks: what a long piece of work calls while it goes on."""

from collections.abc import Callable

Log = Callable[[dict[str, float], int], None]
"""Called once per epoch with all of its numbers, and the epoch from 1."""
Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""
