"""`fsanet COMMAND`, which is also `python -m fsanet_tf COMMAND`."""

import sys
from collections.abc import Sequence

import fsanet_tf
from fsanet_tf.commands.command_line import HELP_OPTIONS, Command, exit_status
from fsanet_tf.registry import Registry, import_thing, load_extensions

# `fsanet preprocess NAME`.
DATA_SOURCES = Registry(
    "data source",
    {
        "300w_lp": "fsanet_tf.commands.preprocess_300w_lp:COMMAND",
        "biwi": "fsanet_tf.commands.preprocess_biwi:COMMAND",
        "table": "fsanet_tf.commands.preprocess_table:COMMAND",
    },
)
SIMPLE_COMMANDS = ("predict", "label", "train", "evaluate", "export")
TOOL_COMMANDS = ("synthesize", "shard", "download", "convert", "heatmap")


def list_commands() -> list[str]:
    """Return the names of the commands."""
    return [*SIMPLE_COMMANDS, *(f"preprocess {name}" for name in DATA_SOURCES), *TOOL_COMMANDS]


def load_command(name: str) -> Command:
    """Import a command by name."""
    group, _, source = name.partition(" ")
    command: Command = DATA_SOURCES[source] if source else import_thing(f"fsanet_tf.commands.{group}:COMMAND")
    return command


def format_help() -> str:
    """List the commands."""
    width = max(map(len, list_commands()))
    lines = [f"  {name:{width}}  {load_command(name).summary}" for name in list_commands()]
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
    if exit_status(load_extensions):
        return 1
    if not arguments or arguments[0] in HELP_OPTIONS:
        print(format_help())
        return 0
    if arguments[0] == "--version":
        print(fsanet_tf.__version__)
        return 0
    for num_words in (1, 2):  # of the command's name
        name = " ".join(arguments[:num_words])
        if name in list_commands():
            return load_command(name)(arguments[num_words:])
    has_subcommands = any(name.startswith(f"{arguments[0]} ") for name in list_commands())
    tried = " ".join(arguments[: 2 if has_subcommands else 1])
    print(f"error: {tried}: no such command (expected {', '.join(list_commands())})", file=sys.stderr)
    return 1
