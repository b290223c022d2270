"""A function over many items in worker processes, which never outlive the process that started them.

Workers are fresh interpreters: forking would copy the locks of torch's and numba's threads in whatever state they are.
What multiprocessing does to a fresh interpreter, importing the main module of its parent again, is left out: a script
without `if __name__ == "__main__"` would start its work again in every worker, and each would wait for the first.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Generic, TypeVar

from cdkd.errors import CdkdError

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_AHEAD = 4
"""Items handed out per worker, so that none waits for the next one."""


class WorkerError(CdkdError):
    """A worker process was killed or crashed."""


@dataclass(frozen=True)
class Killed(Generic[Item]):
    """An item whose work killed the process that did it."""

    item: Item


def map_in_processes(function: Callable[[Item], Result], items: Sequence[Item], num_workers: int) -> Iterator[Result]:
    """`function` of every item, in order; in this process where one worker, or one item, is all there is.

    Args:
        function: of a module, so that a fresh process can import it; not of the main module.

    Raises:
        WorkerError: a worker was killed, for example for want of memory.
        Exception: whatever `function` raised first; items not yet begun are dropped.
    """
    num_workers = min(num_workers, len(items))
    if num_workers <= 1 or _may_not_have_children():
        yield from map(function, items)
        return
    try:
        with _pool(num_workers) as pool:
            # Everything is handed out at once; `map_deadly` takes items as workers come to need them.
            yield from pool.map(function, items)
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process was killed, perhaps for want of memory; use fewer workers, then run it again: "
            "what is finished is kept"
        ) from error


def map_deadly(
    function: Callable[[Item], Result], items: Iterable[Item], num_workers: int
) -> Iterator[Result | Killed[Item]]:
    """`function` of every item, as results are ready; an item that kills its process is told, and the others go on.

    One worker is a process of its own, too. Items are taken as workers come to need them.

    Raises:
        Exception: whatever `function` raised first; items not yet begun are dropped.
    """
    # An item that kills its process then kills this one, which may not start another to be killed in its place.
    if _may_not_have_children():
        yield from map(function, items)
        return
    # One iterator for all rounds: a pool that dies takes up where the one before it stopped.
    remaining = iter(items)
    while True:
        suspects: list[Item] = []
        yield from _run_until_killed(function, remaining, num_workers, suspects)
        if not suspects:
            return
        # The pool died and does not say by whose hand: try what was under way one by one.
        for item in suspects:
            alone: list[Item] = []
            yield from _run_until_killed(function, iter([item]), 1, alone)
            if alone:
                yield Killed(item)


def _run_until_killed(
    function: Callable[[Item], Result], items: Iterator[Item], num_workers: int, suspects: list[Item]
) -> Iterator[Result]:
    """Runs items until there are none or the pool dies; then `suspects` holds those that were under way."""
    running: dict[Future[Result], Item] = {}
    try:
        with _pool(num_workers) as pool:
            while True:
                # 1. Enough items are under way.
                while len(running) < num_workers * _ITEMS_AHEAD:
                    try:
                        item = next(items)
                    except StopIteration:
                        break
                    try:
                        # The item that finds the pool dead was taken from the iterator already, and must not be lost.
                        running[pool.submit(function, item)] = item
                    except BrokenProcessPool:
                        suspects.append(item)
                        raise
                # 2. None is under way, and none was left to take.
                if not running:
                    return
                # 3. Whatever is ready. A dead pool makes every future ready, with BrokenProcessPool as its result.
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    del running[future]
                    yield result
    except BrokenProcessPool:
        # Items whose result was yielded are out of `running`; some that had ended but were not looked at run once more.
        suspects.extend(running.values())


def _may_not_have_children() -> bool:
    """A daemonic process, such as a loader's worker, may not start any."""
    return multiprocessing.current_process().daemon


@contextmanager
def _pool(num_workers: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(num_workers, mp_context=_Context(), initializer=_end_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Worker(SpawnProcess):
    """A process that does not import its parent's main module."""

    _main_is_hidden = threading.Lock()

    def start(self) -> None:
        # One at a time: two threads that start processes would each put back what the other had hidden.
        with self._main_is_hidden:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")  # of no file, so there is nothing to import
            try:
                super().start()
            finally:
                sys.modules["__main__"] = main


class _Context(SpawnContext):
    Process = _Worker


def _end_with_parent() -> None:
    """Lets a worker die with its parent: after `kill -9` of the parent it would wait for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        # Not `sys.exit`, which would end this thread alone, and wait for the work that nobody is left to use.
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
