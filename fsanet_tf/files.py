"""Files: outputs that appear whole or not at all, inputs that must be there."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fsanet_tf.errors import InputError


@contextlib.contextmanager
def replace_when_done(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well.

    The temporary name keeps the suffix, and is removed when the block raises. An existing file stays
    as it was until the rename. Missing parent folders are made. A folder may be written as well; it
    then replaces an older one.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}") from error
    try:
        temporary = scratch / path.name
        yield temporary
        if path.is_dir() and temporary.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None or not str(error.filename).startswith(str(scratch)):
            raise
        raise InputError(f"{path}: cannot write it: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_json(path: str | Path, content: dict) -> None:
    """Write a dictionary as indented JSON."""
    with replace_when_done(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def require_file(path: str | Path, expected: str) -> Path:
    """`path` as a `Path`.

    Args:
        path: a file that must exist.
        expected: what it should hold, for the message.

    Raises:
        InputError: there is no such file, it is a folder, or it is empty.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file (expected {expected})")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected {expected}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty, expected {expected}")
    return path


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's content, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
