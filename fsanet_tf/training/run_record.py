"""The log and the checkpoints of a run in progress."""

import contextlib
import csv
from pathlib import Path

import keras
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.io.files import replace_when_done
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.run_directory import BEST_FILE, LAST_FILE, LOG_FILE


def steps_done(model: keras.Model) -> int:
    """Return how many steps a model has been trained; the only record of a run's progress."""
    return int(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(model.optimizer.iterations)))


class RunRecord:
    """The log of a run, and the callbacks that update it and the checkpoints."""

    def __init__(self, output_dir: Path, config: TrainingConfig, steps_per_epoch: int):
        self.output_dir = output_dir
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self.rows: list[dict[str, float]] = []

    def forget_from(self, epoch: int) -> None:
        """Read the log of an interrupted run, up to the epoch of its checkpoint.

        Raises:
            InputError: If it is damaged.
        """
        path = self.output_dir / LOG_FILE
        if not path.exists():
            return
        try:
            with path.open(newline="") as file:
                rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
            self.rows = [row for row in rows if row["epoch"] <= epoch]
        except (ValueError, TypeError, KeyError, csv.Error) as error:
            raise InputError(
                f"{path}: expected the log of an earlier run, could not read it ({error})"
            ) from error

    @property
    def best(self) -> float:
        """Lowest validation loss so far."""
        return min((row["val_loss"] for row in self.rows), default=np.inf)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        tensorboard = keras.callbacks.TensorBoard(str(self.output_dir / "tensorboard"))
        average = [keras.callbacks.SwapEMAWeights()] if self.config.ema else []
        return [tensorboard, *average, _Checkpoints(self)]


class _Checkpoints(keras.callbacks.Callback):
    """Write the log, the best and, last of all, the newest checkpoint, which alone records the progress."""

    def __init__(self, record: RunRecord):
        super().__init__()
        self.record = record

    def on_train_batch_end(self, batch, logs=None):
        step = steps_done(self.model)
        if not np.isfinite(logs["loss"]):
            last = self.record.output_dir / LAST_FILE
            kept = f"last good checkpoint: {last}" if last.exists() else "no checkpoint had been written"
            raise InputError(f"step {step}: the loss is {logs['loss']}; {kept}")
        every = self.record.config.save_every
        if every and step % every == 0 and step % self.record.steps_per_epoch:
            self._save(LAST_FILE)

    def on_epoch_end(self, epoch, logs=None):
        record = self.record
        improved = logs["val_loss"] < record.best
        row = {"epoch": epoch + 1, **{key: float(value) for key, value in sorted(logs.items())}}
        record.rows.append(row)
        with (
            replace_when_done(record.output_dir / LOG_FILE) as temporary,
            temporary.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(record.rows)
        if improved:
            with _averaged_weights(self.model):
                self._save(BEST_FILE)
        self._save(LAST_FILE)

    def _save(self, name: str) -> None:
        with replace_when_done(self.record.output_dir / name) as temporary:
            self.model.save(temporary)


@contextlib.contextmanager
def _averaged_weights(model: keras.Model):
    """Put the moving average of the weights into the model for a block, if the optimizer keeps one."""
    if not model.optimizer.use_ema:
        yield
        return
    current = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, current, strict=True):
            variable.assign(value)
