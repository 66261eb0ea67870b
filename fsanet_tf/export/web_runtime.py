"""The browser's runtime, onnxruntime-web: downloaded once, checked, and copied next to a page."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from pathlib import Path

from fsanet_tf.detection.assets import cache_dir
from fsanet_tf.errors import InputError
from fsanet_tf.io.download import download

VARIABLE = "FSANET_WEB_RUNTIME"
VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web-{VERSION}.tgz"  # of npm
URL = f"https://registry.npmjs.org/onnxruntime-web/-/{PACKAGE}"
PACKAGE_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
# Of the package's files that are used, by their names below `dist`.
SHA256 = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}


def copy_runtime(folder: Path, source: str | None = None) -> None:
    """Write the runtime into a folder.

    Args:
        folder: Folder to write.
        source: A copy of the runtime: the npm package (`.tgz`), or a folder with its files; None: the one
            that the environment variable `FSANET_WEB_RUNTIME` names, else the cache's, downloaded once.

    Raises:
        InputError: If there is no copy and none can be downloaded, or a file is another than expected.
    """
    named = source or os.environ.get(VARIABLE)
    origin = Path(named) if named else _cached_package()
    if not origin.exists():
        raise InputError(f"{origin}: no such copy of the web runtime (expected {PACKAGE} or its folder)")
    folder.mkdir(parents=True, exist_ok=True)
    for name, expected in SHA256.items():
        content = _read(origin, name)
        received = hashlib.sha256(content).hexdigest()
        if received != expected:
            raise InputError(
                f"{origin}: {name}: expected that of onnxruntime-web {VERSION}, SHA-256 {expected}, "
                f"received {received}"
            )
        (folder / name).write_bytes(content)


def _read(origin: Path, name: str) -> bytes:
    """Return a file of the npm package, or of a folder that contains it."""
    try:
        if origin.is_dir():
            path = origin / name
            return (path if path.exists() else origin / "dist" / name).read_bytes()
        with tarfile.open(origin) as package:
            member = package.extractfile(f"package/dist/{name}")
            assert member is not None  # a folder
            return member.read()
    except (OSError, EOFError, zlib.error, tarfile.TarError, KeyError) as error:
        raise InputError(
            f"{origin}: expected {PACKAGE} of npm, or its folder, with {name} ({error})"
        ) from error


def _cached_package() -> Path:
    """Return the npm package in the cache; download it if it is not there."""
    try:
        return download(URL, cache_dir() / PACKAGE, PACKAGE_SHA256)
    except InputError as error:
        raise InputError(
            f"{error}: name a copy of {PACKAGE} in the option web_runtime or in {VARIABLE}"
        ) from error
