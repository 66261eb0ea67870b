"""The files of a folder: each entry is found, or skipped for a reason."""

import collections
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from fsanet_tf.io.files import printable_name


def files_in(folder: str | Path, skipped: dict[str, str], recursive: bool = True) -> Iterator[str]:
    """Yield the files of a folder, linked ones included.

    Args:
        folder: The folder.
        skipped: Receives why other entries are left out, by name.
        recursive: Whether to search its subfolders too, linked ones included, each once.
    """
    yield from _walk(os.fspath(folder), skipped, recursive, set())


def _walk(folder: str, skipped: dict[str, str], recursive: bool, seen: set[str]) -> Iterator[str]:
    seen.add(os.path.realpath(folder))
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        skipped[printable_name(folder)] = f"folder that cannot be read: {error.strerror}"
        return
    for entry in entries:
        try:
            mode = os.stat(entry.path).st_mode
        except OSError as error:
            nothing = isinstance(error, FileNotFoundError)
            skipped[printable_name(entry.path)] = "link to nothing" if nothing else f"{error.strerror}"
            continue
        if stat.S_ISREG(mode):
            yield entry.path
        elif not stat.S_ISDIR(mode):
            skipped[printable_name(entry.path)] = "device or pipe"
        elif not recursive:
            skipped[printable_name(entry.path)] = "subfolder"
        elif os.path.realpath(entry.path) not in seen:  # else a link to a folder that is searched already
            yield from _walk(entry.path, skipped, recursive, seen)


def describe_skipped(skipped: Mapping[str, str]) -> str:
    """Count what was skipped, by reason; empty if nothing was."""
    counts = collections.Counter(skipped.values())
    return "".join(f", {count} skipped ({reason})" for reason, count in counts.items())
