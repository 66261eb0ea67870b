"""Atomic writes, checks of input files, and names and texts in any encoding."""

import codecs
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from fsanet_tf.errors import InputError, printable

CONTROLS = "[\0-\x08\x0e-\x1a\x1c-\x1f]"  # that no text contains
SCRATCH = ".fsanet."  # begins the names of folders and files that are being written
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replace_when_done(path: str | Path) -> Iterator[Path]:
    """Write a file or folder atomically: to a temporary path that is renamed when the block succeeds.

    The temporary path has the same name, in a folder of its own next to the final one. It is removed if the
    block raises, and an existing file stays as it was. A symbolic link stays one: the file that it names is
    replaced. Missing parent folders are created. A folder may be written as well; it replaces an older one.

    Args:
        path: The final path.

    Yields:
        The temporary path.

    Raises:
        InputError: If the folder cannot be created or the file not be written, a full disk included.
    """
    path = writable_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=path.parent))
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


def writable_path(path: str | Path) -> Path:
    """Return the file that a path stands for: the target of a symbolic link.

    Raises:
        InputError: If the path is a device or a pipe, or starts with `~`, which only shells expand.
    """
    path = Path(path)
    if path.parts and path.parts[0].startswith("~") and (path.parts[0] == "~" or len(path.parts) > 1):
        raise InputError(
            f"{path}: expected a path, received a ~ that no shell has expanded: write the folder"
        )
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}") from error
    if is_special(path):
        raise InputError(f"{path}: expected a file to write, received a device or a pipe")
    return target


def is_special(path: str | Path) -> bool:
    """Return whether a path is a device, pipe or socket: neither a file nor a folder."""
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


def writable_folder(path: str | Path) -> Path:
    """Return the folder that a path stands for, which need not be there yet.

    Raises:
        InputError: If it cannot be a folder to write.
    """
    folder = writable_path(path)
    try:
        present = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    except OSError as error:
        raise InputError(f"{path}: cannot write there: {error.strerror}") from error
    if not present.is_dir():
        received = "a file" if present == folder else f"a file in its place, {present}"
        raise InputError(f"{path}: expected a folder, received {received}")
    if not os.access(present, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot write there: {os.strerror(errno.EACCES)}")
    return folder


def require_other_files(sources: Iterable[str | Path], outputs: Iterable[Path]) -> None:
    """Check outputs before anything is loaded.

    Raises:
        InputError: If an output cannot be a file, or would replace a source or another output,
            by whatever name.
    """
    taken = {_identity(path): "is the source, expected another output" for path in map(Path, sources)}
    for path in outputs:
        identity = _identity(writable_path(path))
        if identity in taken:
            raise InputError(f"{path}: {taken[identity]}")
        taken[identity] = "is written twice, expected different outputs"


def _identity(path: Path) -> object:
    """Return what the names of one file have in common."""
    try:
        state = path.stat()
    except OSError:
        return path.resolve()
    return state.st_dev, state.st_ino


def write_json(path: str | Path, content: dict) -> None:
    """Write a dictionary as indented JSON in UTF-8, atomically."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replace_when_done(path) as temporary:
        try:
            temporary.write_text(text, encoding="utf-8")
        except UnicodeEncodeError:  # a file name that is not UTF-8
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def printable_name(path: str | Path) -> str:
    """Return a path as text for tables and terminals, which `named_path` finds again.

    What does not fit in a line is escaped, as `\\x0a`, and so is a backslash that would look like that.
    """
    name = os.fspath(path)
    if os.sep == "/":
        name = re.sub(r"\\(?=x[0-9a-f]{2})", r"\\x5c", name)
    return printable(name)


@contextlib.contextmanager
def library_path(path: str | Path) -> Iterator[str]:
    """Name a file or folder so that libraries in C++ open it and nothing else.

    They would take `a:b.mp4` for an address, and crash on names that are not UTF-8: these get a link.
    """
    absolute = os.path.abspath(path)
    if printable(absolute) == absolute:
        yield absolute
        return
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, f"file{printable(Path(path).suffix)}")
        os.symlink(absolute, link)
        yield link


def named_path(name: str) -> Path:
    """Return the file that a name in a table or list stands for.

    What `printable_name` escaped, or the name itself, or, in a list of another encoding, its Latin-1 reading.
    """
    raw = os.fsencode(name)
    unescaped = re.sub(rb"\\x([0-9a-f]{2})", lambda digits: bytes.fromhex(digits[1].decode()), raw)
    candidates = (os.fsdecode(unescaped), name, raw.decode("latin-1"))
    return next((Path(path) for path in candidates if os.path.exists(path)), Path(name))


def read_text(path: str | Path) -> str:
    """Read a list or table: UTF-8 or UTF-16 with a byte order mark, or UTF-8.

    Bytes that are not UTF-8 become surrogates, as in Python's file names; see `named_path`. Lines end with
    `\\n`, whatever ends them in the file.

    Raises:
        InputError: If the file cannot be read or contains no text.
    """
    try:
        content = Path(path).read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = content.decode("utf-16")
        else:
            text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: could not read it ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text, received damaged UTF-16") from error
    if re.search(CONTROLS, text):
        raise InputError(
            f"{path}: expected a text file in UTF-8, or in UTF-16 with a byte order mark, received "
            "binary data"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def require_file(path: str | Path, expected: str) -> Path:
    """Check that a file exists and return it as a `Path`.

    Args:
        path: The file.
        expected: What it should contain, for the message.

    Raises:
        InputError: If there is no such file, it is a folder, or it is empty.
    """
    path = Path(path)
    if not os.path.exists(path):  # Path.exists fails on a long name
        raise InputError(f"{path}: no such file (expected {expected})")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected {expected}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty, expected {expected}")
    return path


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, or of those of a folder's files, as hexadecimal digits."""
    if Path(path).is_dir():
        digests = "".join(sha256(file) for file in sorted(Path(path).rglob("*")) if file.is_file())
        return hashlib.sha256(digests.encode()).hexdigest()
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
