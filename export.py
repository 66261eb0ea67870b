"""Write a network for servers and phones: `python export.py --weights=net.keras --output_dir=exported`.

Several networks, separated by commas, become one file each format: their mean (the paper's fusion).
`parity.json` and the table on the screen say how far each file is from the Keras network, and how fast.
"""

import contextlib
import dataclasses
import io
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

import fsanet_tf
from fsanet_tf.command_line import import_tensorflow_quietly, run
from fsanet_tf.crop import LANDMARK_MARGIN, resize_crops
from fsanet_tf.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done, require_file, sha256, write_json
from fsanet_tf.latency import Latency, measure_in_new_process
from fsanet_tf.networks import card_path, load_network, read_card
from fsanet_tf.released import RELEASED
from fsanet_tf.tflite_file import FLOAT32, read_operations

SUFFIXES = {
    "saved_model": "_saved_model",
    "frozen_graph": ".pb",
    "onnx": ".onnx",
    "tflite_float32": "_float32.tflite",
    "tflite_float16": "_float16.tflite",
    "tflite_dynamic": "_dynamic.tflite",
    "tflite_int8": "_int8.tflite",
}
INT8 = "tflite_int8"
THREADS = (1, 2)
NUM_RANDOM_CROPS = 32
NUM_REPRESENTATIVE = 200

flags.DEFINE_list("weights", [], "Networks: .keras, or released .h5; several are averaged.")
flags.DEFINE_string("output_dir", None, "Folder for the files and parity.json.")
flags.DEFINE_multi_enum("format", None, list(SUFFIXES), "What to write; default: all that the data allow.")
flags.DEFINE_enum("batch", "1", ("1", "dynamic"), "Faces a call of the TFLite files; int8 takes one.")
flags.DEFINE_string("representative_data", None, "Faces that set int8's ranges (.npz); int8 needs them.")
flags.DEFINE_bool("integer_io", False, "int8: take int8 pixels (minus 128) and give int16 angles.")
flags.DEFINE_string("parity_data", None, "Faces to compare on (.npz); default: the representative ones.")
flags.DEFINE_float("max_mae_increase", 0.05, "Degrees of MAE that a file may lose; judged on labelled faces.")
flags.DEFINE_integer("latency_rounds", 100, "Timed calls a file; 0 times nothing.", lower_bound=0)
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
        mae_increase_deg: that, minus the Keras network's.
        worst_face_deg: the largest increase of one face's mean absolute error.
        not_float32: a `.tflite` file's operations whose output is not float32, by kind.
        gpu_refused: what TFLite's GPU delegate would refuse.
    """

    file: str
    bytes: int
    mean_deg: float
    max_deg: float
    mae_deg: float | None
    mae_increase_deg: float | None
    worst_face_deg: float | None
    not_float32: dict[str, int] | None
    gpu_refused: list[str] | None

    def __str__(self) -> str:
        text = f"{self.file}: {self.bytes / 1024:.0f} KiB, from Keras {self.mean_deg:.2g}° mean, "
        text += f"{self.max_deg:.2g}° at most"
        if self.mae_deg is not None:
            text += f", MAE {self.mae_deg:.3f}° ({self.mae_increase_deg:+.3f}°), "
            text += f"worst face {self.worst_face_deg:+.1f}°"
        return text


@dataclasses.dataclass(frozen=True)
class Faces:
    """Float32 crops `(N, size, size, 3)`, and true poses `(N, 3)` in degrees where there are any."""

    crops: np.ndarray
    poses: np.ndarray | None


def load_faces(path: str | None, image_size: int) -> Faces | None:
    if path is None:
        return None
    data = load_dataset(path)
    rows = data.within_protocol(1)
    if len(rows) == 0:
        raise InputError(f"{path}: no face with angles within 99 degrees")
    return Faces(resize_crops(data.images[rows], image_size).astype(np.float32), data.poses[rows])


def random_faces(image_size: int) -> Faces:
    shape = (NUM_RANDOM_CROPS, image_size, image_size, 3)
    return Faces(np.random.default_rng(0).integers(0, 256, shape).astype(np.float32), None)


def spread(crops: np.ndarray, count: int) -> np.ndarray:
    """`count` crops drawn from all of them, always the same."""
    rows = np.random.default_rng(0).permutation(len(crops))[:count]
    return crops[np.sort(rows)]


def compare(path: Path, faces: Faces, poses: np.ndarray) -> Parity:
    """Load an exported file as a user would and hold it against the Keras network's poses."""
    answers = load_network(path).predict(faces.crops)
    difference = np.abs(answers - poses)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    labelled: dict[str, float | None] = dict.fromkeys(("mae_deg", "mae_increase_deg", "worst_face_deg"))
    if faces.poses is not None:
        errors, before = (np.abs(p - faces.poses).mean(axis=1) for p in (answers, poses))
        increase = errors - before
        figures = (errors.mean(), increase.mean(), increase.max())
        labelled = dict(zip(labelled, map(float, figures), strict=True))
    not_float32 = gpu_refused = None
    if path.suffix == ".tflite":
        operations = read_operations(path.read_bytes())
        not_float32 = dict(Counter(op.kind for op in operations if op.output_type != FLOAT32))
        gpu_refused = refused_by_gpu(path)
    return Parity(
        file=path.name,
        bytes=sum(p.stat().st_size for p in files),
        mean_deg=float(difference.mean()),
        max_deg=float(difference.max()),
        **labelled,
        not_float32=not_float32,
        gpu_refused=gpu_refused,
    )


def refused_by_gpu(path: Path) -> list[str]:
    """The analyser's warnings about TFLite's GPU delegate."""
    import tensorflow as tf

    with contextlib.redirect_stdout(io.StringIO()) as text:
        tf.lite.experimental.Analyzer.analyze(model_path=str(path), gpu_compatibility=True)
    lines = [
        line.removeprefix("GPU COMPATIBILITY WARNING: ")
        for line in text.getvalue().splitlines()
        if "GPU COMP" in line
    ]
    return sorted(set(lines))


def make_card(model, name: str, paths: Sequence[str]) -> dict:
    """What a file says of itself; what the source's card says comes first."""
    import keras
    import tensorflow as tf

    sources = {path: sha256(path) for path in paths}
    trained = {file.sha256: file.folder.removesuffix("_models") for file in RELEASED.values()}
    card = {
        "variant": name,
        "image_size": model.input_shape[1],
        "input": "BGR, 0 to 255",
        "output": "yaw, pitch, roll in degrees, signs of 300W-LP",
        "margin_ratio": LANDMARK_MARGIN,
        "square": False,
        "training": {"data": sorted({trained.get(digest, "unknown") for digest in sources.values()})},
    }
    card.update({key: value for key, value in read_card(Path(paths[0])).items() if key in card})
    versions = {"fsanet_tf": fsanet_tf.__version__, "keras": keras.__version__, "tensorflow": tf.__version__}
    named = {Path(path).name: digest for path, digest in sources.items()}
    return {**card, "variant": name, "source_sha256": named, "versions": versions}


def write(model, name: str, path: Path, card: dict, representative: Faces | None) -> list:
    from fsanet_tf.export import (
        export_frozen_graph,
        export_int8,
        export_onnx,
        export_saved_model,
        export_tflite,
    )

    match name:
        case "saved_model":
            export_saved_model(model, path, card)
        case "frozen_graph":
            export_frozen_graph(model, path)
        case "onnx":
            export_onnx(model, path, card)
        case _ if name == INT8 and representative is not None:
            crops = spread(representative.crops, NUM_REPRESENTATIVE)
            return export_int8(model, path, crops, card, FLAGS.integer_io)
        case _:
            batch = 1 if FLAGS.batch == "1" else None
            export_tflite(model, path, name.removeprefix("tflite_"), card, batch)
    return []


def judge(path: Path, faces: Faces, poses: np.ndarray) -> Parity:
    """`compare`, for a file that should be as good as `--max_mae_increase` asks."""
    row = compare(path, faces, poses)
    if row.mae_increase_deg is not None and not row.mae_increase_deg <= FLAGS.max_mae_increase:
        raise InputError(
            f"{path.name}: not written: its MAE is {row.mae_deg:.3f}°, {row.mae_increase_deg:+.3f}° from "
            f"the Keras network's; expected at most {FLAGS.max_mae_increase:+.3f}°"
        )
    return row


def load_source(paths: Sequence[str]):
    from fsanet_tf.models import fuse
    from fsanet_tf.weights import load_model

    models = [load_model(path) for path in paths]
    if len(models) == 1:
        return models[0]
    try:
        return fuse(models, "fsanet_fusion")
    except ValueError as error:
        raise InputError(f"{', '.join(paths)}: {error}") from error


def time_files(keras_path: Path, paths: Sequence[Path]) -> dict[str, dict]:
    """Latencies of every file, and of Keras's `predict`, with each number of threads."""
    measured = {n: measure_in_new_process([keras_path, *paths], FLAGS.latency_rounds, n) for n in THREADS}

    def report(path: Path) -> dict:
        threads: dict[int, Latency] = {n: rows[str(path)] for n, rows in measured.items()}
        ratio = measured[1][str(keras_path)].single_ms / threads[1].single_ms
        return {
            **{f"threads_{n}": dataclasses.asdict(row) for n, row in threads.items()},
            "times_faster_than_keras_predict": ratio,
        }

    return {path.name: report(path) for path in [keras_path, *paths]}


def format_latency(rows: dict[str, dict]) -> str:
    lines = [
        f"{'':40}{'1 thread':>12}{'2 threads':>12}{'of 64, 1 t.':>13}{'of 64, 2 t.':>13}{'× predict':>11}"
    ]
    for name, row in rows.items():
        one, two = row["threads_1"], row["threads_2"]
        lines.append(
            f"{name:40}{one['single_ms']:9.2f} ms{two['single_ms']:9.2f} ms"
            f"{one['batch_ms']:10.3f} ms{two['batch_ms']:10.3f} ms"
            f"{row['times_faster_than_keras_predict']:11.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    if not FLAGS.weights:
        raise InputError("--weights: expected at least one network")
    for path in FLAGS.weights:
        require_file(path, "a network")
    for path in filter(None, (FLAGS.parity_data, FLAGS.representative_data)):
        require_file(path, "an .npz of faces")
    formats = FLAGS.format or [name for name in SUFFIXES if name != INT8 or FLAGS.representative_data]
    if INT8 in formats and not FLAGS.representative_data:
        raise InputError("--format=tflite_int8: expected --representative_data, faces that set its ranges")
    import_tensorflow_quietly()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(f"export needs KERAS_BACKEND=tensorflow, received {keras.backend.backend()}")
    model = load_source(FLAGS.weights)
    size = model.input_shape[1]
    representative = load_faces(FLAGS.representative_data, size)
    faces = load_faces(FLAGS.parity_data, size) or representative or random_faces(size)
    poses = model.predict(faces.crops, verbose=0)
    card = make_card(model, model.name, FLAGS.weights)
    output_dir = Path(FLAGS.output_dir)
    report: dict = {"files": [], "int8_trials": [], "latency": {}, "refused": []}
    for name in formats:
        path = output_dir / (model.name + SUFFIXES[name])
        try:
            with replace_when_done(path) as temporary:
                trials = write(model, name, temporary, card, representative)
                row = judge(temporary, faces, poses)
        except InputError as error:
            report["refused"].append(str(error))
            continue
        if not path.is_dir():
            write_json(card_path(path), card)
        report["files"].append(dataclasses.asdict(row))
        report["int8_trials"] += [dataclasses.asdict(trial) for trial in trials]
        print(row)
    if FLAGS.latency_rounds and report["files"]:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / f"{model.name}.keras"
            model.save(source)
            report["latency"] = time_files(source, [output_dir / row["file"] for row in report["files"]])
        print(format_latency(report["latency"]))
    write_json(output_dir / "parity.json", report)
    if report["refused"]:
        raise InputError("; ".join(report["refused"]))


if __name__ == "__main__":
    run(main)
