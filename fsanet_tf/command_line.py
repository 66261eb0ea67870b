"""How every command of the project starts, reports a user's mistake, and ends."""

import os
import sys
from collections.abc import Callable

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
            sys.stdout.flush()
        except InputError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted")
        except BrokenPipeError:  # of `| head`: who reads has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    logging.set_verbosity(logging.WARNING)  # TensorFlow tells its own story by this logger
    app.run(checked_main)
