"""Waiting for a server that is away: in good faith, but not past a request to stop."""

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from cdkd.sweep.interruption import Interrupted, catch_signals, shield
from cdkd.sweep.queue.patience import patiently
from cdkd.sweep.queue.queue_storage import StorageError


class Server:
    """Answers from the given question on."""

    def __init__(self, first: int | None) -> None:
        self.first = first
        self.num_asked = 0

    def ask(self) -> str:
        self.num_asked += 1
        if self.first is None or self.num_asked < self.first:
            raise ConnectionError("refused")
        return "answer"


def ask(server: Server) -> str:
    return patiently(server.ask, (ConnectionError,), "db.example", str)


@pytest.fixture
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    catch_signals(signal.SIGUSR1)
    yield
    catch_signals()
    signal.signal(signal.SIGUSR1, before)


def test_a_server_that_comes_back_is_asked_again(signals: None) -> None:
    server = Server(2)
    assert (ask(server), server.num_asked) == ("answer", 2)


def test_what_is_no_outage_is_not_asked_again(signals: None) -> None:
    def refuse() -> str:
        raise ValueError("no such table")

    with pytest.raises(ValueError, match="no such table"):
        patiently(refuse, (ConnectionError,), "db.example", str)


def test_a_request_to_stop_ends_the_waiting_shielded_or_not(signals: None) -> None:
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGUSR1,))
    timer.start()
    begin = time.monotonic()
    with pytest.raises(Interrupted), shield():
        ask(Server(None))
    # Far below the pauses of 1, 2, 4, ... seconds that a server gets otherwise, ten minutes of them.
    assert time.monotonic() - begin < 30
    # The signal was heard. What is asked for now, to leave in good order, does not wait either.
    server = Server(None)
    with pytest.raises(
        StorageError, match=r"^db\.example does not answer \(refused\); when it is back, the same command"
    ):
        ask(server)
    assert server.num_asked <= 2
    timer.join()
