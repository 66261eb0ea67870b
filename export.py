"""Write a network for servers and phones: `python export.py --weights=net.keras --output_dir=exported`.

Several networks, separated by commas, become one file each format: their mean (the paper's fusion).
`parity.json` and the table on the screen say how far each file is from the Keras network, and how fast.
"""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import flags

import fsanet_tf
from fsanet_tf.cards import card_path, read_card, read_crop_rule
from fsanet_tf.command_line import run
from fsanet_tf.crop import CropRule
from fsanet_tf.errors import InputError
from fsanet_tf.export.latency import Latency, measure_in_new_process
from fsanet_tf.export.parity import Faces, Parity, compare, load_faces, random_faces, spread
from fsanet_tf.files import replace_when_done, require_file, sha256, write_json
from fsanet_tf.pretrained import keras_files
from fsanet_tf.quiet import import_tensorflow_quietly
from fsanet_tf.weights.released import RELEASED

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
NUM_REPRESENTATIVE = 200

flags.DEFINE_list("weights", [], "Networks: .keras, released .h5, or shipped names; several are averaged.")
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


def common_crop_rule(paths: Sequence[str]) -> CropRule:
    """How the networks want their crops; a fusion's members must want the same."""
    rules = {path: read_crop_rule(Path(path)) for path in paths}
    if len(set(rules.values())) > 1:
        wishes = ", ".join(f"{path} wants {rule}" for path, rule in rules.items())
        raise InputError(f"--weights: expected networks of one crop, received: {wishes}")
    return rules[paths[0]]


def make_card(model, paths: Sequence[str], rule: CropRule) -> dict:
    """What a file says of itself."""
    import keras
    import tensorflow as tf

    sources = {path: sha256(path) for path in paths}
    return {
        "variant": model.name,
        "image_size": model.input_shape[1],
        "input": "BGR, 0 to 255",
        "output": "yaw, pitch, roll in degrees, signs of 300W-LP",
        **dataclasses.asdict(rule),
        "training": common_training(sources),
        "source_sha256": {Path(path).name: digest for path, digest in sources.items()},
        "versions": {
            "fsanet_tf": fsanet_tf.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }


def common_training(sources: Mapping[str, str]) -> dict:
    """How the networks (paths, with their SHA-256) were trained, as far as cards or their hashes tell."""
    released = {file.sha256: file.folder.removesuffix("_models") for file in RELEASED.values()}
    trainings = [
        read_card(Path(path)).get("training", {"data": [released.get(digest, "unknown")]})
        for path, digest in sources.items()
    ]
    same = all(training == trainings[0] for training in trainings)
    return trainings[0] if same else {"members": trainings}


def write(model, name: str, path: Path, card: dict, representative: Faces | None) -> list:
    from fsanet_tf.export.formats import (
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
    from fsanet_tf.weights.keras_files import load_model

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
    weights = [str(require_file(path, "a network")) for path in keras_files(FLAGS.weights)]
    for path in filter(None, (FLAGS.parity_data, FLAGS.representative_data)):
        require_file(path, "an .npz of faces")
    formats = FLAGS.format or [name for name in SUFFIXES if name != INT8 or FLAGS.representative_data]
    if INT8 in formats and not FLAGS.representative_data:
        raise InputError("--format=tflite_int8: expected --representative_data, faces that set its ranges")
    rule = common_crop_rule(weights)
    import_tensorflow_quietly()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(f"export needs KERAS_BACKEND=tensorflow, received {keras.backend.backend()}")
    model = load_source(weights)
    size = model.input_shape[1]
    representative = load_faces(FLAGS.representative_data, size)
    faces = load_faces(FLAGS.parity_data, size) or representative or random_faces(size)
    poses = model.predict(faces.crops, verbose=0)
    card = make_card(model, weights, rule)
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
