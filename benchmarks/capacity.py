"""Error over time of trained runs, as float32 and int8: `python -m benchmarks.capacity --runs=… --data=…`.

The runs are folders of `fsanet train` with networks of other widths, input sizes or backbones. Each is
measured on the faces that it was not trained on; 500 of the others determine the ranges of the 8 bits.
"""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.harness import markdown_row, run, time_faces, use_threads, write_text
from benchmarks.page import processor
from benchmarks.plots import draw_capacity
from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.data.input_pipeline import cut_views
from fsanet_tf.data.split import held_out_rows
from fsanet_tf.evaluation.metrics import Errors, measure
from fsanet_tf.export.formats import export_int8, export_tflite
from fsanet_tf.export.parity import spread
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.networks.card import POSE, NetworkCard
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import Network, load_network, predict_crops
from fsanet_tf.training.run_directory import FINAL_FILE

NUM_REPRESENTATIVE = 500
HEADER = """# Error over time

`python -m benchmarks.capacity --runs=runs/strided_100,… --data=aflw.npz,web.npz,mask.npz` makes this page.

What a network of another size would give: each was trained from nothing for {epochs} epochs (`fsanet train
--flagfile=recipes/finetune.flags --epochs={epochs} --learning_rate=3e-3 --ema=0.98 --width=… --image_size=…
--data=…`, one seed), a small part of the training of the shipped networks: these errors compare networks with
each other alone. Errors on {faces:,} held-out faces, from their labels; milliseconds per face of one call
with one thread, in turns in one process on one core of {processor}.

![Error over time](capacity.png)

| network | parameters | float32: ms | MAE | geodesic | int8: ms | MAE | geodesic |
|---|---|---|---|---|---|---|---|"""


def crops_of(network: Network, faces: FaceDataset, rows: np.ndarray) -> np.ndarray:
    """Cut faces as a network expects them."""
    views = faces.views(network.card.crop.margin_ratio)
    return cut_views(faces.images[rows], views[rows], network.image_size)


def exported(run_dir: Path, data: list[str], faces: FaceDataset, folder: Path) -> Iterator[Network]:
    """Yield the network of a run as float32 and as int8."""
    model = load_model(run_dir / FINAL_FILE)
    card = NetworkCard.from_json(model.card)
    path = folder / f"{run_dir.name}.tflite"
    export_tflite(model, path, "float32", card)
    network = load_network(path, 1)
    yield network
    trained_on = np.setdiff1d(faces.rows_within(MAX_ANGLE_DEG), held_out_rows(data, card))
    crops = crops_of(network, faces, spread(trained_on, NUM_REPRESENTATIVE)).astype(np.float32)
    path = folder / f"{run_dir.name}_int8.tflite"
    export_int8(model, path, crops, card)
    yield load_network(path, 1)


def held_out_errors(network: Network, data: list[str], faces: FaceDataset) -> Errors:
    """Measure a network on the faces that it was not trained on."""
    rows = np.intersect1d(faces.rows_within(MAX_ANGLE_DEG), held_out_rows(data, network.card))
    return measure(predict_crops(network, crops_of(network, faces, rows))[POSE], faces.poses[rows])


def main() -> None:
    given = flags.FLAGS
    use_threads(1)
    runs, output = [Path(name) for name in given.runs], Path(given.output)
    faces = load_dataset(given.data)
    with tempfile.TemporaryDirectory() as folder:
        pairs = [tuple(exported(run_dir, given.data, faces, Path(folder))) for run_dir in runs]
        networks = {network.name: network for pair in pairs for network in pair}
        times = {name: statistics.median(ms) for name, ms in time_faces(networks, 1, given.rounds).items()}
        errors = {name: held_out_errors(network, given.data, faces) for name, network in networks.items()}
    lines = []
    for run_dir, pair in zip(runs, pairs, strict=True):
        millions = load_model(run_dir / FINAL_FILE).count_params() / 1e6
        figures = [(times[n.name], errors[n.name].mae, errors[n.name].geodesic) for n in pair]
        cells = (f"{value:.2f}" for of_one in figures for value in of_one)
        lines.append(markdown_row(run_dir.name, f"{millions:.2f} M", *cells))
    families = [
        {n.name: (times[n.name], errors[n.name].mae) for n in one} for one in zip(*pairs, strict=True)
    ]
    draw_capacity(families, output.with_suffix(".png"))
    epochs, num_faces = pairs[0][0].card.about["training"]["epochs"], errors[pairs[0][0].name].images
    header = HEADER.format(epochs=epochs, faces=num_faces, processor=processor())
    write_text(output, [header, *lines])


if __name__ == "__main__":
    flags.DEFINE_list("runs", None, "Folders of finished runs of `fsanet train`.", required=True)
    flags.DEFINE_list("data", None, "The .npz files that they were trained on.", required=True)
    flags.DEFINE_string("output", "docs/capacity.md", "Page to write; a picture is next to it.")
    flags.DEFINE_integer("rounds", 300, "Timed calls of each network.", 1)
    run(main)
