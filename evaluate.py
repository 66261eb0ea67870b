"""Measure networks on a data set: `python evaluate.py --weights=net.keras --data=aflw2000.npz`.

A network is a `.keras`, released `.h5`, exported file or shipped name; several, separated by commas, are
averaged (the paper's fusion).
"""

import dataclasses
from pathlib import Path

from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.files import sha256, write_json
from fsanet_tf.inference import predict_poses
from fsanet_tf.networks import load_network
from fsanet_tf.pretrained import network_file

flags.DEFINE_list(
    "weights",
    [],
    "Networks: any file of ours or the original's, SavedModel folder, or shipped name; several are averaged.",
)
flags.DEFINE_string("data", None, "Faces: an .npz of the preprocessing.")
flags.DEFINE_integer("protocol", 1, "1 leaves out faces with an angle above 99°, 2 keeps all.", 1, 2)
flags.DEFINE_integer("batch_size", 128, "Faces a step.", 1)
flags.DEFINE_string("output_dir", None, "Folder for report.json and the figures; default: none written.")
flags.mark_flag_as_required("data")
FLAGS = flags.FLAGS


def main() -> None:
    if not FLAGS.weights:
        raise InputError("--weights: expected at least one network")
    dataset = load_dataset(FLAGS.data)
    rows = dataset.within_protocol(FLAGS.protocol)
    if not len(rows):
        raise InputError(f"{FLAGS.data}: no face lies within protocol {FLAGS.protocol}")
    networks = [load_network(path) for path in FLAGS.weights]
    from fsanet_tf.evaluation import draw_report, format_table, measure, measure_by_yaw

    true = dataset.poses[rows]
    predicted = predict_poses(networks, dataset.images[rows], FLAGS.batch_size)
    table = {"all": measure(predicted, true), **measure_by_yaw(predicted, true)}
    num_left_out = len(dataset) - len(rows)
    names = " + ".join(Path(path).name for path in FLAGS.weights)
    print(f"{names} on {FLAGS.data}, protocol {FLAGS.protocol}: {len(rows)} images, {num_left_out} left out")
    print(format_table(table))
    for network in networks:
        if dataset.crop not in (None, network.crop):
            print(f"note: {FLAGS.data} holds {dataset.crop}; {network.name} wants {network.crop}")
    if FLAGS.output_dir is None:
        return
    output_dir = Path(FLAGS.output_dir)
    files = [network_file(source) for source in FLAGS.weights]
    report = {
        "networks": [
            {"file": source, "sha256": sha256(file) if file.is_file() else None}
            for source, file in zip(FLAGS.weights, files, strict=True)
        ],
        "data": FLAGS.data,
        "protocol": FLAGS.protocol,
        "images_left_out": num_left_out,
        "errors_deg": {name: dataclasses.asdict(errors) for name, errors in table.items()},
    }
    draw_report(dataset, rows, predicted, output_dir)
    write_json(output_dir / "report.json", report)
    print(f"report and figures: {output_dir}")


if __name__ == "__main__":
    run(main)
