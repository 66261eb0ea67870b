"""Error over time of trained runs, as float32 and int8: `python -m benchmarks.capacity --runs=… --data=…`.

The runs are folders of `fsanet train` with networks of other widths, input sizes or backbones. Each is
measured on the faces that it was not trained on; 500 of the others determine the ranges of the 8 bits.
"""

import statistics
import tempfile
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.harness import markdown_row, run, time_faces, use_threads, write_text
from benchmarks.page import processor
from benchmarks.plots import draw_capacity
from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.data.input_pipeline import network_crops
from fsanet_tf.data.split import held_out_rows
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.metrics import Errors, measure
from fsanet_tf.export.formats import export_int8, export_tflite
from fsanet_tf.export.parity import spread
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.networks.card import POSE, NetworkCard
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import Network, load_network, predict_crops
from fsanet_tf.training.run_directory import FINAL_FILE

NUM_REPRESENTATIVE = 500
HEADER = """# Networks of other sizes

`python -m benchmarks.capacity --runs={runs} --data={data}` makes this page.

What a network of another size would give: each was trained from nothing for {epochs} epochs, with its
`--width` and `--variant` (`fsanet_1x1_capsule` are the two streams), as in `fsanet train
--flagfile=recipes/finetune.flags --epochs={epochs} --learning_rate=3e-3 --ema=0.98 --width=0.5
--margin_ratio={margin_ratio} --data={data} --output_dir=runs/strided_050`: one seed and a small
part of the training of the shipped networks, so that these errors compare networks with each other alone.
Errors on {faces:,} held-out faces, from their labels; milliseconds per face of one call with one thread, in
turns in one process on one core of {processor}.

![Error over time](capacity.png)

| network | parameters | float32: ms | MAE | geodesic | int8: ms | MAE | geodesic |
|---|---|---|---|---|---|---|---|"""


def exported(run_dir: Path, data: list[str], faces: FaceDataset, folder: Path) -> tuple[int, list[Network]]:
    """Count the parameters of a run's network, and load it as float32 and as int8."""
    model = load_model(run_dir / FINAL_FILE)
    card = NetworkCard.from_json(model.card)
    paths = folder / f"{run_dir.name}.tflite", folder / f"{run_dir.name}_int8.tflite"
    export_tflite(model, paths[0], "float32", card)
    networks = [load_network(paths[0], 1)]
    trained_on = np.setdiff1d(faces.rows_within(MAX_ANGLE_DEG), held_out_rows(data, card))
    if len(trained_on) == 0:
        raise InputError(f"{run_dir}: was trained on none of {', '.join(data)}")
    crops = network_crops(networks[0], faces, spread(trained_on, NUM_REPRESENTATIVE))
    export_int8(model, paths[1], crops.astype(np.float32), card)
    return model.count_params(), [*networks, load_network(paths[1], 1)]


def held_out_errors(network: Network, data: list[str], faces: FaceDataset) -> Errors:
    """Measure a network on the faces that it was not trained on."""
    rows = np.intersect1d(faces.rows_within(MAX_ANGLE_DEG), held_out_rows(data, network.card))
    return measure(predict_crops(network, network_crops(network, faces, rows))[POSE], faces.poses[rows])


def main() -> None:
    given = flags.FLAGS
    use_threads(1)
    output, faces = Path(given.output), load_dataset(given.data)
    parameters: dict[str, int] = {}
    networks: dict[str, Network] = {}
    with tempfile.TemporaryDirectory() as folder:
        for run_dir in map(Path, given.runs):
            name = run_dir.name
            parameters[name], both = exported(run_dir, given.data, faces, Path(folder))
            networks |= {name: both[0], f"{name}, int8": both[1]}
        times = {name: statistics.median(ms) for name, ms in time_faces(networks, 1, given.rounds).items()}
        errors = {name: held_out_errors(network, given.data, faces) for name, network in networks.items()}
    lines = []
    for name, count in parameters.items():
        pair = (name, f"{name}, int8")
        figures = [f"{value:.2f}" for n in pair for value in (times[n], errors[n].mae, errors[n].geodesic)]
        lines.append(markdown_row(name, f"{count / 1e6:.2f} M", *figures))
    places = {name: (times[name], errors[name].mae) for name in networks}
    families = [{n: places[n] for n in parameters}, {n: places[n] for n in places.keys() - parameters.keys()}]
    draw_capacity(families, output.with_suffix(".png"))
    any_name, any_network = next(iter(networks.items()))
    epochs, num_faces = any_network.card.about["training"]["epochs"], errors[any_name].images
    header = HEADER.format(
        runs=",".join(f"runs/{name}" for name in parameters),
        data=",".join(Path(path).name for path in given.data),
        epochs=epochs,
        margin_ratio=any_network.card.crop.margin_ratio,
        faces=num_faces,
        processor=processor(),
    )
    write_text(output, [header, *lines])


if __name__ == "__main__":
    flags.DEFINE_list("runs", None, "Folders of finished runs of `fsanet train`.", required=True)
    flags.DEFINE_list("data", None, "The .npz files that they were trained on.", required=True)
    flags.DEFINE_string("output", "docs/capacity.md", "Page to write; a picture is next to it.")
    flags.DEFINE_integer("rounds", 300, "Timed calls of each network.", 1)
    run(main)
