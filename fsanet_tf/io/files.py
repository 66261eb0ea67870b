"""Atomic writes and checks of input files."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fsanet_tf.errors import InputError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replace_when_done(path: str | Path) -> Iterator[Path]:
    """Write a file or folder atomically: to a temporary path that is renamed when the block succeeds.

    The temporary name keeps the suffix. It is removed if the block raises, and an existing file stays
    as it was. Missing parent folders are created. A folder may be written as well; it replaces an older
    one.

    Args:
        path: The final path.

    Yields:
        The temporary path, next to the final one.

    Raises:
        InputError: If the folder cannot be created or the file not be written, a full disk included.
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
        ours = error.filename is not None and str(error.filename).startswith(str(scratch))
        if not ours and error.errno not in DISK_FULL:  # a failing write names no file
            raise
        raise InputError(f"{path}: cannot write it: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_json(path: str | Path, content: dict) -> None:
    """Write a dictionary as indented JSON, atomically."""
    with replace_when_done(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def require_file(path: str | Path, expected: str) -> Path:
    """Check that a file exists and return it as a `Path`.

    Args:
        path: The file.
        expected: What it should contain, for the message.

    Raises:
        InputError: If there is no such file, it is a folder, or it is empty.
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
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
