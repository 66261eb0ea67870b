"""Download of the original's released weights."""

from pathlib import Path

from fsanet_tf.io.download import download
from fsanet_tf.networks.released.table import BASE_URL, ReleasedFile


def download_released(
    file: ReleasedFile, output_dir: Path, base_url: str = BASE_URL, progress: bool = False
) -> Path:
    """Download one released file to `output_dir/folder/name.h5`.

    Raises:
        InputError: If it cannot be downloaded, or its content differs.
    """
    url = f"{base_url.rstrip('/')}/{file.url_path}"
    return download(url, output_dir / file.folder / f"{file.stem}.h5", file.sha256, progress=progress)
