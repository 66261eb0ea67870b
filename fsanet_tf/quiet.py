"""Libraries that talk past every log level, kept quiet."""

import contextlib
import os
from collections.abc import Iterator


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
