"""`fsanet COMMAND`, which is also `python -m fsanet_tf COMMAND`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import fsanet_tf
from fsanet_tf.commands.exit_status import exit_status
from fsanet_tf.errors import InputError, require_choice
from fsanet_tf.registry import import_thing, load_extensions

if TYPE_CHECKING:
    from fsanet_tf.commands.command_line import Command

# Where each command is, by its name; it is imported when it is run.
COMMANDS = {
    "predict": "fsanet_tf.commands.predict:COMMAND",
    "label": "fsanet_tf.commands.label:COMMAND",
    "train": "fsanet_tf.commands.train:COMMAND",
    "evaluate": "fsanet_tf.commands.evaluate:COMMAND",
    "export": "fsanet_tf.commands.export:COMMAND",
    "preprocess 300w_lp": "fsanet_tf.commands.preprocess:LANDMARK_PAIRS",
    "preprocess biwi": "fsanet_tf.commands.preprocess:BIWI",
    "preprocess table": "fsanet_tf.commands.preprocess:FACE_TABLE",
    "synthesize": "fsanet_tf.commands.synthesize:COMMAND",
    "download": "fsanet_tf.commands.download:COMMAND",
    "convert": "fsanet_tf.commands.convert:COMMAND",
    "heatmap": "fsanet_tf.commands.heatmap:COMMAND",
}


def load_command(name: str) -> Command:
    """Import a command by name."""
    command: Command = import_thing(COMMANDS[name])
    return command


def format_help(within: str = "") -> str:
    """List the commands, or those that begin with a word."""
    names = [name for name in COMMANDS if name.startswith(within)]
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {load_command(name).summary}" for name in names]
    return "\n".join(
        [
            f"fsanet {fsanet_tf.__version__}: head pose (yaw, pitch, roll) from one image of a face",
            "",
            "usage: fsanet COMMAND [options]      (fsanet COMMAND --help lists the options)",
            "",
            *lines,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fsanet` with its arguments; default: those of the process.

    Returns:
        The exit status, as of `fsanet_tf.commands.exit_status.exit_status`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    return exit_status(lambda: _run(given))


def _run(arguments: list[str]) -> None:
    # Imported here, where a signal ends the command in one line.
    from fsanet_tf.commands.command_line import HELP_OPTIONS
    from fsanet_tf.commands.renamed import REMOVED_COMMANDS

    load_extensions()
    if not arguments or arguments[0] in HELP_OPTIONS:
        print(format_help())
        return
    if arguments[0] == "--version":
        print(fsanet_tf.__version__)
        return
    for num_words in (1, 2):  # of the command's name
        name = " ".join(arguments[:num_words])
        if name in COMMANDS:
            load_command(name).parse_and_run(arguments[num_words:])
            return
    if arguments[0] in REMOVED_COMMANDS:
        raise InputError(f"{arguments[0]}: was removed in version 1.0; {REMOVED_COMMANDS[arguments[0]]}")
    has_subcommands = any(name.startswith(f"{arguments[0]} ") for name in COMMANDS)
    if has_subcommands and (len(arguments) == 1 or arguments[1] in HELP_OPTIONS):
        print(format_help(f"{arguments[0]} "))
        return
    tried = " ".join(arguments[: 2 if has_subcommands else 1])
    require_choice("command", tried, COMMANDS)
