"""Heads that localize, and that predict the error, for a network whose pose stays as it is.

`python recipes/heads.py --network=var.keras --data=aflw.npz,web.npz --output=localizing.keras` augments the
faces once, computes what the heads read by the frozen network, and trains the heads on that: on two cores a
fraction of the time that `fsanet train --localize --uncertainty` takes for all weights. The data are those of
recipes/teacher_tables.py, without the twins of AFLW2000; the share that the network's run held out is
measured.

`wide` started from a network that a GPU trained for 8 minutes: FSA-Net 1x1 with filters 32, 56, 112 and 224,
140 epochs of the same faces, AdamW at 3e-3 with half a cosine, batch 256. `--width=1.75` of `fsanet
train` gets there without it.
"""

import argparse
import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tqdm import tqdm

from fsanet_tf.data.augmentation import augment
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.split import split_dataset
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, geodesic_errors
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import DEFAULT_BACKBONE, FSANetConfig, variants
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE, UNCERTAINTY, NetworkCard
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.training.recipe import FaceScoreLoss

AUGMENTATION = AugmentationConfig(
    original=False, flip=0.5, rotation_deg=20, borders=0.25, background=0.5, jitter=0.1, shift=0.3,
    zoom=0.45, faceless=0.12, strips=0.12, face_mask=0.08, sunglasses=0.04, color=0.2, grayscale=0.12,
    gamma=0.06, exposure=0.06, sharpen=0.4, low_resolution=0.06, blur=0.04, motion_blur=0.04, noise=0.05,
    erase=0.06,
)  # fmt: skip
MARGIN = 0.29
FACELESS_ERROR_DEG, FACELESS_WEIGHT = 25.0, 0.3  # what the error head learns where there is no face
LOCATOR = ("locator_conv", "locator_pixels", "locator_features")
BATCH, AUGMENTED_BATCH = 256, 128
MAPS, VECTORS, ERROR, WEIGHT = "maps", "vectors", "error", "weight"

Arrays = dict[str, np.ndarray]


def with_heads(network: keras.Model) -> keras.Model:
    """Build the same network with fresh heads; every weight that both have is copied."""
    config = network.architecture or variants().get(network.name)  # 0.3 has none in the file
    assert isinstance(config, FSANetConfig)
    width = config.width
    if config.backbone == DEFAULT_BACKBONE:  # files of before 1.0 do not say it
        width = network.get_layer("relu_block1_conv").filters / 16
    model = build_model(dataclasses.replace(config, width=width, localize=True, uncertainty=True))
    weights = {variable.path: variable for variable in network.weights}
    for variable in model.weights:
        if variable.path in weights:
            variable.assign(weights.pop(variable.path))
    assert not weights, sorted(weights)
    return model


def augmented_features(
    model: keras.Model, data: str, held_out_share: float, count: int, held_out: bool, seed: int
) -> Arrays:
    """Augment faces; return what the heads read and learn from."""
    dataset = load_dataset(data.split(","))
    rows = split_dataset(dataset, MAX_ANGLE_DEG, held_out_share)[int(held_out)]
    views = dataset.views(MARGIN)
    views = np.ones(len(dataset), np.float32) if views is None else views
    size = model.input_shape[1]
    maps, vectors = model.get_layer("locator_conv").input, model.get_layer("error_vectors").output
    frozen = keras.Model(model.input, [maps, vectors, model.output[POSE]])

    @tf.function
    def features(images, poses, step, view):
        crops, targets = augment(images, poses, AUGMENTATION, step, size, view)
        return frozen(tf.round(crops), training=False), targets

    parts: dict[str, list] = {}
    rng = np.random.default_rng(seed)
    for step in tqdm(range(count // AUGMENTED_BATCH), unit="batch"):
        chosen = rng.choice(rows, AUGMENTED_BATCH)
        images, poses = dataset.images[chosen], dataset.poses[chosen]
        (found_maps, found_vectors, found), targets = features(
            images, poses, tf.constant([seed, step]), views[chosen]
        )
        batch = {name: values.numpy() for name, values in targets.items()}
        batch[ERROR] = geodesic_errors(found.numpy(), batch[POSE]).astype(np.float32)
        batch |= {MAPS: found_maps.numpy().astype(np.float16), VECTORS: found_vectors.numpy()}
        batch[WEIGHT] = dataset.weights[chosen]
        for name, values in batch.items():
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def train_heads(model: keras.Model, faces: Arrays, epochs: int) -> keras.Model:
    """Train the heads of a model, in place; return them as a model of what they read."""
    maps = keras.Input(faces[MAPS].shape[1:])
    vectors = keras.Input(faces[VECTORS].shape[1:])
    x = maps
    for name in LOCATOR:
        x = model.get_layer(name)(x)
    score = model.get_layer(FACE_SCORE)(model.get_layer("locator_score")(x))
    error = model.get_layer("error")(model.get_layer("error_features")(vectors))
    outputs = {
        BOX_OFFSET: model.get_layer(BOX_OFFSET)(x),
        FACE_SCORE: score,
        UNCERTAINTY: model.get_layer(UNCERTAINTY)(error),
    }
    heads = keras.Model([maps, vectors], outputs)

    def likelihood(true, expected):  # as ExpectedErrorLoss, of errors that are known, and bounded below
        scale = expected + 0.2
        return ops.log(scale) + true / scale

    steps = len(faces[MAPS]) // BATCH
    heads.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(1.5e-3, epochs * steps),
            weight_decay=1e-3,
            global_clipnorm=5.0,
        ),
        loss={
            BOX_OFFSET: keras.losses.MeanAbsoluteError(),
            FACE_SCORE: FaceScoreLoss(),
            UNCERTAINTY: likelihood,
        },
        loss_weights={BOX_OFFSET: 20.0, FACE_SCORE: 1.0, UNCERTAINTY: 0.5},
        jit_compile=False,
    )
    has_face = faces[FACE_SCORE] > 0
    targets = {
        BOX_OFFSET: faces[BOX_OFFSET],
        FACE_SCORE: faces[FACE_SCORE],
        UNCERTAINTY: np.where(has_face, faces[ERROR], FACELESS_ERROR_DEG).astype(np.float32),
    }
    weights = {
        BOX_OFFSET: faces[FACE_SCORE],
        FACE_SCORE: np.ones(len(has_face), np.float32),
        UNCERTAINTY: np.where(has_face, faces[WEIGHT], FACELESS_WEIGHT).astype(np.float32),
    }
    inputs = [faces[MAPS], faces[VECTORS]]
    heads.fit(inputs, targets, batch_size=BATCH, epochs=epochs, sample_weight=weights, verbose=2)
    return heads


def report(heads: keras.Model, faces: Arrays) -> None:
    """Print the errors on held-out faces."""
    found = heads.predict([faces[MAPS], faces[VECTORS]], batch_size=BATCH, verbose=0)
    has_face = faces[FACE_SCORE] > 0
    offsets = np.abs(found[BOX_OFFSET] - faces[BOX_OFFSET])[has_face].mean(axis=0)
    errors, expected = faces[ERROR][has_face], found[UNCERTAINTY][has_face]
    certain = errors[np.argsort(expected)[: int(0.9 * len(errors))]].mean()
    print(f"{has_face.sum()} faces: offset {offsets[0]:.3f}, {offsets[1]:.3f}, log size {offsets[2]:.3f}")
    print(f"score right in {((found[FACE_SCORE] > 0.5) == has_face).mean():.1%}")
    print(
        f"error expected {expected.mean():.2f}°, measured {errors.mean():.2f}°, certain ones {certain:.2f}°"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", required=True, help="A .keras file or a shipped name.")
    parser.add_argument("--data", required=True, help="The .npz files, separated by commas.")
    parser.add_argument("--output", type=Path, required=True, help="The .keras file to write.")
    parser.add_argument("--count", type=int, default=90_000, help="Augmented faces.")
    parser.add_argument("--epochs", type=int, default=14, help="Passes over them.")
    parser.add_argument("--validation_fraction", type=float, default=0.08, help="That of the network's run.")
    parser.add_argument("--sampling", default="filtered", help="How the network's crops are sampled.")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(3)
    source = load_model(arguments.network)
    complete = with_heads(source)
    data = arguments.data, arguments.validation_fraction
    trained = train_heads(
        complete, augmented_features(complete, *data, arguments.count, False, 7), arguments.epochs
    )
    report(trained, augmented_features(complete, *data, max(arguments.count // 20, 256), True, 8))
    card = NetworkCard.from_json(source.card)
    crop = CropRule(MARGIN, square=True, sampling=arguments.sampling)
    save_model(arguments.output, complete, dataclasses.replace(card, crop=crop))
