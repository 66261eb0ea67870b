"""How every command of the project starts, reports a user's mistake, and ends."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from absl import app, logging

from fsanet_tf.errors import InputError


def run(main: Callable[[], None]) -> None:
    """Parse the flags and run `main`; an `InputError` becomes one line and exit status 1.

    Args:
        main: the command. It imports TensorFlow itself, by `import_tensorflow_quietly`, after it has
            looked at its input, so that `--help` and most mistakes are answered at once.
    """

    def checked_main(arguments: list[str]) -> None:
        try:
            if len(arguments) > 1:
                raise InputError(f"unexpected argument {arguments[1]!r}: options are written --name=value")
            main()
        except InputError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted")

    logging.set_verbosity(logging.WARNING)  # TensorFlow tells its own story by this logger
    app.run(checked_main)


def import_tensorflow_quietly() -> None:
    """Import TensorFlow and Keras without the lines that their C++ side writes to standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_output():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")  # where there is none, CUDA says so


@contextlib.contextmanager
def silent_output() -> Iterator[None]:
    """Send what Python and C++ print to nowhere; converters and TensorFlow talk past every log level."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with (
            open(os.devnull, "w") as void,
            contextlib.redirect_stdout(void),
            contextlib.redirect_stderr(void),
        ):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
