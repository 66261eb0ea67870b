"""Fetch released weights: `python -m fsanet_tf.weights.download --output_dir=weights`.

`--names=300W_LP_models/ssrnet_mt,…` chooses files; the default is all.
"""

from pathlib import Path

from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.errors import InputError
from fsanet_tf.fetch import fetch
from fsanet_tf.weights.released import BASE_URL, RELEASED, ReleasedFile


def download(file: ReleasedFile, output_dir: Path, base_url: str = BASE_URL) -> Path:
    """Fetch one released file into `output_dir/folder/name.h5`; see `fetch`."""
    url = f"{base_url.rstrip('/')}/{file.url_path}"
    return fetch(url, output_dir / file.folder / f"{file.stem}.h5", file.sha256)


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
