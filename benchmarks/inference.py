"""Our networks and formats against the original's frozen graphs and the networks of others, side by side.

`python -m benchmarks.inference --reference=../shared --exports=runs/exports` exports the released networks
and times every file in one process, in turns, with one face per call and with 64; the baseline is the
original's frozen graph (of the same variant, for formats).
"""

from pathlib import Path

from absl import flags

from benchmarks.faces import crops_of
from benchmarks.harness import Comparison, compare, run_benchmark, time_faces, use_threads
from benchmarks.peers import OPENTRACK, VARIANTS, frozen_graph, opentrack, port, released_weights
from fsanet_tf.data.dataset import save_dataset
from fsanet_tf.export.config import ExportConfig
from fsanet_tf.export.export import export_model
from fsanet_tf.geometry.crop import LANDMARK_CROP
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.networks.pretrained import network_files

ORIGINAL = "original's frozen graph"
PEER = "PyTorch port's ONNX"
BATCH = 64
UNIT = "ms per face"


def exported(reference: Path, variant: str, folder: Path) -> dict[str, Path]:
    """Return every format of a released network, exported where the folder does not have it yet."""
    faces, target = folder / "aflw2000.npz", folder / variant
    if not faces.exists():
        save_dataset(faces, crops_of(reference, LANDMARK_CROP))
    if not (target / "parity.json").exists():  # what export writes last
        network = (str(released_weights(reference, VARIANTS[variant])),)
        export_model(ExportConfig(network, str(target), representative_data=str(faces)))
        export_model(ExportConfig(network, f"{target}_open", ("tflite_float32",), batch="dynamic"))
    (stem,) = {path.name.removesuffix("_saved_model") for path in target.glob("*_saved_model")}
    return {
        "SavedModel": target / f"{stem}_saved_model",
        "frozen graph": target / f"{stem}.pb",
        "ONNX": target / f"{stem}.onnx",
        "TFLite float32": target / f"{stem}_float32.tflite",
        "TFLite float32, open batch": Path(f"{target}_open") / f"{stem}_float32.tflite",
        "TFLite float16": target / f"{stem}_float16.tflite",
        "TFLite dynamic range": target / f"{stem}_dynamic.tflite",
        "TFLite int8": target / f"{stem}_int8.tflite",
    }


def networks_of(variant: str, reference: Path, exports: str | None, threads: int) -> dict[str, Network]:
    """Load every form of one variant, by name."""
    networks = {ORIGINAL: load_network(frozen_graph(reference, variant))}
    for path in (reference / "peers").glob(f"fsanet-{variant}-*.onnx"):
        networks[PEER] = port(path, threads)
    networks["Keras predict"] = load_network(released_weights(reference, VARIANTS[variant]))
    networks["Keras predict, shipped"] = load_network(network_files(variant, ".keras")[0])
    networks["TFLite, shipped"] = load_network(variant, threads)
    files = exported(reference, variant, Path(exports)) if exports else {}
    return networks | {name: load_network(path, threads) for name, path in files.items()}


def of_networks(reference: Path, threads: int) -> dict[str, Network]:
    """Load the shipped networks as they are used, and those of others, by name."""
    (peer,) = (reference / "peers").glob("fsanet-1x1-*.onnx")
    return {
        ORIGINAL: load_network(frozen_graph(reference, "1x1")),
        PEER: port(peer, threads),
        "opentrack's ONNX": opentrack(reference / OPENTRACK, threads),
        **{f"`{name}`": load_network(name, threads) for name in ("1x1", "wide", "fusion")},
    }


def measure() -> list[Comparison]:
    given = flags.FLAGS
    use_threads(given.threads)
    threads = f"{given.threads} thread" + ("s" if given.threads > 1 else "")
    reference, few = Path(given.reference), max(3, given.rounds // 10)
    measured = {"Networks": of_networks(reference, given.threads)}
    for variant in given.variants:
        measured[f"Formats, {variant}"] = networks_of(variant, reference, given.exports, given.threads)
    comparisons = []
    for title, networks in measured.items():
        for count, rounds in ((1, given.rounds), (BATCH, few)):
            column = f"{'one face' if count == 1 else f'{count} faces per call'}, {threads}"
            times = time_faces(networks, count, rounds)
            comparisons.append(compare(title, column, UNIT, ORIGINAL, times))
    return comparisons


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the original's weights and the port's nets.")
    flags.DEFINE_string(
        "exports", None, "Folder of exported files, written if missing; by default they are left out."
    )
    flags.DEFINE_list("variants", list(VARIANTS), "Which.")
    flags.DEFINE_integer("threads", 1, "Of every runtime.", 1)
    flags.DEFINE_integer("rounds", 200, "Calls with one face; a tenth with 64.", 1)
    run_benchmark(measure)
