"""What an error about an unknown name suggests: the name that was probably meant, or all that there are."""

from collections.abc import Iterable

_SHOWN = 24


def hint(given: str, known: Iterable[str], noun: str) -> str:
    """How such an error goes on.

    Args:
        given: the unknown name.
        known: the names that would have done.
        noun: what they are, in the plural.
    """
    names = list(known)
    if meant := did_you_mean(given, names):
        return meant
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"known {noun}: {', '.join(names[:_SHOWN]) or 'none'}{more}"


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The question after the known name that is nearest; empty where none is near."""
    from difflib import get_close_matches

    return "".join(f"did you mean '{name}'?" for name in get_close_matches(given, list(known), n=1))
