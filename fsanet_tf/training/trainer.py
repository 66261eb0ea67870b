"""Resumable training loop."""

import dataclasses
from pathlib import Path

import keras

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.input_pipeline import (
    Faces,
    FacesInMemory,
    FacesInShards,
    split_by_group,
    training_batches,
    validation_batches,
)
from fsanet_tf.data.tfrecords import SUFFIX, read_index
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.files import write_json
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.training.config import DISTRIBUTIONS, LOSSES, OPTIMIZERS, SCHEDULES, TrainingConfig
from fsanet_tf.training.run_directory import (
    BEST_FILE,
    CONFIG_FILE,
    CURVE_FILE,
    FINAL_FILE,
    LAST_FILE,
    config_as_json,
    is_finished,
)
from fsanet_tf.training.run_record import RunRecord, steps_done

__all__ = ["train"]

SPLIT_SEED = 0  # runs of different seeds validate on the same faces


def train(config: TrainingConfig, output_dir: str | Path, verbose: int | str = "auto") -> Path:
    """Train a network, or resume an interrupted run.

    Args:
        config: The run; must equal the one that the directory was started with.
        output_dir: Working directory; receives configuration, log, checkpoints, curve and final network.
        verbose: Keras's progress: 1 a bar, 2 a line per epoch, 0 nothing.

    Returns:
        Path of the final `.keras` file, with a card next to it.

    Raises:
        InputError: If the data cannot be used, the directory contains a run of another configuration, or
            the loss is not finite.

    Example:
        >>> config = fsanet_tf.TrainingConfig(data=("faces.npz",), epochs=1, batch_size=8)
        >>> fsanet_tf.train(config, "run", verbose=0).name
        'final.keras'
    """
    output_dir = Path(output_dir)
    final_path = output_dir / FINAL_FILE
    if is_finished(config, output_dir):
        return final_path
    keras.utils.set_random_seed(config.seed)
    training_faces, validation_faces, crop = load_training_faces(config)
    steps_per_epoch = training_faces.count // config.batch_size
    if steps_per_epoch == 0:
        raise InputError(
            f"{', '.join(config.data)}: {training_faces.count} faces to train on, "
            f"expected at least a batch of {config.batch_size}"
        )
    with DISTRIBUTIONS[config.distribution]():
        model = _restore(output_dir) or _new_model(config, steps_per_epoch)
    write_json(output_dir / CONFIG_FILE, config_as_json(config))
    validation = validation_batches(validation_faces, batch_size=256, image_size=config.image_size)
    record = RunRecord(output_dir, config, steps_per_epoch)
    step = steps_done(model)
    record.forget_from(step // steps_per_epoch)
    while step < config.epochs * steps_per_epoch:
        epoch, place = divmod(step, steps_per_epoch)  # a run interrupted within an epoch first finishes it
        batches = training_batches(
            training_faces,
            batch_size=config.batch_size,
            augmentation=config.augmentation,
            image_size=config.image_size,
            seed=config.seed,
            first_step=step,
        )
        model.fit(
            batches,
            initial_epoch=epoch,
            epochs=epoch + 1 if place else config.epochs,
            steps_per_epoch=steps_per_epoch - place,
            validation_data=validation,
            callbacks=record.callbacks(),
            verbose=verbose,
            shuffle=False,  # the batches are shuffled already
        )
        step = steps_done(model)
    return _finish(config, output_dir, crop, record)


def load_training_faces(config: TrainingConfig) -> tuple[Faces, Faces, CropRule | None]:
    """Load training faces, validation faces, and the crop that the network learns to expect.

    Raises:
        InputError: If a file cannot be used, or no face is left to validate on.
    """
    if config.data[0].endswith(SUFFIX):
        training, validation, crop = _faces_in_shards(config)
    else:
        data = load_dataset(config.data)
        rows = data.rows_within(config.max_angle_deg)
        train_rows, validation_rows = rows, rows[:0]
        if not config.validation_data:
            groups = data.labels.group_numbers()
            train_rows, validation_rows = split_by_group(
                rows, groups, config.validation_fraction, SPLIT_SEED, config.fold
            )
        training = FacesInMemory(data, train_rows, config.margin_ratio)
        validation = FacesInMemory(data, validation_rows, config.margin_ratio)
        crop = data.crop
        if config.margin_ratio is not None:
            crop = CropRule(config.margin_ratio, data.labels.square)
    if config.validation_data:
        held_out = load_dataset(config.validation_data)
        validation = FacesInMemory(held_out, held_out.rows_within(config.max_angle_deg), config.margin_ratio)
    if validation.count == 0:
        raise InputError(f"{', '.join(config.data)}: no face left to validate on")
    return training, validation, crop


def _faces_in_shards(config: TrainingConfig) -> tuple[Faces, Faces, CropRule | None]:
    if len(config.data) > 1:
        raise InputError(f"--data: expected one index of shards, received {len(config.data)} files")
    shards = read_index(config.data[0])
    parts = shards.split(0.0 if config.validation_data else config.validation_fraction)
    training, validation = (FacesInShards(part, config.max_angle_deg, config.margin_ratio) for part in parts)
    crop = shards.crop
    if config.margin_ratio is not None:
        crop = CropRule(config.margin_ratio, square=crop.square if crop else True)
    return training, validation, crop


def _restore(output_dir: Path) -> keras.Model | None:
    path = output_dir / LAST_FILE
    return load_model(path, compiled=True) if path.exists() else None


def _new_model(config: TrainingConfig, steps_per_epoch: int) -> keras.Model:
    if config.mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_float16")
    model = build_model(config.variant, config.image_size)
    if config.init_weights:
        copy_matching_weights(load_model(config.init_weights), model)
    rate = SCHEDULES[config.schedule](
        config.learning_rate, config.epochs, config.warmup_epochs, steps_per_epoch
    )
    average = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    model.compile(
        optimizer=OPTIMIZERS[config.optimizer](rate, config.weight_decay, **average),
        loss=LOSSES[config.loss](),
        metrics=["mae"],
        jit_compile=False if _on_tensorflow_cpu() else "auto",  # 4 to 6 times slower on a CPU
    )
    return model


def _on_tensorflow_cpu() -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def copy_matching_weights(source: keras.Model, target: keras.Model) -> int:
    """Copy the weights that both models have, by path and shape; return how many.

    Raises:
        InputError: If the models share no weight.
    """
    available = {variable.path: variable for variable in source.weights}
    copied = 0
    for variable in target.weights:
        match = available.get(variable.path)
        if match is not None and match.shape == variable.shape:
            variable.assign(match)
            copied += 1
    if not copied:
        raise InputError(f"{source.name}: has no weight in common with {target.name}")
    return copied


def _finish(config: TrainingConfig, output_dir: Path, crop: CropRule | None, record: RunRecord) -> Path:
    """Draw the curve and write the best network, without its optimizer, with its card."""
    from fsanet_tf.drawing.plots import draw_training_curve

    draw_training_curve(record.rows, output_dir / CURVE_FILE)
    model = load_model(output_dir / BEST_FILE)
    best_row = min(record.rows, key=lambda row: row["val_loss"])
    card = {
        "variant": config.variant,
        "image_size": config.image_size,
        **(dataclasses.asdict(crop) if crop else {}),
        "training": dataclasses.asdict(config),
        "validation_mae_deg": best_row["val_mae"],
        "best_epoch": int(best_row["epoch"]),
    }
    save_model(output_dir / FINAL_FILE, model, card)
    return output_dir / FINAL_FILE
