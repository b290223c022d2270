"""Everything that a search of MLflow finds: it answers in pages of at most a thousand."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from cdkd.tracking import tags

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_PAGE_SIZE = 1000

Found = TypeVar("Found", covariant=True)


class _Page(Protocol[Found]):
    @property
    def token(self) -> str | None: ...

    def __iter__(self) -> Iterator[Found]: ...


def all_pages(search: Callable[..., _Page[Found]]) -> Iterator[Found]:
    """Everything that one of MLflow's searches finds, of which each call returns a page.

    Args:
        search: a search with all of its arguments but `page_token`.
    """
    token = None
    # A page may be empty and others follow, so that only a missing token says that it was the last.
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def search_runs(
    client: "MlflowClient", experiments: list[str], role: str | None, and_also: str = ""
) -> "Iterator[Run]":
    """Every run of these experiments that plays a role (see `tags.ROLE`; None: any), deleted ones left out.

    Args:
        and_also: a further condition in MLflow's language, with its leading `and` behind a role.
    """
    condition = and_also if role is None else f"tags.`{tags.ROLE}` = '{role}'{and_also}"
    return all_pages(partial(client.search_runs, experiments, condition, max_results=_PAGE_SIZE))


def search_cells(client: "MlflowClient", study: str | None, and_also: str = "") -> "Iterator[Run]":
    """Every run of a study's cells, those included that it adopted from other studies; None: of every study's."""
    experiments = all_pages(client.search_experiments)
    studies = {found.experiment_id: found.tags[tags.STUDY] for found in experiments if tags.STUDY in found.tags}
    # 1. The study's own runs.
    own = [number for number, name in studies.items() if study in (None, name)]
    if not own:
        # A study without an experiment of its own has adopted nothing.
        return
    yield from search_runs(client, own, "cell", and_also)
    # 2. Those of other studies that carry its tag. With every study wanted there are no others.
    if others := [number for number in studies if number not in own]:
        yield from search_runs(client, others, "cell", f" and tags.`{tags.ADOPTED}{study}` LIKE '%'{and_also}")
