"""Commands: parsing of their options, help, and checks."""

from __future__ import annotations

import dataclasses
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from fsanet_tf.commands.exit_status import exit_status
from fsanet_tf.commands.fields import config_from_flags, define_flags, required_options
from fsanet_tf.commands.renamed import new_option
from fsanet_tf.errors import InputError, OptionError

HELP_OPTIONS = ("-h", "--h", "-help", "--help")
# What absl says of a value of the wrong type, and how we say it.
PLAIN = {
    r"\('Non-boolean argument to boolean flag'.*\)$": "expected true or false",
    r"could not convert string to float.*$": "expected a number",
    r"invalid literal for int\(\).*$": "expected a whole number",
}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of `fsanet`.

    Attributes:
        name: Its name, such as `evaluate`.
        summary: What it does, in one line.
        config: Class of the configuration, made by `@configuration`, whose options are the command's.
        run: Runs it with the configuration; with the parsed flags if there is `define_more`.
        positional: Option that arguments without a name set.
        required: Options without which it cannot run, besides those that the configuration requires.
        define_more: Defines flags besides the options.
        required_unless: One of these flags, which makes up for the required options.
    """

    name: str
    summary: str
    config: type
    run: Callable[[Any], None]
    positional: str | None = None
    required: tuple[str, ...] = ()
    define_more: Callable[[flags.FlagValues], None] | None = None
    required_unless: str | None = None

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command.

        Args:
            arguments: Options and arguments; default: those of the process.

        Returns:
            The exit status, as `exit_status`.
        """
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        return exit_status(lambda: self.parse_and_run(arguments))

    def make_flags(self) -> flags.FlagValues:
        """Return the options as flags that have their defaults."""
        values = flags.FlagValues()
        define_flags(self.config, values)
        if self.define_more:
            self.define_more(values)
        return values

    def required_options(self) -> tuple[str, ...]:
        """Return the names of the options without which the command cannot run."""
        return (*required_options(self.config), *self.required)

    def parse_and_run(self, arguments: list[str]) -> None:
        """Run the command with its arguments, or print its help.

        Raises:
            InputError: If an option is invalid or the command fails; the message names options as they are
                written on the command line.
        """
        values = self.make_flags()
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        if any(argument in HELP_OPTIONS for argument in options):
            print(self.format_help(values))
            return
        parse_options(values, arguments, self.positional)
        try:
            made_up = self.required_unless and values[self.required_unless].value
            for name in () if made_up else self.required_options():
                if values[name].value in (None, [], ""):
                    raise OptionError(name, f"is required ({values[name].help})")
            self.run(values if self.define_more else config_from_flags(self.config, values))
        except OptionError as error:
            if error.option not in values:
                raise
            raise InputError(f"--{error}") from error

    def format_help(self, values: flags.FlagValues) -> str:
        """List every option, required ones first."""
        required = self.required_options()
        usage = f"usage: fsanet {self.name}"
        usage += "".join(f" --{name}=…" for name in required if name != self.positional)
        if self.positional:
            usage += (
                f" {self.positional.upper()}"
                if self.positional in required
                else f" [{self.positional.upper()}]"
            )
        optional = [name for name in values if values[name].name == name and name not in required]
        lines = [usage + " [options]", "", *textwrap.wrap(self.summary, 100)]
        for title, names in (("required", required), ("options", optional)):
            if names:
                lines += ["", f"{title}:", *(_describe(values[name]) for name in names)]
        return "\n".join(lines)


def parse_options(values: flags.FlagValues, arguments: Sequence[str], positional: str | None = None) -> None:
    """Parse the arguments of a command.

    Args:
        values: The options, which receive their values.
        arguments: What follows the name of the command.
        positional: Option that an argument without a name sets; None: none may be given.

    Raises:
        InputError: If an option is unknown or its value invalid, an argument unexpected, or a file of options
            unreadable.
    """
    try:
        _, *rest = values(["", *arguments])
    except UnicodeDecodeError as error:  # only files of options are read here
        files = ", ".join(re.findall(r"-flagfile[=\0]([^\0]+)", "\0".join(arguments)))
        raise InputError(f"{files}: expected a text file of options, received binary data") from error
    except (flags.Error, ValueError) as error:  # the latter for a value after --no…
        message = " ".join(str(error).removeprefix("ERROR:: ").split())
        for theirs, ours in PLAIN.items():
            message = re.sub(theirs, ours, message)
        old = re.search(r"flag -{0,2}'?(\w+)", message)
        raise InputError((old and new_option(old[1], list(values))) or message) from error
    if positional and rest and not values[positional].present:
        flag = values[positional]
        if flag.flag_type() == "comma separated list of strings":
            flag.value, rest = rest, []
        elif len(rest) == 1:
            flag.parse(rest.pop())
        else:
            raise InputError(f"expected one {positional}, received {len(rest)}, {rest[0]} to {rest[-1]}")
    if rest:
        raise InputError(f"unexpected argument {rest[0]!r}: options are written --name=value")


def describe_option(flag: flags.Flag) -> tuple[str, str]:
    """Return the meaning of an option, with its choices, and its default as text; empty if there is none."""
    default = ",".join(flag.default) if isinstance(flag.default, list) else str(flag.default)
    return flag.help, "" if flag.default is None else default


def _describe(flag: flags.Flag) -> str:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}=…"
    meaning, default = describe_option(flag)
    text = f"{meaning} Default: {default}." if default else meaning
    return f"  {name}\n{textwrap.fill(text, 100, initial_indent=' ' * 6, subsequent_indent=' ' * 6)}"
