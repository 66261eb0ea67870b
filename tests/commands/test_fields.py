"""Flags from configurations: types, defaults, required options, and errors in the command line's words."""

import pytest
from absl import flags

from fsanet_tf.commands.command_line import Command, parse_options
from fsanet_tf.commands.fields import config_from_flags, define_flags, required_options
from fsanet_tf.options import configuration, option


@configuration
class Inner:
    """Options within another configuration."""

    strength: float = option(0.5, "How strong.", low=0, high=1)


@configuration
class Outer:
    """Options of a command."""

    network: tuple[str, ...] = option(meaning="Networks.")
    output_dir: str | None = option(None, "Folder to write.")
    style: str = option("axes", "How poses are drawn.", choices=("axes", "cube"))
    layers: tuple[str, ...] = option((), "What to write.", choices=("a", "b"))
    size: int = option(64, "Side in pixels.", low=16)
    every: int = option(1, "Detect in every n-th frame.", low=1)
    mirror: bool = option(False, "Whether to mirror.")
    inner: Inner = option(factory=Inner, meaning="More.")


def parse(*arguments):
    values = flags.FlagValues()
    define_flags(Outer, values)
    parse_options(values, arguments, positional="network")
    return config_from_flags(Outer, values)


def test_values_reach_the_configuration_in_their_types():
    config = parse(
        "--network=a,b", "--strength=0.25", "--layers=b,a", "--size=32", "--mirror", "--style=cube"
    )
    assert config == Outer(("a", "b"), None, "cube", ("b", "a"), 32, 1, True, Inner(0.25))


def test_defaults_are_the_fields():
    assert parse("a") == Outer(("a",))


def test_several_arguments_without_a_name_set_a_list():
    assert parse("a", "b").network == ("a", "b")


def test_required_options_have_no_default():
    assert required_options(Outer) == ("network",)


def command(arguments, capsys, run=print):
    status = Command("try", "Try options.", Outer, run)(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: --network: is required (Networks.)\n"),
        (["--network=a", "--layers=c"], "error: --layers: expected one of a, b, received c\n"),
        (
            ["--network=a", "--size=8"],
            "error: --size: expected a whole number of at least 16, received 8\n",
        ),
        (["--network=a", "--size=x"], "error: flag --size=x: expected a whole number\n"),
        (
            ["--network=a", "--strength=nan"],
            "error: --strength: expected a number from 0 to 1, received nan\n",
        ),
    ],
)
def test_an_invalid_option_is_named_as_it_is_written(arguments, message, capsys):
    assert command(arguments, capsys) == (1, "", message)


def test_help_shows_required_options_first_and_no_empty_default(capsys):
    status, text, _ = command(["--help"], capsys)
    assert status == 0
    assert text.startswith("usage: fsanet try --network=… [options]\n")
    assert text.index("required:\n  --network=…") < text.index("options:\n  --output_dir=…")
    assert "How poses are drawn. One of axes, cube. Default: axes." in text
    assert "Default: ." not in text
    assert "--strength" in text


def test_the_page_of_options_is_that_of_the_configurations():
    from docs.make_options import PAGE, make_page

    assert PAGE.read_text(encoding="utf-8") == make_page(), "python docs/make_options.py makes it"
