"""Exported networks against the original's frozen graphs and a PyTorch port's ONNX nets, side by side.

`python -m benchmarks.inference --reference=../shared` exports the released 1x1 and var networks and
times every file in one process, in turns; ratios are to the original's frozen graph of the same variant,
run by the same TensorFlow. `--threads=2` for two; `--noexport` leaves out what must be exported first.
It ends with how far the fastest is from the machine's limit, by the peak of one core that is measured
beside it.
"""

import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from absl import flags

from fsanet_tf.command_line import import_tensorflow_quietly, run
from fsanet_tf.errors import InputError
from fsanet_tf.files import write_json
from fsanet_tf.latency import Latency, interleave, time_networks
from fsanet_tf.networks import Network, load_network

VARIANTS = {"1x1": "fsanet_capsule_3_16_2_21_5", "var": "fsanet_var_capsule_3_16_2_21_5"}
ORIGINAL = "original's frozen graph"
PEER = "PyTorch port's ONNX"
MFLOP_PER_FACE = 30


def export(weights: Path, representative: str, folder: Path) -> dict[str, Path]:
    """The formats to time; the float32 file also with an open batch."""
    command = [sys.executable, "export.py", f"--weights={weights}", "--latency_rounds=0"]
    command.append(f"--representative_data={representative}")
    subprocess.run([*command, f"--output_dir={folder}"], check=True, stdout=subprocess.DEVNULL)
    command = [*command, "--batch=dynamic", "--format=tflite_float32", f"--output_dir={folder / 'dynamic'}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    files = {path.name.split("capsule")[1].strip("_."): path for path in folder.glob("*capsule*")}
    files["float32.tflite, open batch"] = next((folder / "dynamic").glob("*.tflite"))
    return {name: path for name, path in sorted(files.items()) if not name.endswith("json")}


def peer(path: Path, num_threads: int) -> Network:
    """The PyTorch port's net: one face a call, channels first, normalised."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def predict(crops: np.ndarray) -> np.ndarray:
        inputs = np.ascontiguousarray((crops.transpose(0, 3, 1, 2) - 127.5) / 128)
        return np.concatenate([session.run(None, {"input": face})[0] for face in inputs[:, None]])

    return Network(predict, 64)


def format_row(name: str, row: Latency, original: Latency) -> str:
    return (
        f"{name:32}{row.single_ms:8.2f} ms ± {row.single_spread_ms:.2f}"
        f"{original.single_ms / row.single_ms:7.1f} ×"
        f"{row.batch_ms:10.3f} ms{original.batch_ms / row.batch_ms:7.1f} ×"
    )


def peak_gflops() -> float:
    """Billions of float32 operations a second of one core, by matrix products in TensorFlow."""
    import tensorflow as tf

    side = 1024
    matrix = tf.random.uniform((side, side))
    times = interleave({"product": lambda: tf.linalg.matmul(matrix, matrix)}, 20)["product"]
    return 2 * side**3 / (min(times) * 1e-3) / 1e9


def main() -> None:
    given = flags.FLAGS
    if given.export and not given.representative_data:
        raise InputError("--representative_data: expected faces for int8, or --noexport")
    reference, threads = Path(given.reference), given.threads
    import_tensorflow_quietly()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    report: dict = {"threads": threads, "variants": {}}
    for variant, stem in VARIANTS.items():
        weights = reference / f"weights/300W_LP_models/{stem}.h5"
        networks = {
            ORIGINAL: load_network(reference / f"weights/frozen_graphs/{stem}.pb"),
            PEER: peer(next((reference / "peers").glob(f"fsanet-{variant}-*.onnx")), threads),
            "Keras predict": load_network(weights),
            "shipped TFLite": load_network(variant, threads),
        }
        with tempfile.TemporaryDirectory() as folder:
            if given.export:
                files = export(weights, given.representative_data, Path(folder))
                networks |= {name: load_network(path, threads) for name, path in files.items()}
            rows = time_networks(networks, given.rounds)
        print(f"{variant}, {threads} thread(s): one face, spread between quartiles, ratio; of 64, ratio")
        for name, row in rows.items():
            print(format_row(name, row, rows[ORIGINAL]))
        report["variants"][variant] = {name: dataclasses.asdict(row) for name, row in rows.items()}
        peak = peak_gflops()
        fastest = min(row.single_ms for name, row in rows.items() if "int8" not in name)
        print(
            f"{MFLOP_PER_FACE} MFLOP a face in {fastest:.2f} ms are {MFLOP_PER_FACE / fastest:.0f} GFLOP/s; "
            f"matrices are multiplied at {peak:.0f}: {MFLOP_PER_FACE / fastest / peak:.0%} of the peak"
        )
    if given.json:
        write_json(given.json, report)


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the original's weights and the port's nets.")
    flags.DEFINE_string("representative_data", None, "Faces for int8 (.npz).")
    flags.DEFINE_bool("export", True, "Export every format and time it too.")
    flags.DEFINE_string("json", None, "Also write the figures here.")
    flags.DEFINE_integer("threads", 1, "Of every runtime.", 1)
    flags.DEFINE_integer("rounds", 200, "Calls with one face; a tenth with 64.", 1)
    run(main)
