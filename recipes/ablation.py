"""What each idea of the recipe gains: short trainings that differ in one thing, measured on validation faces.

`python recipes/ablation.py --data=aflw.npz,web.npz --init_network=old.keras --output_dir=runs` trains
every row of the table; `--rows=0::2` and `--rows=1::2` share the rows between two processes. `--table` prints
the results. The network to start from is `var` of version 0.1.0, as in the recipe. Held-out faces are those
of the recipes; AFLW2000 is not looked at.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from fsanet_tf.data.augmentation import augment
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset, load_dataset, save_dataset
from fsanet_tf.data.input_pipeline import cut_views
from fsanet_tf.data.split import split_dataset
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, geodesic_errors
from fsanet_tf.networks.card import POSE
from fsanet_tf.networks.network import Network, load_network, predict_crops
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.run_directory import FINAL_FILE
from fsanet_tf.training.trainer import train

MARGIN, WIDE_MARGIN = 0.29, 0.6
FULL = AugmentationConfig(
    original=False, flip=0.5, rotation_deg=30, borders=0.5, background=0.5, jitter=0.1, color=0.2,
    blur=0.05, erase=0.05, grayscale=0.1, low_resolution=0.1, jpeg=0.1,
)  # fmt: skip
PLAIN = AugmentationConfig(original=False)
# What a row changes of the recipe: fields of the configuration, of the augmentation, or of the data.
ROWS: dict[str, dict] = {
    "everything (mixed loss, Adam)": {},
    "loss: mae": {"loss": "mae"},
    "loss: geodesic": {"loss": "geodesic"},
    "moving average of the weights (0.999)": {"ema": 0.999},
    "AdamW (weight decay 0.01)": {"optimizer": "adamw", "weight_decay": 0.01},
    "no weights of the labels": {"weighted": False},
    "no web faces": {"web": False},
    "no rotations": {"rotation_deg": 0},
    "no borders": {"borders": 0},
    "no background in borders": {"background": 0},
    "no shift, scale, aspect": {"jitter": 0},
    "no color, gray, blur, low resolution, JPEG, erasing": dict.fromkeys(
        ("color", "grayscale", "blur", "low_resolution", "jpeg", "erase"), 0
    ),
    "sharpening": {"sharpen": 0.5},
    "borders, low resolution, JPEG, erasing half as often": {
        "borders": 0.25,
        "low_resolution": 0.05,
        "jpeg": 0.05,
        "erase": 0.025,
    },
}
# Validation faces, changed in one way each.
VIEWS = {
    "as they are": PLAIN,
    "turned up to 30°": AugmentationConfig(original=False, rotation_deg=30),
    "shifted boxes": AugmentationConfig(original=False, jitter=0.15),
    "poor pictures": AugmentationConfig(original=False, low_resolution=1, jpeg=1, color=0.3),
    "sharpened": AugmentationConfig(original=False, sharpen=1),
}


def split(paths: list[str], folder: Path) -> FaceDataset:
    """Write the training faces, with and without weights and web faces; return those held out."""
    dataset = load_dataset(paths)
    train_rows, held_out = split_dataset(dataset, MAX_ANGLE_DEG, 0.08)
    aflw_rows = train_rows[np.isclose(dataset.margin_ratios[train_rows], MARGIN)]
    for name, rows, weighted in (
        ("all", train_rows, True), ("aflw", aflw_rows, True), ("unweighted", train_rows, False),
        ("held_out", held_out, True),
    ):  # fmt: skip
        if not (folder / f"{name}.npz").exists():
            part = dataset.select(rows)
            if not weighted:
                ones = np.ones(len(rows), np.float32)
                part = dataclasses.replace(part, weights=ones)
            save_dataset(folder / f"{name}.npz", part)
    return dataset.select(held_out)


def run_config(change: dict, folder: Path, number: int, init_network: str, epochs: int) -> TrainingConfig:
    """Return the configuration of a row."""
    names = {field.name for field in dataclasses.fields(AugmentationConfig)}
    data = "aflw" if not change.get("web", True) else "all" if change.get("weighted", True) else "unweighted"
    config = TrainingConfig(
        data=(str(folder / f"{data}.npz"),),
        output_dir=str(folder / f"{number:02d}"),
        validation_data=(str(folder / "held_out.npz"),),
        variant="fsanet_var_capsule",
        margin_ratio=MARGIN,
        batch_size=64,
        epochs=epochs,
        learning_rate=2e-3,
        schedule="cosine",
        loss="mae_geodesic",
        init_network=init_network,
        seed=1,
        augmentation=dataclasses.replace(FULL, **{k: v for k, v in change.items() if k in names}),
    )
    return dataclasses.replace(
        config, **{k: v for k, v in change.items() if k not in names and k not in ("web", "weighted")}
    )


def measure(network: Network, faces: FaceDataset) -> list[float]:
    """Return the geodesic errors in each view, and of the web faces at a wide margin, in degrees."""
    crops = cut_views(faces.images, faces.views(MARGIN), network.image_size)
    errors = []
    for config in VIEWS.values():
        images, targets = augment(
            tf.constant(crops), tf.constant(faces.poses), config, tf.constant([5, 5]), network.image_size
        )
        predicted = predict_crops(network, images.numpy())[POSE]
        errors.append(float(geodesic_errors(predicted, targets[POSE].numpy()).mean()))
    wide = np.isclose(faces.margin_ratios, WIDE_MARGIN)
    predicted = predict_crops(network, faces.images[wide])[POSE]
    return [*errors, float(geodesic_errors(predicted, faces.poses[wide]).mean())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="The .npz files of the recipes.")
    parser.add_argument("--init_network", required=True, help="Network to start from.")
    parser.add_argument("--output_dir", required=True, type=Path, help="Folder of the runs.")
    parser.add_argument("--epochs", type=int, default=2, help="Of each run.")
    parser.add_argument("--rows", default="0::1", help="Which rows: start::step.")
    parser.add_argument("--table", action="store_true", help="Print the results instead of training.")
    given = parser.parse_args()
    held_out = split(given.data.split(","), given.output_dir)
    if given.table:
        print(f"| | {' | '.join(VIEWS)} | margin {WIDE_MARGIN} |")
        print("|---" * (len(VIEWS) + 2) + "|")
    start, step = map(int, given.rows.split("::"))
    for number, (name, change) in list(enumerate(ROWS.items()))[start::step]:
        config = run_config(change, given.output_dir, number, given.init_network, given.epochs)
        final = Path(config.output_dir) / FINAL_FILE
        if not given.table:
            train(config, progress=True)
        elif final.exists():
            errors = measure(load_network(final), held_out)
            print(f"| {name} | " + " | ".join(f"{error:.2f}" for error in errors) + " |", flush=True)


if __name__ == "__main__":
    main()
