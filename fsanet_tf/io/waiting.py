"""Waiting that can be ended, for cameras and servers that do not answer."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def call_in_thread(function: Callable[[], Result], timeout_s: float | None = None) -> Result:
    """Call a function in a thread that may be left, so that a signal or a timeout ends waiting for it.

    Raises:
        TimeoutError: If it takes longer.
    """
    future: Future[Result] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future.result(timeout_s)
