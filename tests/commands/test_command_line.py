"""How every command ends: interrupted, with a closed pipe, on any terminal; and what it says of old names."""

import signal
import subprocess
import sys
import textwrap
import warnings

import pytest

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.exit_status import exit_status
from fsanet_tf.commands.main import COMMANDS, load_command, main
from fsanet_tf.commands.renamed import RENAMED_OPTIONS
from fsanet_tf.options import configuration, option
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet


@configuration
class Options:
    """Options of a command."""

    source: str = option("", "What to read.")
    network: str = option("fusion", "Network.")
    style: str = option("axes", "How poses are drawn.", choices=("axes", "cube"))
    draw: bool = option(True, "Whether to draw.")
    show_uncertainty: bool = option(False, "Whether to show errors.")
    mirror: bool = option(False, "Whether to mirror.")
    scale: float = option(1.0, "Scale.")
    count: int = option(1, "Count.")


def run_options(*arguments: str) -> int:
    return Command("try", "Try.", Options, lambda config: print(config.source), positional="source")(
        arguments
    )


@pytest.mark.parametrize(
    ("arguments", "source"),
    [(["a.jpg"], "a.jpg"), (["--", "-dash.jpg"], "-dash.jpg"), (["--", "-h"], "-h"), (["--source=-d"], "-d")],
)
def test_an_argument_may_look_like_an_option_after_two_dashes(arguments, source, capsys):
    assert run_options(*arguments) == 0
    assert capsys.readouterr().out == f"{source}\n"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--weights=a.keras", "error: --weights: is called --network since version 1.0\n"),
        ("--model=a.keras", "error: --model: is called --network since version 1.0\n"),
        ("--draw=cube", "error: --draw: is called --style since version 1.0\n"),
        ("--uncertainty", "error: --uncertainty: is called --show_uncertainty since version 1.0\n"),
        ("--latency_rounds=0", "error: --latency_rounds: was removed in version 1.0; python -m benchmarks"),
        ("--init_weights=a", "error: Unknown command line flag 'init_weights'"),
        ("--style=box", "error: --style: expected one of axes, cube, received box\n"),
        ("--layout=biwi", "error: --layout: was removed in version 1.0; heads are rendered in the layout of"),
    ],
)
def test_an_option_of_an_earlier_version_is_answered_with_its_new_name(argument, message, capsys):
    assert run_options(argument) == 1
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mirror=maybe"], "flag --mirror=maybe: expected true or false"),
        (["--mirror="], "flag --mirror=: expected true or false"),
        (["--nomirror=true"], "--nomirror=true does not take an argument"),
        (["--scale=big"], "flag --scale=big: expected a number"),
        (["--count=1.5"], "flag --count=1.5: expected a whole number"),
        (["a.jpg", "b.jpg"], "expected one source, received 2, a.jpg to b.jpg"),
    ],
)
def test_a_value_of_the_wrong_type_is_one_plain_line(arguments, message, capsys):
    assert run_options(*arguments) == 1
    assert capsys.readouterr().err == f"error: {message}\n"


def test_every_new_name_is_an_option_of_a_command():
    options = {name for command in COMMANDS for name in load_command(command).make_flags()}
    assert set(RENAMED_OPTIONS.values()) <= options


def test_a_removed_command_is_answered_with_what_replaces_it():
    assert_one_clear_line(run_fsanet("web"), "web: was removed in version 1.0; python demo/web.py")


@pytest.mark.parametrize("arguments", [["preprocess"], ["preprocess", "--help"]])
def test_the_kinds_of_a_command_are_listed(arguments, capsys):
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(f"preprocess {kind} " in printed for kind in ("300w_lp", "biwi", "table"))
    assert "train" not in printed


def test_a_remark_is_one_line(capsys):
    assert exit_status(lambda: warnings.warn("a.keras: does not say\nhow to crop", stacklevel=1)) == 0
    assert capsys.readouterr().err.endswith("note: a.keras: does not say how to crop\n")


def start(code: str, **options) -> subprocess.Popen:
    """Run code as the body of a command, in a process of its own."""
    program = (
        "import os, sys, time\nfrom fsanet_tf.commands.exit_status import exit_status\n"
        "def run():\n" + textwrap.indent(code, "    ") + "\n"
        "sys.exit(exit_status(run))"
    )
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, **options)


WORK = """try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("file finished")
    {then}"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("then", ["raise", "pass"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_way_to_end_a_command_lets_it_finish_its_files(name, then):
    number = getattr(signal, name)
    process = start(WORK.format(then=then), preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (128 + number, b"file finished\n")
    assert stderr == (b"interrupted\n" if then == "raise" else b"")


def test_signals_are_heeded_before_what_takes_long_is_imported():
    code = "import sys, fsanet_tf.commands.main; print({'numpy', 'absl', 'tqdm', 'cv2'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "set()\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_ignored_signal_stays_ignored():
    code = "os.kill(os.getpid(), 1)\nprint('done')"  # as with nohup
    process = start(code, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert process.communicate(timeout=60) == (b"done\n", b"")
    assert process.returncode == 0


@pytest.mark.parametrize("code", ["print('x' * 10**6)", "print('x')", "print('x' * 10**6, file=sys.stderr)"])
def test_a_broken_pipe_is_a_silent_failure(code):
    process = start("sys.stdin.read()\n" + code, stdin=subprocess.PIPE)
    process.stdout.close()
    if "stderr" in code:
        process.stderr.close()
    process.stdin.close()
    assert process.wait(timeout=60) == 1
    if "stderr" not in code:
        assert process.stderr.read() == b""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_no_terminal_is_too_small_for_a_name(encoding):
    name = "Ж\udce9 20°.jpg"  # the second letter is a byte that is not UTF-8
    process = start(f"print({name!r})\nprint({name!r}, file=sys.stderr)", env={"PYTHONIOENCODING": encoding})
    shown = name.replace("\udce9", r"\xe9")
    expected = f"{shown.encode(encoding, 'backslashreplace').decode(encoding)}\n".encode(encoding)
    assert process.communicate(timeout=60) == (expected, expected)
    assert process.returncode == 0
