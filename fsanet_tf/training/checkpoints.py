"""Log and checkpoints of a run in progress, from which a killed run resumes to the same weights.

Keras's `BackupAndRestore` and `ModelCheckpoint` know whole epochs only, and restore neither the raw weights
next to their moving average nor the metrics of an interrupted epoch.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from fsanet_tf.errors import InputError, one_line
from fsanet_tf.networks.card import POSE, UNCERTAINTY, NetworkCard, read_card
from fsanet_tf.networks.keras_files import KERAS_ERRORS, save_model
from fsanet_tf.training.run_directory import BEST_FILE, LAST_FILE, read_log, write_log

CHECK_EVERY = 100  # steps between looks at the loss, each of which waits for the device
STEP_KEY, METRICS_KEY = "step", "metrics"  # of the card of a checkpoint


class Checkpoints(keras.callbacks.Callback):
    """Write the log, the best and, last of all, the newest checkpoint, which alone records the progress.

    Args:
        output_dir: Working directory of the run.
        card: Card of the network's files.
        steps_per_epoch: Steps of a whole epoch.
        save_every: Steps between checkpoints within an epoch; 0: none.

    Attributes:
        step: Steps that were trained.
        rows: The log: a row per epoch.
    """

    def __init__(self, output_dir: Path, card: NetworkCard, steps_per_epoch: int, save_every: int):
        super().__init__()
        self.output_dir = output_dir
        self.card = card
        self.steps_per_epoch = steps_per_epoch
        self.save_every = save_every
        self.step = 0
        self.rows: list[dict[str, float]] = []
        self._metrics: list[Any] = []  # of the interrupted epoch

    def restore(self, model: keras.Model) -> None:
        """Bring weights, optimizer, step and log to the newest checkpoint, if there is one.

        Raises:
            InputError: If the checkpoint or the log is damaged.
        """
        path = self.output_dir / LAST_FILE
        if not path.exists():
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # Keras skips an optimizer that does not fit
                model.load_weights(path)
        except (*KERAS_ERRORS, UserWarning) as error:
            reason = one_line(error)
            raise InputError(f"{path}: expected a checkpoint of this run ({reason})") from error
        card = read_card(path)
        state = card.about if card else {}
        self.step = int(state.get(STEP_KEY, ops.convert_to_numpy(model.optimizer.iterations.value)))
        self._metrics = state.get(METRICS_KEY, [])
        self.rows = read_log(self.output_dir, self.step // self.steps_per_epoch)

    @property
    def best(self) -> dict[str, float]:
        """Row of the epoch with the lowest validation loss of the pose."""
        return min(self.rows, key=_pose_loss, default={"val_loss": np.inf})

    def on_epoch_begin(self, epoch, logs=None):
        if self._metrics:
            _build_metrics(self.model)
            for variable, value in zip(self.model.metrics_variables, self._metrics, strict=True):
                variable.assign(value)
            self._metrics = []

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        within_epoch = self.step % self.steps_per_epoch
        save = within_epoch and self.save_every and self.step % self.save_every == 0
        if save or self.step % CHECK_EVERY == 0:
            self._require_finite(logs)
        if save:
            values = [ops.convert_to_numpy(variable).tolist() for variable in self.model.metrics_variables]
            self._save(LAST_FILE, metrics=values)

    def on_test_begin(self, logs=None):
        self._validation = contextlib.ExitStack()
        self._validation.enter_context(averaged_weights(self.model))

    def on_test_end(self, logs=None):
        self._validation.close()

    def on_epoch_end(self, epoch, logs=None):
        self._require_finite(logs)
        measured = {key.replace(f"{POSE}_mae", "mae").replace(f"{POSE}_geodesic", "geodesic"): value
                    for key, value in logs.items()}  # fmt: skip
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {"epoch": epoch + 1, **dict(sorted(measured.items())), "learning_rate": rate}
        row = {key: float(str(np.float32(value))) for key, value in row.items()}  # no digits of rounding
        improved = _pose_loss(row) < _pose_loss(self.best)
        self.rows.append(row)
        write_log(self.output_dir, self.rows)
        if improved:
            with averaged_weights(self.model):
                self._save(BEST_FILE)
        self._save(LAST_FILE)

    def _require_finite(self, logs: dict[str, Any]) -> None:
        if not np.isfinite(logs["loss"]):
            last = self.output_dir / LAST_FILE
            kept = f"last good checkpoint: {last}" if last.exists() else "no checkpoint had been written"
            raise InputError(f"step {self.step}: the loss is {logs['loss']:g}; {kept}")

    def _save(self, name: str, **state: Any) -> None:
        about = {**self.card.about, STEP_KEY: self.step, **state}
        save_model(self.output_dir / name, self.model, NetworkCard(crop=self.card.crop, about=about))


def _build_metrics(model: keras.Model) -> None:
    """Let a compiled model create its metrics' variables, which it else does in its first step."""
    shapes = {name: (1, *output.shape[1:]) for name, output in model.output.items()}
    targets = {name: np.zeros(shapes[POSE if name == UNCERTAINTY else name], np.float32) for name in shapes}
    model.test_on_batch(np.zeros((1, *model.input_shape[1:]), np.float32), targets)


def _pose_loss(row: dict[str, float]) -> float:
    return row.get(f"val_{POSE}_loss", row["val_loss"])


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Put the moving average of the weights into a model for a block, if its optimizer keeps one.

    Keras's `SwapEMAWeights` swaps by additions, which round.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of 16 bits' loss scaling
    if not optimizer.use_ema:
        yield
        return
    current = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, current, strict=True):
            variable.assign(value)
