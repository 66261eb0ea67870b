"""The files that detectors need: where they are searched for, and the download that provides them."""

import contextlib
import dataclasses
import os
from pathlib import Path

from fsanet_tf.errors import InputError
from fsanet_tf.io.download import TIMEOUT_S, cause_of, download
from fsanet_tf.io.waiting import call_in_thread

ASSET_DIR_VARIABLE = "FSANET_DETECTORS"
DEBIAN_DIR = Path("/usr/share/opencv4/lbpcascades")  # of the Debian package opencv-data


@dataclasses.dataclass(frozen=True)
class Asset:
    """A file that a detector needs.

    Attributes:
        pattern: File names that are accepted.
        url: Address of one that is downloaded.
        sha256: Its SHA-256 as hexadecimal digits.
    """

    pattern: str
    url: str
    sha256: str

    def find(self) -> str | None:
        """Return the first file of that name in `asset_dirs`, or None."""
        matches = (match for folder in asset_dirs() for match in sorted(folder.glob(self.pattern)))
        return next(map(str, matches), None)

    def fetch(self, timeout_s: float = TIMEOUT_S) -> str:
        """Download the file into the cache, unless it is there; return its path.

        Raises:
            InputError: If that fails.
        """
        return str(download(self.url, cache_dir() / Path(self.url).name, self.sha256, timeout_s))


def cache_dir() -> Path:
    """Return the folder of downloaded files.

    Raises:
        InputError: If the user has no home folder, as in some containers.
    """
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise InputError("there is no home folder to download to (XDG_CACHE_HOME can name one)") from None
    return folder / "fsanet_tf"


def asset_dirs() -> list[Path]:
    """Return the folders that are searched: the environment variable's, the cache, Debian's."""
    named = os.environ.get(ASSET_DIR_VARIABLE)
    folders = [Path(named)] if named else []
    with contextlib.suppress(InputError):
        folders.append(cache_dir())
    return [*folders, DEBIAN_DIR]


def require_assets(detector: str, assets: tuple[Asset, ...]) -> list[str]:
    """Return the paths of a detector's files; a missing one is downloaded into the cache.

    Raises:
        InputError: If a file is in none of the folders and cannot be downloaded.
    """
    found = []
    for asset in assets:
        try:
            found.append(asset.find() or asset.fetch())
        except InputError as error:
            raise InputError(
                f"detector {detector}: no {asset.pattern} in {', '.join(map(str, asset_dirs()))}; put it "
                f"there or name its folder in {ASSET_DIR_VARIABLE} ({error})"
            ) from error
    return found


def try_download(asset: Asset, patience_s: float) -> str | None:
    """Download an asset into the cache, unless it is there, giving up after a few seconds.

    Args:
        asset: The file.
        patience_s: Seconds after which the attempt is abandoned, whatever it waits for.

    Returns:
        None on success, else the reason in one line.
    """
    try:
        call_in_thread(lambda: asset.fetch(patience_s), patience_s)  # name resolution knows no timeout
    except TimeoutError:
        return f"no answer within {patience_s:g} s"
    except InputError as error:
        return f"could not download it: {cause_of(error)}"
    return None
