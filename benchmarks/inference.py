"""Exported networks against the original's frozen graphs and a PyTorch port's ONNX nets, side by side.

`python -m benchmarks.inference --reference=../shared --exports=runs/exports` exports the released networks
and times every file in one process, in turns, with one face per call and with 64; the baseline is the
original's frozen graph of the same variant, run by the same TensorFlow. TensorFlow's threads are of a whole
process: `--threads=2` for two. It also says how far 1x1 is from the machine's limit.
"""

import subprocess
import sys
from pathlib import Path

from absl import flags

from benchmarks.harness import Comparison, compare, interleave, run_benchmark, time_faces
from benchmarks.original import TENSORFLOW_1, define_original_python, original_network
from benchmarks.peers import port
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.networks.pretrained import keras_file

VARIANTS = {
    "1x1": "fsanet_capsule_3_16_2_21_5",
    "var": "fsanet_var_capsule_3_16_2_21_5",
    "noS": "fsanet_noS_capsule_3_16_2_192_5",
}
ORIGINAL = "original's frozen graph"
PEER = "PyTorch port's ONNX"
BATCH = 64
UNIT = "ms a face"
GFLOP_PER_FACE = 0.03  # of 1x1
PEAK = "matrix product of TensorFlow"


def released_weights(reference: Path, variant: str) -> Path:
    """The `.h5` file that the original released."""
    return reference / f"weights/300W_LP_models/{VARIANTS[variant]}.h5"


def frozen_graph(reference: Path, variant: str) -> Path:
    """The original's network as its TensorFlow 1 wrote it."""
    return reference / f"weights/frozen_graphs/{VARIANTS[variant]}.pb"


def exported(reference: Path, variant: str, folder: Path) -> dict[str, Path]:
    """Every format of a released network, exported where the folder does not hold it yet."""
    faces, folder = folder / "aflw2000.npz", folder / variant
    if not faces.exists():
        source = f"--input_dir={reference / 'data/AFLW2000'}"
        _python("preprocessing/create_300w_lp.py", source, f"--output={faces}")
    if not (folder / "parity.json").exists():  # what export.py writes last
        network = f"--network={released_weights(reference, variant)}"
        command = ("export.py", network, f"--representative_data={faces}")
        _python(*command, "--batch=dynamic", "--formats=tflite_float32", f"--output_dir={folder}_open")
        _python(*command, f"--output_dir={folder}")
    (stem,) = {path.name.removesuffix("_saved_model") for path in folder.glob("*_saved_model")}
    return {
        "SavedModel": folder / f"{stem}_saved_model",
        "frozen graph": folder / f"{stem}.pb",
        "ONNX": folder / f"{stem}.onnx",
        "TFLite float32": folder / f"{stem}_float32.tflite",
        "TFLite float32, open batch": Path(f"{folder}_open") / f"{stem}_float32.tflite",
        "TFLite float16": folder / f"{stem}_float16.tflite",
        "TFLite dynamic range": folder / f"{stem}_dynamic.tflite",
        "TFLite int8": folder / f"{stem}_int8.tflite",
    }


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def networks_of(
    variant: str, reference: Path, exports: Path | None, threads: int, original_python: str | None
) -> dict[str, Network]:
    """Every form of one variant, by name."""
    graph = frozen_graph(reference, variant)
    networks = {ORIGINAL: load_network(graph)}
    if original_python:
        networks[TENSORFLOW_1] = original_network(original_python, graph, threads)
    for path in (reference / "peers").glob(f"fsanet-{variant}-*.onnx"):
        networks[PEER] = port(path, threads)
    networks["Keras predict"] = load_network(released_weights(reference, variant))
    networks["Keras predict, shipped"] = load_network(keras_file(variant))
    networks["TFLite, shipped"] = load_network(variant, threads)
    files = exported(reference, variant, exports) if exports else {}
    return networks | {name: load_network(path, threads) for name, path in files.items()}


def against_the_peak(single: dict[str, list[float]], column: str, rounds: int) -> Comparison:
    """Billions of float32 operations per second, compared with matrix products in TensorFlow."""
    import tensorflow as tf

    side = 1024
    matrix = tf.random.uniform((side, side))
    products = interleave({PEAK: lambda: tf.linalg.matmul(matrix, matrix)}, rounds)[PEAK]
    rates = {PEAK: [2e-6 * side**3 / time for time in products]}
    for name, times in single.items():
        if "int8" not in name:
            rates[name] = [1e3 * GFLOP_PER_FACE / time for time in times]
    return compare("Distance from the machine's limit, 1x1", column, "GFLOP/s", PEAK, rates)


def measure() -> list[Comparison]:
    given = flags.FLAGS
    reference, exports = Path(given.reference), Path(given.exports) if given.exports else None
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    tf.config.threading.set_inter_op_parallelism_threads(given.threads)
    threads = f"{given.threads} thread" + ("s" if given.threads > 1 else "")
    few = max(3, given.rounds // 10)
    comparisons = []
    for variant in given.variants:
        networks = networks_of(variant, reference, exports, given.threads, given.original_python)
        single = time_faces(networks, 1, given.rounds)
        batched = time_faces(networks, BATCH, few)
        title = f"Inference, {variant}"
        comparisons.append(compare(title, f"one face, {threads}", UNIT, ORIGINAL, single))
        comparisons.append(compare(title, f"of {BATCH} faces, {threads}", UNIT, ORIGINAL, batched))
        if variant == "1x1":
            comparisons.append(against_the_peak(single, f"one face, {threads}", few))
    return comparisons


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the original's weights and the port's nets.")
    flags.DEFINE_string(
        "exports",
        None,
        "Folder of the exported formats, which are written if missing; by default they are left out.",
    )
    flags.DEFINE_multi_enum("variants", list(VARIANTS), list(VARIANTS), "Which; may be given again.")
    flags.DEFINE_integer("threads", 1, "Of every runtime.", 1)
    flags.DEFINE_integer("rounds", 200, "Calls with one face; a tenth with 64.", 1)
    define_original_python()
    run_benchmark(measure)
