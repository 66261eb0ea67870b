"""Write a network for servers and phones: `python export.py --weights=net.keras --output_dir=exported`.

Several networks, separated by commas, become one file each format: their mean (the paper's fusion).
"""

import dataclasses
from pathlib import Path

import numpy as np
from absl import flags

from fsanet_tf.command_line import import_tensorflow_quietly, run
from fsanet_tf.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.files import require_file, sha256, write_json
from fsanet_tf.networks import load_network

FORMATS = ("saved_model", "frozen_graph", "tflite_float32", "tflite_float16", "tflite_dynamic")
NUM_RANDOM_CROPS = 32

flags.DEFINE_list("weights", [], "Networks: .keras, or released .h5; several are averaged.")
flags.DEFINE_string("output_dir", None, "Folder for the files and parity.json.")
flags.DEFINE_multi_enum("format", FORMATS, FORMATS, "What to write; default: everything.")
flags.DEFINE_enum("batch", "1", ("1", "dynamic"), "Faces a call of the TFLite files.")
flags.DEFINE_string("parity_data", None, "Faces to compare on (.npz); default: random crops.")
flags.mark_flag_as_required("output_dir")
FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Parity:
    """How far an exported file is from the Keras network.

    Attributes:
        file: its name.
        bytes: its size.
        mean_deg, max_deg: mean and largest difference of an angle.
        mae_deg: mean absolute error where the faces have labels.
    """

    file: str
    bytes: int
    mean_deg: float
    max_deg: float
    mae_deg: float | None


def export(model, name: str, path: Path, batch: int | None) -> None:
    from fsanet_tf.export import export_frozen_graph, export_saved_model, export_tflite

    if name == "saved_model":
        export_saved_model(model, path)
    elif name == "frozen_graph":
        export_frozen_graph(model, path)
    else:
        export_tflite(model, path, name.removeprefix("tflite_"), batch)


def file_name(stem: str, name: str) -> str:
    suffix = {"saved_model": "_saved_model", "frozen_graph": ".pb"}
    return stem + suffix.get(name, f"_{name.removeprefix('tflite_')}.tflite")


def compare(path: Path, crops: np.ndarray, poses: np.ndarray, true: np.ndarray | None) -> Parity:
    """Load an exported file as a user would and hold it against the Keras network's poses."""
    answers = load_network(path).predict(crops)
    difference = np.abs(answers - poses)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return Parity(
        file=path.name,
        bytes=sum(p.stat().st_size for p in files),
        mean_deg=float(difference.mean()),
        max_deg=float(difference.max()),
        mae_deg=None if true is None else float(np.abs(answers - true).mean()),
    )


def parity_faces(image_size: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Float32 crops to compare on, and their true poses where there are any."""
    if FLAGS.parity_data is None:
        shape = (NUM_RANDOM_CROPS, image_size, image_size, 3)
        return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32), None
    from fsanet_tf.crop import resize_crops

    data = load_dataset(FLAGS.parity_data)
    rows = data.within_protocol(1)
    return resize_crops(data.images[rows], image_size).astype(np.float32), data.poses[rows]


def main() -> None:
    if not FLAGS.weights:
        raise InputError("--weights: expected at least one network")
    for path in FLAGS.weights:
        require_file(path, "a network")
    if FLAGS.parity_data:
        require_file(FLAGS.parity_data, "an .npz of faces")
    import_tensorflow_quietly()
    from fsanet_tf.models import fuse
    from fsanet_tf.networks import read_card
    from fsanet_tf.weights import load_model

    models = [load_model(path) for path in FLAGS.weights]
    stem = models[0].name if len(models) == 1 else "fsanet_fusion"
    try:
        model = models[0] if len(models) == 1 else fuse(models, stem)
    except ValueError as error:
        raise InputError(f"{', '.join(FLAGS.weights)}: {error}") from error
    crops, true = parity_faces(model.input_shape[1])
    poses = model.predict(crops, verbose=0)
    batch = 1 if FLAGS.batch == "1" else None
    rows = []
    for name in FLAGS.format:
        path = Path(FLAGS.output_dir) / file_name(stem, name)
        export(model, name, path, batch)
        card = {
            "variant": stem,
            "image_size": model.input_shape[1],
            "input": "BGR, 0 to 255",
            "output": "yaw, pitch, roll in degrees, signs of 300W-LP",
            **read_card(Path(FLAGS.weights[0])),
            "source": {path: sha256(path) for path in FLAGS.weights},
        }
        write_json(path / "card.json" if path.is_dir() else path.with_suffix(".json"), card)
        rows.append(compare(path, crops, poses, true))
        print(format_row(rows[-1]))
    write_json(Path(FLAGS.output_dir) / "parity.json", {"files": [dataclasses.asdict(row) for row in rows]})


def format_row(row: Parity) -> str:
    labelled = "" if row.mae_deg is None else f"  MAE {row.mae_deg:.3f}°"
    return (
        f"{row.file}: {row.bytes / 1024:.0f} KiB, from Keras {row.mean_deg:.2g}° mean, "
        f"{row.max_deg:.2g}° at most{labelled}"
    )


if __name__ == "__main__":
    run(main)
