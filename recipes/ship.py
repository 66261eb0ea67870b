"""Put trained networks into the package: `.keras`, `.tflite`, the 8-bit file, and the fusion's uncertainty.

`python recipes/ship.py --network 1x1=1x1.keras --network strided=runs/strided --data=aflw.npz,web.npz` takes
a file of recipes/on_gpu.py, or the network of a run of recipes/finetune.flags, whose card contains the
network that it was started from. Some of the faces trained on determine the ranges of the 8 bits; those that
were held out calibrate the fusion.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

import fsanet_tf
from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.data.input_pipeline import network_crops
from fsanet_tf.data.split import split_dataset
from fsanet_tf.export.formats import export_int8, export_tflite
from fsanet_tf.export.parity import spread
from fsanet_tf.geometry.disagreement import ErrorCalibration, disagreement_and_turn
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, angle_errors, geodesic_errors
from fsanet_tf.io.files import replace_when_done, write_json
from fsanet_tf.networks.card import POSE, NetworkCard
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.networks.network import load_network, predict_crops
from fsanet_tf.networks.pretrained import DEFAULT, DEFAULT_INT8, FOLDER, FUSED, FUSION
from fsanet_tf.training.run_directory import CONFIG_FILE, FINAL_FILE

LABELS = "means of the answers of two teachers and of networks that learned from them (distillation)"
NUM_REPRESENTATIVE = 500
RECIPE = "recipes/finetune.flags"  # of a run


def ship(name: str, source: Path) -> None:
    """Write one network's files from its run, or from a `.keras` file that says how it was trained."""
    is_run = source.is_dir()
    model = load_model(source / FINAL_FILE if is_run else source)
    card = NetworkCard.from_json(model.card)
    about = {"labels": LABELS, **card.about, "name": name, "version": fsanet_tf.__version__}
    if is_run:
        about |= {"recipe": RECIPE, "hours": hours(source)}
    crop = dataclasses.replace(card.crop, sampling="filtered")  # the data were stored as crops
    card = dataclasses.replace(card, about=about, crop=crop)
    if model.name != f"fsanet_{name}_capsule":  # the paper's networks have the names of their variants
        model.name = f"fsanet_{name}"
    for variable in model.variables:
        if variable.dtype == "float32":
            variable.assign(rounded(variable.numpy()))
    save_model(FOLDER / f"{name}.keras", model, card)
    with replace_when_done(FOLDER / f"{name}.tflite") as temporary:
        export_tflite(model, temporary, "float16", card, batch=None)


def ship_int8(faces: FaceDataset, rows: np.ndarray) -> None:
    """Write the default network in 8 bits, whose ranges are those of some faces."""
    model = load_model(DEFAULT)
    crops = network_crops(load_network(model), faces, rows).astype(np.float32)
    card = NetworkCard.from_json(model.card)
    card = dataclasses.replace(card, about={**card.about, "name": DEFAULT_INT8})
    with replace_when_done(FOLDER / f"{DEFAULT_INT8}.tflite") as temporary:
        export_int8(model, temporary, crops, card)


def rounded(weights: np.ndarray) -> np.ndarray:
    """Round float32 to 10 significant bits, which a compressed file stores in half of the space."""
    bits = np.ascontiguousarray(weights, np.float32).view(np.uint32)
    return ((bits + 0x2000) & 0xFFFFC000).astype(np.uint32).view(np.float32)


def hours(run: Path) -> float:
    """Return how long a run took by the clock, from its configuration to its network."""
    seconds = (run / FINAL_FILE).stat().st_mtime - (run / CONFIG_FILE).stat().st_mtime
    return round(seconds / 3600, 2)


def calibrate(faces: FaceDataset, held_out: np.ndarray) -> dict[str, float]:
    """Fit the error of the fusion on held-out faces to its members' disagreement and the head's turn."""
    members = [load_network(name) for name in FUSED]
    poses = np.stack([predict_crops(net, network_crops(net, faces, held_out))[POSE] for net in members])
    mean, true_deg = poses.mean(axis=0), faces.poses[held_out]
    errors = geodesic_errors(mean, true_deg)
    causes = np.column_stack([np.ones(len(errors)), *disagreement_and_turn(poses)])
    coefficients, _ = nnls(causes, errors)
    mae = float(angle_errors(mean, true_deg).mean())
    print(f"fusion on {len(errors)} held-out faces: MAE {mae:.2f}°, geodesic {errors.mean():.2f}°")
    names = [field.name for field in dataclasses.fields(ErrorCalibration)]
    return dict(zip(names, coefficients.round(4).tolist(), strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", action="append", required=True, help="NAME=DIR or NAME=FILE, for each.")
    parser.add_argument("--data", required=True, help="The .npz files trained on.")
    parser.add_argument("--validation_fraction", type=float, default=0.06, help="Held out.")
    arguments = parser.parse_args()
    for pair in arguments.network:
        name, source = pair.split("=")
        ship(name, Path(source))
    dataset = load_dataset(arguments.data.split(","))
    trained_on, held_out = split_dataset(dataset, MAX_ANGLE_DEG, arguments.validation_fraction)
    ship_int8(dataset, spread(trained_on, NUM_REPRESENTATIVE))
    calibration = calibrate(dataset, held_out)
    content = {"version": fsanet_tf.__version__, "uncertainty": calibration}
    write_json(FOLDER / f"{FUSION}.json", content)
    print(f"shipped to {FOLDER}; uncertainty {calibration}")
