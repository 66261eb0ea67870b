"""`fsanet COMMAND`, which is also `python -m fsanet_tf COMMAND`."""

import importlib
import sys
from collections.abc import Sequence

import fsanet_tf
from fsanet_tf.commands.command_line import HELP_OPTIONS, Command

# The module of each command, imported when it is chosen.
COMMANDS = {
    "predict": "predict",
    "label": "label",
    "train": "train",
    "evaluate": "evaluate",
    "export": "export",
    "preprocess 300w_lp": "preprocess_300w_lp",
    "preprocess biwi": "preprocess_biwi",
    "preprocess table": "preprocess_table",
    "synthesize": "synthesize",
    "shard": "shard",
    "download": "download",
    "convert": "convert",
    "heatmap": "heatmap",
    "web": "web",
}


def load_command(name: str) -> Command:
    """Import a command by name."""
    command: Command = importlib.import_module(f"fsanet_tf.commands.{COMMANDS[name]}").COMMAND
    return command


def format_help() -> str:
    """List the commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {load_command(name).summary}" for name in COMMANDS]
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
        The exit status.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in HELP_OPTIONS:
        print(format_help())
        return 0
    if arguments[0] == "--version":
        print(fsanet_tf.__version__)
        return 0
    for num_words in (1, 2):  # of the command's name
        name = " ".join(arguments[:num_words])
        if name in COMMANDS:
            return load_command(name)(arguments[num_words:])
    has_subcommands = any(name.startswith(f"{arguments[0]} ") for name in COMMANDS)
    tried = " ".join(arguments[: 2 if has_subcommands else 1])
    print(f"error: {tried}: no such command (expected {', '.join(COMMANDS)})", file=sys.stderr)
    return 1
