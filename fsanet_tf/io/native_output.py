"""Suppress native TensorFlow and OpenCV log output while a command runs."""

import contextlib
import os
import sys
from collections.abc import Iterator

VERBOSE_VARIABLE = "FSANET_VERBOSE"


@contextlib.contextmanager
def silence_native_output() -> Iterator[None]:
    """Send what C++ libraries write to standard error nowhere; Python's own standard error still works.

    Commands use this, library functions do not: it redirects file descriptor 2 of the whole process.
    Setting the environment variable `FSANET_VERBOSE` keeps the output.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if os.environ.get(VERBOSE_VARIABLE) or not _is_open(2):
        yield
        return
    sys.stderr.flush()
    original, stderr = os.dup(2), sys.stderr
    owns_stderr = _descriptor(stderr) == 2  # not where a test or a notebook has replaced it
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    if owns_stderr:
        sys.stderr = open(  # noqa: SIM115
            original, "w", buffering=1, closefd=False, encoding=stderr.encoding, errors=stderr.errors
        )
    try:
        yield
    finally:
        if owns_stderr:
            sys.stderr.flush()
            sys.stderr = stderr
        os.dup2(original, 2)
        if not owns_stderr:  # else a progress bar may still write to it when it is collected
            os.close(original)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return sys.stderr is not None


def _descriptor(stream) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
