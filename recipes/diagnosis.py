"""What limits a network: its error on faces it was trained on, on others, and where the teacher is certain.

`python recipes/diagnosis.py --data=aflw.npz,web.npz --networks=fusion,var` prints mean absolute errors from
the labels, without augmentation. Equal errors on both mean that a network cannot fit the labels any better; a
lower error on training faces means that it learned them by heart.
"""

import argparse

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.input_pipeline import cut_views
from fsanet_tf.data.split import split_dataset
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, angle_errors
from fsanet_tf.networks.card import POSE
from fsanet_tf.networks.network import load_network, predict_crops

CERTAIN = 0.95  # weight of a face, whose teacher then differs by 1.4° from its answer to the mirror image
EVERY = 8  # training faces that are looked at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="The .npz files of the recipes.")
    parser.add_argument("--networks", default="fusion", help="Networks, separated by commas.")
    parser.add_argument("--validation_fraction", type=float, default=0.08, help="That of the recipes.")
    given = parser.parse_args()
    data = load_dataset(given.data.split(","))
    training, held_out = split_dataset(data, MAX_ANGLE_DEG, given.validation_fraction)
    for name in given.networks.split(","):
        network = load_network(name)
        views = data.views(network.card.crop.margin_ratio)
        for part, rows in (("training", training[::EVERY]), ("held out", held_out)):
            crops = data.images[rows]
            if views is not None:
                crops = cut_views(crops, views[rows], network.image_size)
            errors = angle_errors(predict_crops(network, crops)[POSE], data.poses[rows]).mean(axis=1)
            certain = data.weights[rows] > CERTAIN
            print(f"{name}, {part}: {errors.mean():.2f}°, certain labels {errors[certain].mean():.2f}°")


if __name__ == "__main__":
    main()
