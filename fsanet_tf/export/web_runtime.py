"""The browser's runtime, onnxruntime-web: fetched once by npm, checked, and copied next to a page."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from fsanet_tf.detection.assets import cache_dir
from fsanet_tf.errors import InputError
from fsanet_tf.io.files import replace_when_done, sha256

VARIABLE = "FSANET_WEB_RUNTIME"
VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web-{VERSION}.tgz"
# Of the package's files that are used, by their names below `dist`.
SHA256 = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
LICENSE = """ONNX Runtime Web
Copyright (c) Microsoft Corporation. All rights reserved.

MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def copy_runtime(folder: Path, source: str | None = None) -> None:
    """Write the runtime and its license into a folder.

    Args:
        folder: Folder to write.
        source: A copy of the runtime: the npm package (`.tgz`), or a folder with its files; None: the one
            that the environment variable `FSANET_WEB_RUNTIME` names, else the cache's, which npm fills once.

    Raises:
        InputError: If there is no copy and npm cannot fetch one, or a file is another than expected.
    """
    named = source or os.environ.get(VARIABLE)
    origin = Path(named) if named else _cached_package()
    if not origin.exists():
        raise InputError(f"{origin}: no such copy of the web runtime (expected {PACKAGE} or its folder)")
    folder.mkdir(parents=True, exist_ok=True)
    copy = _copy_from_folder if origin.is_dir() else _copy_from_package
    for name, expected in SHA256.items():
        copy(origin, name, folder / name)
        received = sha256(folder / name)
        if received != expected:
            raise InputError(
                f"{origin}: {name}: expected that of onnxruntime-web {VERSION}, SHA-256 {expected}, "
                f"received {received}"
            )
    (folder / "LICENSE").write_text(LICENSE)


def _copy_from_folder(origin: Path, name: str, target: Path) -> None:
    found = next((path for path in (origin / name, origin / "dist" / name) if path.is_file()), None)
    if found is None:
        raise InputError(f"{origin}: contains no {name} of onnxruntime-web {VERSION}")
    shutil.copy(found, target)


def _copy_from_package(origin: Path, name: str, target: Path) -> None:
    try:
        with tarfile.open(origin) as package:
            member = package.extractfile(f"package/dist/{name}")
            assert member is not None
            with member, target.open("wb") as file:
                shutil.copyfileobj(member, file)
    except (OSError, tarfile.TarError, KeyError) as error:
        raise InputError(f"{origin}: expected the npm package {PACKAGE} ({error})") from error


def _cached_package(run: Callable[..., subprocess.CompletedProcess] = subprocess.run) -> Path:
    """Return the npm package in the cache; npm fetches it if it is not there."""
    hint = f"install npm, or name a copy of {PACKAGE} in the option web_runtime or in {VARIABLE}"
    try:
        package = cache_dir() / PACKAGE
    except InputError as error:
        raise InputError(f"the web format needs onnxruntime-web {VERSION}, and {error}: {hint}") from error
    if package.exists():
        return package
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(f"the web format needs onnxruntime-web {VERSION}, and there is no npm: {hint}")
    with replace_when_done(package) as temporary:
        command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--pack-destination", str(temporary.parent)]
        result = run(command, capture_output=True, text=True, check=False)
        if result.returncode or not temporary.exists():
            lines = [line for line in result.stderr.splitlines() if "error" in line.lower()]
            reason = lines[0] if lines else "no answer"
            raise InputError(f"npm could not fetch onnxruntime-web {VERSION} ({reason}): {hint}")
    return package
