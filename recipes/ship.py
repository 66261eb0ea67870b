"""Put trained networks into the package: `.keras`, `.tflite`, cards, and the fusion's uncertainty.

`python recipes/ship.py --run 1x1=runs/1x1_1,runs/1x1_2 --data=aflw.npz,web.npz` takes the last run of each
network that is named. Earlier runs are its history, as is that of the shipped network which the first one
started from. The faces that the runs validated on calibrate the fusion.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

import fsanet_tf
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.input_pipeline import cut_views, split_by_group
from fsanet_tf.export.formats import export_tflite
from fsanet_tf.geometry.pose import angle_errors, geodesic_errors
from fsanet_tf.io.files import write_json
from fsanet_tf.networks.card import read_card
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.networks.network import Uncertainty, disagreement_and_turn, load_network
from fsanet_tf.networks.pretrained import FOLDER, fusion_card, network_file
from fsanet_tf.training.run_directory import CONFIG_FILE, FINAL_FILE, read_config
from fsanet_tf.training.trainer import SPLIT_SEED

LABELS = "opentrack head pose network, mean of its answers to a crop and its mirror image (distillation)"


def ship(name: str, runs: list[Path]) -> None:
    """Write one network's files from its runs, the last of which counts."""
    stages = [{**read_config(run), "hours": hours(run)} for run in runs]
    earlier = read_card(network_file(stages[0]["init_weights"]).with_suffix(".json"))
    if "recipe" not in earlier:
        earlier = {"recipe": [], "training": {"stages": []}}
    trained = json.loads((runs[-1] / FINAL_FILE).with_suffix(".json").read_text())
    for stage in stages:
        stage["data"] = [Path(path).name for path in stage["data"]]
        stage["init_weights"] = Path(stage["init_weights"]).parent.name or stage["init_weights"]
    card: dict[str, Any] = {
        "name": name,
        "version": fsanet_tf.__version__,
        "variant": trained["variant"],
        "image_size": trained["image_size"],
        "margin_ratio": trained["margin_ratio"],
        "square": trained["square"],
        "input": "BGR, 0 to 255",
        "output": "yaw, pitch, roll in degrees, signs of 300W-LP",
        "labels": LABELS,
        "recipe": [*earlier["recipe"], *(f"recipes/{run.name}.flags" for run in runs)],
        "training": {"stages": [*earlier["training"]["stages"], *stages]},
        "best_epoch": trained["best_epoch"],
        "validation_mae_deg": trained["validation_mae_deg"],
    }
    model = load_model(runs[-1] / FINAL_FILE)
    save_model(FOLDER / f"{name}.keras", model, card)
    export_tflite(model, FOLDER / f"{name}.tflite", "float32", card, batch=None)


def hours(run: Path) -> float:
    """Return how long a run took by the clock, from its configuration to its network."""
    seconds = (run / FINAL_FILE).stat().st_mtime - (run / CONFIG_FILE).stat().st_mtime
    return round(seconds / 3600, 2)


def calibrate(data: list[str], validation_fraction: float) -> dict[str, float]:
    """Fit the error of the fusion on validation faces to its members' disagreement and the head's turn."""
    dataset = load_dataset(data)
    fusion = load_network("fusion")
    _, rows = split_by_group(
        dataset.rows_within(99.0), dataset.labels.group_numbers(), validation_fraction, SPLIT_SEED
    )
    views = dataset.labels.views(fusion.crop.margin_ratio)
    assert views is not None
    crops = cut_views(dataset.images[rows], views[rows], fusion.image_size).astype(np.float32)
    poses = np.stack([member.predict(crops) for member in fusion.members])
    errors = geodesic_errors(poses.mean(axis=0), dataset.poses[rows])
    causes = np.column_stack([np.ones(len(rows)), *disagreement_and_turn(poses)])
    coefficients, *_ = np.linalg.lstsq(causes, errors)
    mae = float(angle_errors(poses.mean(axis=0), dataset.poses[rows]).mean())
    print(f"fusion on {len(rows)} validation faces: MAE {mae:.2f}°, geodesic {errors.mean():.2f}°")
    names = [field.name for field in dataclasses.fields(Uncertainty)]
    return dict(zip(names, coefficients.round(4).tolist(), strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", action="append", required=True, help="NAME=DIR[,DIR…], for each network.")
    parser.add_argument("--data", required=True, help="The .npz files of the runs.")
    parser.add_argument("--validation_fraction", type=float, default=0.08, help="That of the runs.")
    arguments = parser.parse_args()
    for pair in arguments.run:
        network, folders = pair.split("=")
        ship(network, [Path(folder) for folder in folders.split(",")])
    calibration = calibrate(arguments.data.split(","), arguments.validation_fraction)
    write_json(fusion_card(), {"version": fsanet_tf.__version__, "uncertainty": calibration})
    print(f"shipped to {FOLDER}; uncertainty {calibration}")
