"""Errors that a user can correct; the command line prints them as one line, without a traceback."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator

__all__ = ["InputError", "MissingExtraError"]

# The optional dependencies, by the name they are imported by: the extra that installs each.
EXTRA_OF = {
    "keras": "train",
    "tensorflow": "train",
    "h5py": "train",
    "scipy": "train",
    "matplotlib": "plot",
    "mtcnn": "mtcnn",
    "onnxruntime": "export",
    "tf2onnx": "export",
    "ai_edge_quantizer": "export",
    "tensorflow_serving": "export",
    "coremltools": "coreml",
    "gradio": "web",
    "pyarrow": "label",
    "ray": "batch",
    "starlette": "web",
}


UNPRINTABLE = "[\0-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]"


def printable(text: str) -> str:
    """Escape what a file's name may contain and a line of text may not, byte by byte as `\\x0a`.

    These are control characters, line separators, and bytes that are not UTF-8, which Python has as
    surrogates.
    """
    return re.sub(UNPRINTABLE, lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def one_line(error: object) -> str:
    """Return what another library's error says, in one short line."""
    return " ".join(str(error).split())[:200]


def reason_of(error: BaseException) -> str:
    """Return why something failed, in one line; errors of code, not of files, by their kind."""
    kind = "" if isinstance(error, InputError | OSError) else type(error).__name__
    return ": ".join(filter(None, (kind, " ".join(str(error).split())[:500])))


class InputError(ValueError):
    """Invalid input. The message is one line: the file, what was expected, what was received.

    Args:
        message: The line; what is in it of a file's name and could not be printed in one line is escaped.

    Example:
        >>> try:
        ...     fsanet_tf.load_network("absent.tflite")
        ... except fsanet_tf.InputError as error:
        ...     print(str(error).split(":")[0])
        absent.tflite
    """

    def __init__(self, message: str):
        super().__init__(printable(message))


class OptionError(InputError):
    """An option of a configuration has an invalid value; the command line writes its name as `--name`.

    Args:
        option: Name of the field.
        problem: What was expected and what was received.
    """

    def __init__(self, option: str, problem: str):
        super().__init__(f"{option}: {problem}")
        self.option = option
        self.problem = problem

    def __reduce__(self):
        return type(self), (self.option, self.problem)


def require_choice(option: str, value: object, choices: Collection[str], hint: str = "") -> None:
    """Raise `OptionError`, with the choices and a hint, unless the value of an option is one of them."""
    if value not in list(choices):
        raise OptionError(option, f"expected one of {', '.join(choices)}, received {value}{hint}")


class MissingExtraError(InputError, ImportError):
    """A feature needs an optional dependency; the message names the extra that installs it.

    Example:
        >>> from fsanet_tf.errors import MissingExtraError
        >>> issubclass(MissingExtraError, ImportError)
        True
    """


@contextlib.contextmanager
def optional_dependencies() -> Iterator[None]:
    """Turn the import error of an optional dependency into one line that names its extra.

    Raises:
        MissingExtraError: If an import in the block fails because an optional dependency is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in EXTRA_OF:
            raise
        raise MissingExtraError(
            f"{package} is not installed: pip install 'fsanet_tf[{EXTRA_OF[package]}]'"
        ) from error
