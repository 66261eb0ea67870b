"""Error over time and over parameters: `python -m benchmarks.efficiency --output=docs/efficiency.md`.

Every network is timed with one thread and one face per call, in turns with the others, and measured on
AFLW2000 (protocol 1) at its own crop, in one run. Errors that other papers report are listed separately.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.faces import crops_of, errors_of
from benchmarks.harness import markdown_row, run, time_faces, use_threads, write_text
from benchmarks.page import processor
from benchmarks.peers import OPENTRACK, VARIANTS, frozen_graph, opentrack, port_files, ports, released_weights
from benchmarks.plots import draw_efficiency
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import Mirrored, Network, load_network
from fsanet_tf.networks.pretrained import DEFAULT, DEFAULT_INT8, list_networks

# MAE on AFLW2000 as reported in the papers, and the parameters of their networks in millions, rounded.
PRINTED = {
    "HopeNet": (6.16, 23.9),
    "WHENet": (5.42, 4.4),
    "TriNet": (4.67, 26.0),
    "6DRepNet": (3.97, 39.3),
}
HEADER = """# Error, time and parameters

`python -m benchmarks.efficiency --output=docs/efficiency.md` makes this page.

AFLW2000, protocol 1, each network at its own crop; milliseconds per face of one call with one thread, without
detection and cropping, in turns in one process on one core of {processor}.

![Error over time, and over parameters](efficiency.png)

| network | parameters | MAE | geodesic | ms per face |
|---|---|---|---|---|"""
PRINTED_HEADER = """
As reported by their authors, not measured here; parameters rounded:

| network | parameters | MAE |
|---|---|---|"""


def onnx_parameters(path: Path) -> int:
    """Count the values of an ONNX file's constants, without scalars."""
    import onnx

    constants = onnx.load(str(path)).graph.initializer
    return sum(int(np.prod(constant.dims)) for constant in constants if len(constant.dims) > 0)


def keras_parameters(names: Sequence[str | Path]) -> int:
    return sum(load_model(name).count_params() for name in names)


def candidates(reference: Path) -> dict[str, tuple[Network, int]]:
    """Load the networks, with one thread, and count their parameters, by name."""
    found: dict[str, tuple[Network, int]] = {}
    for name in list_networks():
        network, parameters = (
            load_network(name, 1),
            keras_parameters([DEFAULT if name == DEFAULT_INT8 else name]),
        )
        found |= {name: (network, parameters), f"{name}, mirrored": (Mirrored(network), parameters)}
    graphs = load_network([frozen_graph(reference, variant) for variant in VARIANTS])
    released = keras_parameters([released_weights(reference, stem) for stem in VARIANTS.values()])
    found["released fusion"] = graphs, released
    nets = load_network(list(ports(reference, 1).values()))
    found["PyTorch port, both"] = nets, sum(map(onnx_parameters, port_files(reference)))
    found["opentrack, the teacher"] = opentrack(reference, 1), onnx_parameters(reference / OPENTRACK)
    return found


def main() -> None:
    given = flags.FLAGS
    use_threads(1)
    reference, output = Path(given.reference), Path(given.output)
    found = candidates(reference)
    times = time_faces({name: network for name, (network, _) in found.items()}, 1, given.rounds)
    rows, measured = [], {}
    for name, (network, parameters) in found.items():
        errors = errors_of(network, crops_of(reference, network.card.crop, network.image_size))
        millions, time_ms = parameters / 1e6, statistics.median(times[name])
        measured[name] = time_ms, millions, errors.mae
        values = (f"{millions:.2f} M", *(f"{v:.2f}" for v in (errors.mae, errors.geodesic, time_ms)))
        rows.append(markdown_row(name, *values))
    printed = [markdown_row(name, f"{size} M", mae) for name, (mae, size) in PRINTED.items()]
    plain = {name: values for name, values in measured.items() if "mirrored" not in name}
    draw_efficiency(plain, PRINTED, output.with_suffix(".png"))
    write_text(output, [HEADER.format(processor=processor()), *rows, PRINTED_HEADER, *printed])


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with AFLW2000 and the networks of others.")
    flags.DEFINE_string("output", "docs/efficiency.md", "Page to write; a picture is next to it.")
    flags.DEFINE_integer("rounds", 300, "Timed calls of each network.", 1)
    run(main)
