"""Fetch released weights: `python -m fsanet_tf.download_weights --output_dir=weights`.

`--names=300W_LP_models/ssrnet_mt,…` chooses files; the default is all.
"""

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from absl import flags
from tqdm import tqdm

from fsanet_tf.command_line import run
from fsanet_tf.errors import InputError
from fsanet_tf.files import sha256
from fsanet_tf.released import BASE_URL, RELEASED, ReleasedFile

TIMEOUT_S = 30
CHUNK_BYTES = 1 << 16


def download(file: ReleasedFile, output_dir: Path, base_url: str = BASE_URL) -> Path:
    """Fetch one file, going on with an earlier attempt, and verify it.

    Args:
        file: which one.
        output_dir: gets `folder/name.h5`, once its SHA-256 is right; until then `name.h5.part`.
        base_url: where the folders stand.

    Returns:
        The path of the file. One that is already there, and right, is not fetched again.

    Raises:
        InputError: the server cannot be reached or lacks the file, or its content is another.
    """
    path = output_dir / file.folder / f"{file.stem}.h5"
    if path.exists() and sha256(path) == file.sha256:
        return path
    partial = path.with_name(path.name + ".part")
    url = f"{base_url.rstrip('/')}/{file.url_path}"
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, partial)
    except urllib.error.HTTPError as error:
        raise InputError(f"{url}: the server answered {error.code} {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InputError(f"{url}: could not fetch it ({error}); the same command goes on") from error
    received = sha256(partial)
    if received != file.sha256:
        partial.unlink()
        raise InputError(f"{url}: expected SHA-256 {file.sha256}, received {received}")
    os.replace(partial, path)
    return path


def _fetch(url: str, partial: Path) -> None:
    """Append what is missing to `partial`; begin anew where the server cannot go on."""
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
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


def main() -> None:
    names = FLAGS.names or list(RELEASED)
    unknown = sorted(set(names) - set(RELEASED))
    if unknown:
        raise InputError(f"--names: {unknown[0]} is not one of {', '.join(RELEASED)}")
    for name in names:
        print(download(RELEASED[name], Path(FLAGS.output_dir), FLAGS.base_url))


if __name__ == "__main__":
    flags.DEFINE_list("names", [], "Files, for example 300W_LP_models/ssrnet_mt; default: all.")
    flags.DEFINE_string("output_dir", None, "Folder that gets 300W_LP_models/ and BIWI_models/.")
    flags.DEFINE_string("base_url", BASE_URL, "Where the two folders stand.")
    flags.mark_flag_as_required("output_dir")
    FLAGS = flags.FLAGS
    run(main)
