"""A function over many items in worker processes that never outlive the one that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from cdkd.errors import CdkdError

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerError(CdkdError):
    """A worker process was killed or crashed."""


def end_with_parent() -> None:
    """Lets a worker die with its parent: after `kill -9` of the parent it would wait for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def map_in_processes(function: Callable[[Item], Result], items: Sequence[Item], num_workers: int) -> Iterator[Result]:
    """`function` of every item, in order; in this process where one worker, or one item, is all there is.

    Args:
        function: of a module, so that a fresh process can import it.

    Raises:
        WorkerError: a worker was killed, for example for want of memory.
        Exception: whatever `function` raised first; items not yet begun are dropped.
    """
    num_workers = min(num_workers, len(items))
    # A daemonic process may not have children.
    if num_workers <= 1 or multiprocessing.current_process().daemon:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(num_workers, mp_context=context, initializer=end_with_parent)
    try:
        yield from pool.map(function, items)
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process was killed, perhaps for want of memory; use fewer workers, then run it again: "
            "what is finished is kept"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
