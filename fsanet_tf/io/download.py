"""Resumable, verified downloads."""

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from fsanet_tf.errors import InputError
from fsanet_tf.io.files import sha256

TIMEOUT_S = 30
CHUNK_BYTES = 1 << 16


def download(url: str, path: Path, expected_sha256: str, timeout_s: float = TIMEOUT_S) -> Path:
    """Download one file, resuming an earlier attempt, and verify it.

    Args:
        url: Address of the file.
        path: Receives the file once its SHA-256 is right; until then there is `path.part`.
        expected_sha256: Hexadecimal digits.
        timeout_s: Seconds to wait for the server, for each answer.

    Returns:
        `path`. A file that is already there and has the right SHA-256 is not downloaded again.

    Raises:
        InputError: If the server cannot be reached or lacks the file, or its content differs.
    """
    if path.exists() and sha256(path) == expected_sha256:
        return path
    partial = path.with_name(path.name + ".part")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        _append(url, partial, timeout_s)
    except urllib.error.HTTPError as error:
        raise InputError(f"{url}: the server answered {error.code} {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InputError(f"{url}: could not download it ({error}); the same command resumes") from error
    received = sha256(partial)
    if received != expected_sha256:
        partial.unlink()
        raise InputError(f"{url}: expected SHA-256 {expected_sha256}, received {received}")
    os.replace(partial, path)
    return path


def _append(url: str, partial: Path, timeout_s: float) -> None:
    """Append what is missing to `partial`; start over if the server cannot resume."""
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            return
        raise
    with response:
        resumed = response.status == 206
        expected = int(response.headers.get("Content-Length", 0)) + (start if resumed else 0)
        with (
            partial.open("ab" if resumed else "wb") as file,
            tqdm(total=expected, initial=start if resumed else 0, unit="B", unit_scale=True,
                 desc=partial.stem) as bar,
        ):  # fmt: skip
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
    if expected and partial.stat().st_size < expected:
        raise OSError(f"the connection ended at {partial.stat().st_size} of {expected} bytes")
