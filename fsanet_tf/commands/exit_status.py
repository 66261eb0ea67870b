"""The end of every command: errors and remarks in one line each, and the exit status.

It imports nothing that takes long, so that signals are heeded soon.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import TextIO

from fsanet_tf.commands.signals import interruptions
from fsanet_tf.errors import InputError, optional_dependencies, printable
from fsanet_tf.io.native_output import silence_native_output

ESCAPED = "fsanet_tf.escaped"


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Escape what a stream cannot encode; a name that is not UTF-8 as in tables."""
    assert isinstance(error, UnicodeEncodeError)
    text = printable(error.object[error.start : error.end])
    return text.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error(ESCAPED, _escape)


def exit_status(run: Callable[[], None]) -> int:
    """Run a command; report errors and remarks in one line each.

    Ctrl-C, SIGTERM and SIGHUP end it alike: what runs is interrupted by a `KeyboardInterrupt`, so that it can
    finish its files.

    Returns:
        0 if all was done; 1 after an error; 128 plus the signal's number if the command was asked to end, as
        shells count it: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, so that a file would get its number
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):  # a terminal's encoding may lack "°" or a file's name
            stream.reconfigure(errors=ESCAPED)
    with interruptions() as received:
        status = _status(run)
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except OSError:  # a broken pipe, which the interpreter would report again when it ends
            status = status or 1
            _discard(getattr(sys, name))
    return 128 + received[0] if received else status


def _status(run: Callable[[], None]) -> int:
    try:
        with silence_native_output(), optional_dependencies(), warnings.catch_warnings():
            warnings.showwarning = _print_note
            _silence_absl()
            run()
            sys.stdout.flush()
    except InputError as error:
        return _fail(f"error: {error}")
    except KeyboardInterrupt:
        return _fail("interrupted")
    except BrokenPipeError:  # `| head` has read enough
        return 1
    except OSError as error:  # standard output on a full disk, or closed
        return _fail(f"error: {error.filename or 'output'}: {error.strerror or error}")
    return 0


def _silence_absl() -> None:
    from absl import logging

    logging.set_verbosity(logging.WARNING)  # TensorFlow reports progress through this logger


def _print_note(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line, above the progress bars."""
    from tqdm import tqdm

    tqdm.write(f"note: {' '.join(str(message).split())}", file=sys.stderr)


def _fail(message: str) -> int:
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)
    return 1


def _discard(stream: TextIO) -> None:
    """Let nothing that a stream still has to write fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
