"""Signals end what is under way, but nothing that is shielded."""

import os
import signal
from collections.abc import Iterator

import pytest

from cdkd.sweep.interruption import Interrupted, catch_signals, shield


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    catch_signals(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def strike() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


def test_a_signal_interrupts_at_once_and_only_once() -> None:
    with pytest.raises(Interrupted):
        strike()
    strike()


def test_a_shielded_block_is_finished_first() -> None:
    steps = []
    with pytest.raises(Interrupted):
        with shield():
            with shield():
                strike()
                steps.append("inner")
            steps.append("outer")
        steps.append("after")
    assert steps == ["inner", "outer"]
    with shield():
        strike()


def test_an_error_in_a_shielded_block_goes_first() -> None:
    with pytest.raises(ZeroDivisionError), shield():
        strike()
        _ = 1 / 0
    with pytest.raises(Interrupted), shield():
        pass


def test_no_handler_for_failures_catches_it() -> None:
    assert not issubclass(Interrupted, Exception)


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    catch_signals(signal.SIGUSR1)
    strike()
