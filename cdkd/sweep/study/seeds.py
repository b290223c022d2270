"""Seeds, as a study file and the command line give them: a count, or different numbers."""

from typing import Any

from cdkd.config import ConfigError, Document


def file_seeds(document: Document, here: tuple[str, ...], given: Any) -> tuple[int, ...]:
    """The seeds that stand at a key of a study file.

    Raises:
        ConfigError: neither a count nor different numbers.
    """
    seeds = list(range(given)) if type(given) is int else given
    is_good = isinstance(seeds, list) and bool(seeds) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not is_good or len(set(seeds)) != len(seeds):
        raise document.error(here, f"a count of at least 1, or a list of different numbers, not {given!r}")
    return tuple(seeds)


def option_seeds(text: str) -> tuple[int, ...]:
    """The seeds of `--seeds`.

    Raises:
        ConfigError: neither a count nor different numbers between commas.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    seeds = tuple(range(numbers[0])) if "," not in text and numbers else tuple(numbers)
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ConfigError(f"--seeds {text}: a count of at least 1, or different numbers between commas, such as 0,2,5")
    return seeds
