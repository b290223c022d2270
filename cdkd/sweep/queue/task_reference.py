"""What a user calls a task of a study: the beginning of its id, its label, or a part of its label."""

from collections.abc import Mapping

from cdkd.errors import CdkdError
from cdkd.suggestion import hint

_SHOWN = 12


def find_task(text: str, labels: Mapping[str, str]) -> str:
    """The id of the one task that is meant.

    Args:
        text: as typed.
        labels: task id -> label, of all tasks.

    Raises:
        CdkdError: none is meant, or several are; the text lists them.
    """
    wanted = text.casefold()
    # From the strictest reading to the loosest: the whole label of one cell may be a part of another's.
    for is_meant in (
        lambda task, label: task == text or label.casefold() == wanted,
        lambda task, label: task.startswith(wanted) or label.casefold().startswith(f"{wanted}, seed "),
        lambda task, label: wanted in label.casefold(),
    ):
        found = {task: label for task, label in labels.items() if is_meant(task, label)}
        if len(found) == 1:
            return next(iter(found))
        if found:
            shown = [f"  {task}  {label}" for task, label in list(found.items())[:_SHOWN]]
            more = [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
            raise CdkdError("\n".join([f"'{text}' may be any of {len(found)}; say more of one:", *shown, *more]))
    raise CdkdError(f"{text}: no cell of this study; {hint(text, [*labels.values(), *labels], 'cells')}")
