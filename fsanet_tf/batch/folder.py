"""Folders of files that are written atomically: here, or on a file system that pyarrow knows."""

from __future__ import annotations

import functools
import os
import uuid
from pathlib import Path
from typing import Any, Protocol

from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.files import writable_path


class Folder(Protocol):
    """A folder of files; it may be absent until one is written.

    Attributes:
        address: Where it is.
    """

    address: str

    def names(self) -> list[str]:
        """Return the names of its files, sorted; none if it is absent."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is absent."""
        ...

    def write(self, name: str, content: Any) -> None:
        """Write a file, which several processes may do at once: it has the content of one of them."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file; one that is already gone is no error."""
        ...


def open_folder(address: str) -> Folder:
    """Return a folder by its path, or by an address such as `s3://bucket/poses.parquet`.

    Raises:
        InputError: If it cannot be a folder to write.
    """
    return RemoteFolder(address) if "://" in address else LocalFolder(address)


class LocalFolder:
    """A folder of this machine, or of a network that it has mounted."""

    def __init__(self, address: str | Path):
        self.path = writable_path(address).absolute()
        self.address = str(self.path)
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{address}: expected a folder, received a file")

    def names(self) -> list[str]:
        return sorted(entry.name for entry in os.scandir(self.path)) if self.path.is_dir() else []

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, content: Any) -> None:
        temporary = self.path / _temporary(name)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, self.path / name)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InputError(f"{self.address}: cannot write there: {error.strerror}") from error

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


class RemoteFolder:
    """A folder on a file system that pyarrow knows; pickles carry its address alone."""

    def __init__(self, address: str):
        self.address = address
        self._place()

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteFolder, (self.address,)

    def _place(self) -> tuple[Any, str]:
        return file_system(self.address)

    def names(self) -> list[str]:
        from pyarrow import fs

        system, root = self._place()
        return sorted(
            info.base_name for info in system.get_file_info(fs.FileSelector(root, allow_not_found=True))
        )

    def read(self, name: str) -> bytes | None:
        system, root = self._place()
        if not system.get_file_info(f"{root}/{name}").is_file:
            return None
        with system.open_input_stream(f"{root}/{name}") as stream:
            content: bytes = stream.read()
        return content

    def write(self, name: str, content: Any) -> None:
        system, root = self._place()
        try:
            system.create_dir(root)
            with system.open_output_stream(f"{root}/{_temporary(name)}") as stream:
                stream.write(content)
            system.move(f"{root}/{_temporary(name)}", f"{root}/{name}")
        except OSError as error:
            raise InputError(f"{self.address}: cannot write there: {error}") from error

    def delete(self, name: str) -> None:
        system, root = self._place()
        try:
            system.delete_file(f"{root}/{name}")
        except FileNotFoundError:
            return


@functools.cache
def _process_id() -> str:
    return uuid.uuid4().hex


def _temporary(name: str) -> str:
    """Name a file while it is written; readers of Parquet ignore names that begin with an underscore."""
    return f"_{name}.{_process_id()}"


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
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{address}: expected an address of a file system ({reason})") from error
    return system, path.rstrip("/")
