"""One training run in one working directory, which a killed run takes up again."""

import contextlib
import dataclasses
from pathlib import Path

import keras

from fsanet_tf.crop import CropRule
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.input_pipeline import (
    Faces,
    FacesInMemory,
    FacesInShards,
    split_indices,
    training_batches,
    validation_batches,
)
from fsanet_tf.data.tfrecords import SUFFIX, read_index
from fsanet_tf.errors import InputError
from fsanet_tf.files import write_json
from fsanet_tf.models import build_model
from fsanet_tf.training import recipe
from fsanet_tf.training.config import TrainingConfig
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
from fsanet_tf.weights.keras_files import load_model, save_model


def train(config: TrainingConfig, output_dir: str | Path, verbose: int | str = "auto") -> Path:
    """Train, or go on with a run that was stopped, to the end.

    Args:
        config: the run; must equal the one that the directory was started with.
        output_dir: working directory; gets the configuration, logs, checkpoints, curve and final net.
        verbose: Keras's progress: 1 a bar, 2 a line an epoch, 0 nothing.

    Returns:
        Path of the final `.keras` file, with a card beside it.

    Raises:
        InputError: bad data, a directory of another configuration, or a loss that is not finite.
    """
    output_dir = Path(output_dir)
    final_path = output_dir / FINAL_FILE
    if is_finished(config, output_dir):
        return final_path
    keras.utils.set_random_seed(config.seed)
    training_faces, validation_faces, crop = load_faces(config)
    steps_per_epoch = training_faces.count // config.batch_size
    if steps_per_epoch == 0:
        raise InputError(
            f"{', '.join(config.data)}: {training_faces.count} faces to train on, "
            f"expected at least a batch of {config.batch_size}"
        )
    with _strategy_scope(config.distribution):
        model = _restore(output_dir) or _new_model(config, steps_per_epoch)
    write_json(output_dir / CONFIG_FILE, config_as_json(config))
    validation = validation_batches(validation_faces, batch_size=256, image_size=config.image_size)
    record = RunRecord(output_dir, config, steps_per_epoch)
    step = steps_done(model)
    record.forget_from(step // steps_per_epoch)
    while step < config.epochs * steps_per_epoch:
        epoch, place = divmod(step, steps_per_epoch)  # a run stopped within an epoch first ends that one
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
            shuffle=False,  # the batches already are
        )
        step = steps_done(model)
    return _finish(config, output_dir, crop, record)


def load_faces(config: TrainingConfig) -> tuple[Faces, Faces, CropRule | None]:
    """Training faces, validation faces, and how the training crops were cut.

    Raises:
        InputError: a file cannot be used, or nothing is left to validate on.
    """
    if config.data[0].endswith(SUFFIX):
        training, validation, crop = _faces_in_shards(config)
    else:
        data = load_dataset(config.data)
        rows = data.within_protocol(config.protocol)
        train_rows, validation_rows = rows, rows[:0]
        if not config.validation_data:
            train_rows, validation_rows = split_indices(rows, config.validation_fraction, config.seed)
        training, validation = FacesInMemory(data, train_rows), FacesInMemory(data, validation_rows)
        crop = data.crop
    if config.validation_data:
        validation_data = load_dataset(config.validation_data)
        validation = FacesInMemory(validation_data, validation_data.within_protocol(config.protocol))
    if validation.count == 0:
        raise InputError(f"{', '.join(config.data)}: no face left to validate on")
    return training, validation, crop


def _faces_in_shards(config: TrainingConfig) -> tuple[Faces, Faces, CropRule | None]:
    if len(config.data) > 1:
        raise InputError(f"--data: expected one index of shards, received {len(config.data)} files")
    shards = read_index(config.data[0])
    parts = shards.split(0.0 if config.validation_data else config.validation_fraction)
    training, validation = (FacesInShards(part, config.protocol) for part in parts)
    return training, validation, shards.crop


def _strategy_scope(distribution: str):
    if distribution == "none":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(
        tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices()
    ).scope()


def _restore(output_dir: Path) -> keras.Model | None:
    path = output_dir / LAST_FILE
    return load_model(path, compiled=True) if path.exists() else None


def _new_model(config: TrainingConfig, steps_per_epoch: int) -> keras.Model:
    if config.mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_float16")
    model = build_model(config.variant, config.image_size)
    if config.init_weights:
        copy_matching_weights(load_model(config.init_weights), model)
    rate = recipe.learning_rate(
        config.schedule, config.learning_rate, config.epochs, config.warmup_epochs, steps_per_epoch
    )
    model.compile(
        optimizer=recipe.optimizer(config.optimizer, rate, config.weight_decay, config.ema),
        loss=recipe.loss(config.loss),
        metrics=["mae"],
        jit_compile=False if _on_tensorflow_cpu() else "auto",  # on a CPU it is 4 to 6 times slower
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
        InputError: the models share no weight.
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
    """Draw the curve and write the best net, without its optimiser, with its card."""
    from fsanet_tf.plots import draw_training_curve

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
