"""Error over time and over parameters: `python -m benchmarks.efficiency --output=docs/efficiency.md`.

Every network is timed with one thread and one face per call, in turns with the others, and measured on
AFLW2000 (protocol 1) at its own crop, in one run. What the papers of others print is marked as printed.
"""

import dataclasses
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import flags
from fsanet_tf.networks.batching import predict_poses

from benchmarks.accuracy import RELEASED, crops_of
from benchmarks.harness import interleave, run
from benchmarks.inference import VARIANTS, frozen_graph
from benchmarks.peers import OPENTRACK, opentrack, port
from fsanet_tf.drawing.plots import draw_efficiency
from fsanet_tf.evaluation.metrics import Errors, measure
from fsanet_tf.io.files import replace_when_done
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.networks.pretrained import keras_files

# MAE on AFLW2000 as printed by the papers, and the parameters of their networks in millions, rounded.
PRINTED = {
    "HopeNet": (6.16, 23.9),
    "WHENet": (5.42, 4.4),
    "TriNet": (4.67, 26.0),
    "6DRepNet": (3.97, 39.3),
}
HEADER = """# Error, time and parameters

`python -m benchmarks.efficiency --output=docs/efficiency.md` makes this page.

AFLW2000, protocol 1, each network at its own crop; milliseconds per face of one call with one thread, without
detection and cropping, in turns in one process on {machine}.

![Error over time, and over parameters](efficiency.png)

| network | parameters | MAE | geodesic | ms per face |
|---|---|---|---|---|"""
PRINTED_HEADER = """
As printed by their authors, not measured here; parameters rounded:

| network | parameters | MAE |
|---|---|---|"""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network to measure.

    Attributes:
        network: With one thread; its crop is how the dataset is cropped.
        mirror: Whether its prediction is averaged with that for the mirrored crop.
        parameters: Number of its parameters.
    """

    network: Network
    mirror: bool
    parameters: int


def onnx_parameters(path: Path) -> int:
    """Count the values of an ONNX file's constants, without scalars."""
    import onnx

    constants = onnx.load(str(path)).graph.initializer
    return sum(int(np.prod(constant.dims)) for constant in constants if len(constant.dims) > 0)


def keras_parameters(names: list[str]) -> int:
    return sum(load_model(path).count_params() for path in keras_files(names))


def mean_network(networks: list[Network]) -> Network:
    """Average several networks in turn."""

    def predict(crops: np.ndarray) -> np.ndarray:
        mean: np.ndarray = np.mean([network.predict(crops) for network in networks], axis=0)
        return mean

    return dataclasses.replace(networks[0], predict=predict, predict_columns=None)


def candidates(reference: Path) -> dict[str, Candidate]:
    """Load the networks by name."""
    weights = reference / "weights/300W_LP_models"
    released = [str(weights / f"{stem}.h5") for stem in RELEASED["fusion"]]
    graphs = mean_network([load_network(frozen_graph(reference, variant)) for variant in VARIANTS])
    found = {
        name: Candidate(load_network(name, 1), False, keras_parameters([name]))
        for name in ("1x1", "var", "noS", "fusion")
    }
    found["fusion, mirrored"] = dataclasses.replace(found["fusion"], mirror=True)
    found["released fusion"] = Candidate(graphs, False, keras_parameters(released))
    ports = sorted((reference / "peers").glob("fsanet*.onnx"))
    both = mean_network([port(path, 1) for path in ports])
    found["PyTorch port, both"] = Candidate(both, False, sum(map(onnx_parameters, ports)))
    path = reference / OPENTRACK
    found["opentrack, the teacher"] = Candidate(opentrack(path, 1), False, onnx_parameters(path))
    return found


def milliseconds(networks: dict[str, Candidate], rounds: int) -> dict[str, float]:
    """Median time of one face per call, in turns."""

    def call(candidate: Candidate) -> Callable[[], object]:
        size = candidate.network.image_size
        face = np.full((1, size, size, 3), 100, np.float32)
        return lambda: candidate.network.predict_with_uncertainty(face, candidate.mirror)

    times = interleave({name: call(candidate) for name, candidate in networks.items()}, rounds)
    return {name: statistics.median(values) for name, values in times.items()}


def errors_of(reference: Path, candidate: Candidate) -> Errors:
    data = crops_of(reference, candidate.network.crop, candidate.network.image_size)
    return measure(predict_poses([candidate.network], data.images, candidate.mirror), data.poses)


def main() -> None:
    given = flags.FLAGS
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    reference, output = Path(given.reference), Path(given.output)
    networks = candidates(reference)
    times = milliseconds(networks, given.rounds)
    errors = {name: errors_of(reference, candidate) for name, candidate in networks.items()}
    lines = [HEADER.format(machine=given.machine)]
    lines += [
        f"| {name} | {networks[name].parameters / 1e6:.2f} M | {errors[name].mae:.2f} | "
        f"{errors[name].geodesic:.2f} | {times[name]:.2f} |"
        for name in networks
    ]
    lines += [PRINTED_HEADER, *(f"| {name} | {size} M | {mae} |" for name, (mae, size) in PRINTED.items())]
    draw_efficiency(
        {name: (times[name], networks[name].parameters / 1e6, errors[name].mae) for name in networks},
        PRINTED,
        output.with_suffix(".png"),
    )
    with replace_when_done(output) as temporary:
        temporary.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with AFLW2000 and the networks of others.")
    flags.DEFINE_string("output", "docs/efficiency.md", "Page to write; a picture is next to it.")
    flags.DEFINE_string("machine", "one core", "What the page calls this machine.")
    flags.DEFINE_integer("rounds", 300, "Timed calls of each network.", 1)
    run(main)
