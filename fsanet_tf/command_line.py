"""How every command of the project starts, reports a user's mistake, and ends."""

import os
import sys
from collections.abc import Callable

from absl import app

from fsanet_tf.errors import InputError


def run(main: Callable[[], None]) -> None:
    """Parse the flags and run `main`; an `InputError` becomes one line and exit status 1.

    TensorFlow's start-up chatter is silenced, unless `TF_CPP_MIN_LOG_LEVEL` is already set.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def checked_main(arguments: list[str]) -> None:
        try:
            if len(arguments) > 1:
                raise InputError(f"unexpected argument {arguments[1]!r}: options are written --name=value")
            main()
        except InputError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted")

    app.run(checked_main)
