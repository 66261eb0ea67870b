"""Handlers of SIGINT, SIGTERM and SIGHUP, which end a command alike.

Signals are heeded from the start on, so this module imports nothing that takes long.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows lacks the last
DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


@contextlib.contextmanager
def _handled_by(
    handle: Callable[[int, FrameType | None], None], in_place_of: Callable[[Any], bool]
) -> Iterator[None]:
    """Let a function handle the signals in the block; in the main thread only, as Python demands.

    Args:
        handle: The function.
        in_place_of: Whether it replaces a handler.
    """
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
            if in_place_of(signal.getsignal(number)):
                replaced[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptions() -> Iterator[list[int]]:
    """Raise `KeyboardInterrupt` in the main thread for each of the signals.

    Signals that the process was told to ignore stay ignored, as with `nohup`.

    Yields:
        The signals that were received.
    """
    received: list[int] = []
    process = os.getpid()

    def interrupt(number: int, _frame: object) -> None:
        if os.getpid() != process:  # a fork, which ends as if there was no handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        received.append(number)
        raise KeyboardInterrupt

    with _handled_by(interrupt, DEFAULTS.__contains__):
        yield received


@contextlib.contextmanager
def finish_on_signals(stop: Callable[[], None] = lambda: None) -> Iterator[list[int]]:
    """Let the block finish its frame and its files before a signal ends them.

    A second signal interrupts it at once, further ones do nothing. Afterwards the first is delivered to
    whoever handled it before.

    Args:
        stop: Called by a signal; ends waiting for a frame.

    Yields:
        The signals that were received.
    """
    received: list[int] = []

    def receive(number: int, _frame: object) -> None:
        received.append(number)
        stop()
        if len(received) == 2:
            raise KeyboardInterrupt

    interrupted: KeyboardInterrupt | None = None
    with _handled_by(receive, lambda handler: handler not in (signal.SIG_IGN, None)):
        try:
            yield received
        except KeyboardInterrupt as error:
            interrupted = error
    if received:
        signal.raise_signal(received[0])
    if interrupted:
        raise interrupted
