"""Folders of files that are written atomically: here, or on a file system that pyarrow knows."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from fsanet_tf.errors import InputError, one_line, optional_dependencies
from fsanet_tf.io.files import SCRATCH, replace_when_done, writable_folder

LOCK = "_lock"


class Folder:
    """A folder of this machine, or of a network that it has mounted; absent until a file is written.

    Args:
        address: Its path.

    Raises:
        InputError: If it cannot be a folder to write.
    """

    def __init__(self, address: str | Path):
        self.path = writable_folder(address).absolute()
        self.address = str(self.path)

    def names(self) -> list[str]:
        """Return the names of its files, sorted; none if it is absent."""
        return sorted(entry.name for entry in os.scandir(self.path)) if self.path.is_dir() else []

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is absent."""
        path = self.path / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: Any) -> None:
        """Write a file, which several processes may do at once: it has the content of one of them."""
        with replace_when_done(self.path / name) as temporary:
            temporary.write_bytes(content)

    def delete(self, name: str) -> None:
        """Delete a file, or what `write` left when it was killed; what is already gone is no error."""
        try:
            if name.startswith(SCRATCH):
                shutil.rmtree(self.path / name, ignore_errors=True)
            else:
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{self.path / name}: cannot delete it: {error.strerror}") from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs out for a block.

        Raises:
            InputError: If another run is at work there.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / LOCK, timeout=0)
            lock.acquire()
        except filelock.Timeout as error:
            raise InputError(f"{self.address}: another run is at work there") from error
        except OSError as error:
            raise InputError(f"{self.address}: cannot write there: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()


class RemoteFolder(Folder):
    """A folder on a file system that pyarrow knows; it is not locked."""

    def __init__(self, address: str):
        self.address = address
        file_system(address)

    def names(self) -> list[str]:
        from pyarrow import fs

        system, root = file_system(self.address)
        infos = system.get_file_info(fs.FileSelector(root, allow_not_found=True))
        return sorted(info.base_name for info in infos)

    def read(self, name: str) -> bytes | None:
        system, root = file_system(self.address)
        if not system.get_file_info(f"{root}/{name}").is_file:
            return None
        with system.open_input_stream(f"{root}/{name}") as stream:
            content: bytes = stream.read()
        return content

    def write(self, name: str, content: Any) -> None:
        system, root = file_system(self.address)
        temporary = f"{root}/{SCRATCH}{uuid.uuid4().hex}"  # readers of Parquet ignore names that begin so
        try:
            system.create_dir(root)
            with system.open_output_stream(temporary) as stream:
                stream.write(content)
            system.move(temporary, f"{root}/{name}")
        except OSError as error:
            raise InputError(f"{self.address}: cannot write there: {error}") from error

    def delete(self, name: str) -> None:
        system, root = file_system(self.address)
        with contextlib.suppress(FileNotFoundError):
            system.delete_file(f"{root}/{name}")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        yield


def open_folder(address: str) -> Folder:
    """Return a folder by its path, or by an address such as `s3://bucket/poses.parquet`."""
    return RemoteFolder(address) if "://" in address else Folder(address)


def file_system(address: str) -> tuple[Any, str]:
    """Return the file system of an address and the path on it.

    Raises:
        InputError: If pyarrow knows no such file system.
        MissingExtraError: If pyarrow is not installed.
    """
    with optional_dependencies():
        from pyarrow import fs

    try:
        system, path = fs.FileSystem.from_uri(address)
    except (OSError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{address}: expected an address of a file system ({reason})") from error
    return system, path.rstrip("/")
