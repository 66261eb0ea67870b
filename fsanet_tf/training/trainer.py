"""Resumable training loop."""

import contextlib
import dataclasses
import importlib.metadata
import platform
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

import fsanet_tf
from fsanet_tf.data.dataset import FaceDataset, hashed_files, load_dataset
from fsanet_tf.data.input_pipeline import Faces, training_batches, validation_batches
from fsanet_tf.data.split import split_dataset
from fsanet_tf.errors import InputError, OptionError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.files import writable_folder
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.options import checked
from fsanet_tf.registry import import_thing
from fsanet_tf.training.checkpoints import Checkpoints
from fsanet_tf.training.config import DISTRIBUTIONS, TrainingConfig
from fsanet_tf.training.recipe import compile_network
from fsanet_tf.training.run_directory import (
    BEST_FILE,
    CURVE_FILE,
    FINAL_FILE,
    config_as_json,
    is_finished,
    write_config,
)

__all__ = ["train"]

PACKAGES = ("keras", "tensorflow", "numpy")  # whose versions the card says
NOT_IN_CARD = ("output_dir", "data", "validation_data")


def train(config: TrainingConfig, progress: bool = False) -> Path:
    """Train a network, or resume an interrupted run.

    A killed run ends with the same weights as one that was not interrupted, on the same machine.

    Args:
        config: The run; must equal the one that its directory was started with.
        progress: Show Keras's progress bar.

    Returns:
        Path of the final `.keras` file. The directory also contains configuration, log, checkpoints, curve
        and TensorBoard's events.

    Raises:
        InputError: If the data cannot be used, the directory contains a run of another configuration, or
            the loss is not finite.

    Example:
        >>> config = fsanet_tf.TrainingConfig(data="faces.npz", output_dir="run", epochs=1, batch_size=8)
        >>> fsanet_tf.train(config).name
        'final.keras'
    """
    config = checked("config", TrainingConfig, config)
    output_dir = Path(config.output_dir)
    if is_finished(config):
        return output_dir / FINAL_FILE
    writable_folder(output_dir)
    keras.utils.set_random_seed(config.seed)
    training_faces, validation_faces, crop = load_training_faces(config)
    steps_per_epoch = training_faces.count // config.batch_size
    if steps_per_epoch == 0:
        raise InputError(
            f"{', '.join(config.data)}: {training_faces.count} faces to train on, "
            f"expected at least a batch of {config.batch_size}"
        )
    with import_thing(DISTRIBUTIONS[config.distribution])():
        model, started_from = _new_model(config)
        compile_network(model, config, steps_per_epoch)
        card = NetworkCard(crop=crop, about=_about(config, model.name, started_from))
        checkpoints = Checkpoints(output_dir, card, steps_per_epoch, config.save_every)
        checkpoints.restore(model)
    write_config(config)
    outputs, size = list(model.output), config.architecture().image_size
    validation = validation_batches(validation_faces, batch_size=256, image_size=size, outputs=outputs)
    while checkpoints.step < config.epochs * steps_per_epoch:
        epoch, place = divmod(checkpoints.step, steps_per_epoch)  # an interrupted epoch is finished first
        batches = training_batches(
            training_faces,
            batch_size=config.batch_size,
            augmentation=config.augmentation,
            image_size=size,
            seed=config.seed,
            first_step=checkpoints.step,
            outputs=outputs,
        )
        model.fit(
            batches,
            initial_epoch=epoch,
            epochs=epoch + 1 if place else config.epochs,
            steps_per_epoch=steps_per_epoch - place,
            validation_data=validation,
            callbacks=[checkpoints, keras.callbacks.TensorBoard(str(output_dir / "tensorboard"))],
            verbose=0 if not progress else 1 if sys.stdout.isatty() else 2,
            shuffle=False,  # the batches are shuffled already
        )
        checkpoints.restore(model)  # `fit` leaves the moving average in the weights
    return _finish(config, card, checkpoints)


def load_training_faces(config: TrainingConfig) -> tuple[Faces, Faces, CropRule]:
    """Load training faces, validation faces, and the crop that the network learns to expect.

    Raises:
        InputError: If a file cannot be used, or no face is left to validate on.
    """
    data = _load(config, config.data)
    if config.validation_data:
        held_out = _load(config, config.validation_data)
        training_rows = data.rows_within(config.max_angle_deg)
        validation_rows = held_out.rows_within(config.max_angle_deg)
    else:
        held_out = data
        training_rows, validation_rows = split_dataset(
            data, config.max_angle_deg, config.validation_fraction, config.fold
        )
    training = Faces(data, training_rows, config.margin_ratio)
    validation = Faces(held_out, validation_rows, config.margin_ratio)
    rules = [_rule(config, dataset) for dataset in (data, held_out)]
    if rules[0] != rules[1]:
        raise InputError(f"validation_data: contains {rules[1]}, expected those of data: {rules[0]}")
    if validation.count == 0:
        raise InputError(f"{', '.join(config.data)}: no face left to validate on")
    return training, validation, rules[0]


def _load(config: TrainingConfig, paths: tuple[str, ...]) -> FaceDataset:
    """Load a dataset whose crop rule is known, or was given."""
    dataset = load_dataset(paths)
    if config.margin_ratio is not None:
        return dataset.assuming(CropRule(config.margin_ratio, config.square))
    if dataset.crop is None:
        raise OptionError(
            "margin_ratio",
            f"is required, since the crops of {', '.join(paths)} have different margins or do not say theirs "
            "(the original's files: 0.6, BIWI 0.4)",
        )
    return dataset


def _rule(config: TrainingConfig, dataset: FaceDataset) -> CropRule:
    """Return how the crops of a dataset look once they are cut to the common margin."""
    own, margin = float(dataset.margin_ratios[0]), config.margin_ratio
    return CropRule(round(own, 6) if margin is None else margin, dataset.square, dataset.sampling)


def _new_model(config: TrainingConfig) -> tuple[keras.Model, dict[str, Any] | None]:
    """Build the network with its initial weights; return also what its card says of where they are from."""
    with _dtype_policy("mixed_float16" if config.mixed_precision else "float32"):
        model = build_model(config.architecture())
    if not config.init_network:
        return model, None
    source = load_model(config.init_network)
    copied, total = copy_matching_weights(source, model), len(model.weights)
    if copied < total:
        found = f"{config.init_network}: has {copied} of the {total} weights of {model.name}"
        if not config.partial_init:
            raise OptionError("init_network", f"{found}; partial_init lets the others start at random")
        warnings.warn(f"{found}; the others start at random", stacklevel=3)
    about = NetworkCard.from_json(source.card or {}).about
    known = {key: about[key] for key in ("training", "data", "started_from", "members") if key in about}
    return model, {"network": Path(config.init_network).name, "weights": [copied, total], **known}


def _weights_by_place(model: keras.Model, within: str = "") -> dict[str, keras.Variable]:
    """Return the weights by path; those of a member of a fusion, whose paths do not say so, by member."""
    found: dict[str, keras.Variable] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= _weights_by_place(layer, f"{within}{layer.name}/")
        else:
            found |= {f"{within}{variable.path}": variable for variable in layer.weights}
    return found


def copy_matching_weights(source: keras.Model, target: keras.Model) -> int:
    """Copy the weights that both models have, by place and shape; return how many.

    Raises:
        InputError: If the models share no weight.
    """
    available = _weights_by_place(source)
    copied = 0
    for place, variable in _weights_by_place(target).items():
        match = available.get(place)
        if match is not None and match.shape == variable.shape:
            variable.assign(match)
            copied += 1
    if not copied:
        raise InputError(f"{source.name}: has no weight in common with {target.name}")
    return copied


def _about(config: TrainingConfig, variant: str, started_from: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the card says of the network's origin."""
    training = {key: value for key, value in config_as_json(config).items() if key not in NOT_IN_CARD}
    about: dict[str, Any] = {
        "variant": variant,
        "version": fsanet_tf.__version__,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "data": hashed_files(config.data),
        "training": {**training, "validation_data": hashed_files(config.validation_data)},
    }
    if started_from:
        about["started_from"] = started_from
    return about


def _finish(config: TrainingConfig, card: NetworkCard, checkpoints: Checkpoints) -> Path:
    """Draw the curve and write the best network, in 32 bits and without its optimizer."""
    from fsanet_tf.drawing.plots import draw_training_curve

    output_dir, best = Path(config.output_dir), checkpoints.best
    draw_training_curve(checkpoints.rows, output_dir / CURVE_FILE)
    with _dtype_policy("float32"):
        model = build_model(config.architecture())
    model.load_weights(output_dir / BEST_FILE)
    result = {"best_epoch": int(best["epoch"]), "validation_mae_deg": best["val_mae"]}
    if "val_geodesic" in best:
        result["validation_geodesic_deg"] = best["val_geodesic"]
    about = {**card.about, **result}
    save_model(output_dir / FINAL_FILE, model, dataclasses.replace(card, about=about))
    return output_dir / FINAL_FILE


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Build layers of another precision in a block."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
