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
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(given, names, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"known {noun}: {', '.join(names[:_SHOWN]) or 'none'}{more}"
