"""How every command parses its options, reports a user's mistake, and ends."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence

from absl import flags, logging

from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.native_output import silence_native_output

HELP_OPTIONS = ("-h", "--h", "-help", "--help")


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of `fsanet`.

    Attributes:
        name: Its name, such as `evaluate`.
        summary: What it does, in one line.
        define_options: Defines its options in flag values of its own, so that several commands can run
            in one process.
        run: Runs it with the parsed values.
        required: Options without which it cannot run.
        positional: Option that an argument without a name sets.
    """

    name: str
    summary: str
    define_options: Callable[[flags.FlagValues], None]
    run: Callable[[flags.FlagValues], None]
    required: tuple[str, ...] = ()
    positional: str | None = None

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command.

        Args:
            arguments: Options and arguments; default: those of the process.

        Returns:
            The exit status: 0, or 1 after one line on standard error.
        """
        arguments = list(sys.argv[1:] if arguments is None else arguments)
        values = flags.FlagValues()
        self.define_options(values)
        return exit_status(lambda: self._parse_and_run(values, arguments))

    def _parse_and_run(self, values: flags.FlagValues, arguments: list[str]) -> None:
        if any(argument in HELP_OPTIONS for argument in arguments):
            print(self.format_help(values))
            return
        parse_options(values, arguments, self.positional)
        for name in self.required:
            if values[name].value in (None, []):
                raise InputError(f"--{name}: is required ({values[name].help})")
        self.run(values)

    def format_help(self, values: flags.FlagValues) -> str:
        """List every option, required ones first."""
        usage = f"usage: fsanet {self.name}" + "".join(f" --{name}=…" for name in self.required)
        if self.positional:
            usage += f" [{self.positional.upper()}]"
        canonical = [name for name in values if values[name].name == name]  # no aliases
        optional = sorted(name for name in canonical if name not in self.required)
        lines = [usage + " [options]", "", *textwrap.wrap(self.summary, 100)]
        for title, names in (("required", self.required), ("options", optional)):
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
    except flags.Error as error:
        raise InputError(" ".join(str(error).removeprefix("ERROR:: ").split())) from error
    except UnicodeDecodeError as error:  # only files of options are read here
        files = ", ".join(re.findall(r"-flagfile[=\0]([^\0]+)", "\0".join(arguments)))
        raise InputError(f"{files}: expected a text file of options, received binary data") from error
    if positional and len(rest) == 1 and not values[positional].present:
        values[positional].parse(rest.pop())
    if rest:
        raise InputError(f"unexpected argument {rest[0]!r}: options are written --name=value")


def _describe(flag: flags.Flag) -> str:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}=…"
    choices = getattr(flag.parser, "enum_values", None)
    details = [flag.help]
    if choices:
        details.append(f"One of {', '.join(choices)}.")
    if flag.default not in (None, []):
        default = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
        details.append(f"Default: {default}.")
    text = textwrap.fill(" ".join(details), 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return f"  {name}\n{text}"


def exit_status(run: Callable[[], None]) -> int:
    """Run a command; report its errors in one line each."""
    for name in ("stdout", "stderr"):  # closed ones, whose numbers files would else get
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    logging.set_verbosity(logging.WARNING)  # TensorFlow reports progress through this logger
    try:
        with silence_native_output(), optional_dependencies():
            run()
            sys.stdout.flush()
    except InputError as error:
        return _fail(f"error: {error}")
    except KeyboardInterrupt:
        return _fail("interrupted")
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # standard output on a full disk, or closed
        return _fail(f"error: {error.filename or 'output'}: {error.strerror or error}")
    return 0


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1
