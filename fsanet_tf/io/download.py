"""Verified downloads."""

import logging
import os
import textwrap
from pathlib import Path

from fsanet_tf.errors import InputError
from fsanet_tf.io.files import writable_path

TIMEOUT_S = 30.0
MAX_CAUSE = 100  # characters


def download(
    url: str, path: Path, expected_sha256: str, timeout_s: float = TIMEOUT_S, progress: bool = False
) -> Path:
    """Download one file and verify it.

    Several processes may download the same file at once: each into a temporary file of its own.

    Args:
        url: Address of the file.
        path: Receives the file once its SHA-256 is right.
        expected_sha256: Hexadecimal digits.
        timeout_s: Seconds to wait for the server, for each answer.
        progress: Whether to show a progress bar.

    Returns:
        `path`. A file that is already there and has the right SHA-256 is not downloaded again.

    Raises:
        InputError: If the server cannot be reached or lacks the file, or its content differs.
    """
    import pooch

    path = writable_path(path)
    is_new = not path.exists()
    pooch.get_logger().setLevel(logging.WARNING)
    fetch = pooch.HTTPDownloader(timeout=timeout_s, progressbar=progress)
    try:
        pooch.retrieve(url, f"sha256:{expected_sha256}", path.name, os.fspath(path.parent), downloader=fetch)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; another content is a ValueError
        raise InputError(f"{url}: could not download it ({cause_of(error)})") from error
    if is_new:
        path.chmod(0o644)  # pooch makes it its owner's alone; a container's user may be another
    return path


def cause_of(error: BaseException) -> str:
    """Return in a few words why a download failed: what the first of the chained errors says."""
    while nested := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = nested
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return textwrap.shorten(text.partition(" for url:")[0], MAX_CAUSE, placeholder="…")
