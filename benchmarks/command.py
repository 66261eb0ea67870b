"""How the benchmarks start: their options are absl's global ones, since each is a process of its own."""

import sys
from collections.abc import Callable

from absl import flags

from fsanet_tf.commands.command_line import HELP_OPTIONS, exit_status, parse_options


def run(main: Callable[[], None]) -> None:
    """Parse the options, run `main` and exit."""

    def parse_and_run() -> None:
        parse_options(flags.FLAGS, sys.argv[1:])
        main()

    if any(argument in HELP_OPTIONS for argument in sys.argv[1:]):
        print(flags.FLAGS.main_module_help())
        return
    sys.exit(exit_status(parse_and_run))
