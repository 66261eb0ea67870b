"""Export of a network to files for servers and phones, each compared with Keras and timed."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import fsanet_tf
from fsanet_tf.errors import InputError
from fsanet_tf.export.config import FORMATS, ExportConfig, ExportRequest
from fsanet_tf.export.latency import measure_in_new_process
from fsanet_tf.export.parity import Parity, compare_with_keras, load_samples, random_samples
from fsanet_tf.export.quantization import Trial
from fsanet_tf.export.served_model import build_served_model
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.files import replace_when_done, require_file, sha256, write_json
from fsanet_tf.networks.card import card_path, read_card, read_crop_rule
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import Uncertainty, shipped_uncertainty
from fsanet_tf.networks.pretrained import FUSION, keras_files
from fsanet_tf.networks.released.table import RELEASED
from fsanet_tf.networks.runtimes import POSE, UNCERTAINTY

__all__ = ["ExportReport", "export_model"]

THREADS = (1, 2)


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        files: What was written: size, and distance from the Keras network in degrees.
        int8_trials: What each kind of operation costs in 8 bits.
        latency: By file: times per face with one and two threads.
        refused: One line per format that was not written, with the reason.

    Example:
        >>> config = fsanet_tf.ExportConfig(("var",), "exported", ("tflite_float32",), latency_rounds=0)
        >>> [row.file for row in fsanet_tf.export_model(config).files]
        ['fsanet_var_capsule_float32.tflite']
    """

    files: tuple[Parity, ...]
    int8_trials: tuple[Trial, ...]
    latency: dict[str, dict[str, Any]]
    refused: tuple[str, ...]


def export_model(config: ExportConfig, on_file: Callable[[Parity], None] = lambda row: None) -> ExportReport:
    """Export a network, or the mean of several, to one file per format.

    Each file is loaded again, compared with the Keras network in degrees, and not written if its error
    grows beyond `max_mae_increase`. `parity.json` in the output folder contains the report.

    Args:
        config: What to write.
        on_file: Called after each file.

    Returns:
        The report; it names the formats that were refused.

    Raises:
        InputError: If a network or the data cannot be used.

    Example:
        >>> config = fsanet_tf.ExportConfig(("var",), "exported", ("tflite_float16",), latency_rounds=0)
        >>> fsanet_tf.export_model(config).refused
        ()
    """
    weights = [str(require_file(path, "a network")) for path in keras_files(config.weights)]
    for data in filter(None, (config.parity_data, config.representative_data)):
        require_file(data, "an .npz of faces")
    if keras.backend.backend() != "tensorflow":
        raise InputError(f"export needs KERAS_BACKEND=tensorflow, received {keras.backend.backend()}")
    rule = common_crop_rule(weights)
    uncertainty = shipped_uncertainty() if config.weights == (FUSION,) else None
    model = load_source(weights, config.mirror, uncertainty)
    size = model.input_shape[1]
    representative = load_samples(config.representative_data, size)
    samples = load_samples(config.parity_data, size) or representative or random_samples(size)
    expected = predict_columns(model, samples.crops)
    card = make_card(model, weights, rule, config.mirror)
    request = ExportRequest(config, card, representative.crops if representative else None)
    output_dir = Path(config.output_dir)
    files, timed, trials, refused = [], [], [], []
    for name in config.formats or config.default_formats():
        kind = FORMATS[name]
        path = output_dir / (kind.folder or model.name + kind.suffix)
        network_file = kind.network_file.format(name=model.name)
        try:
            with replace_when_done(path) as temporary:
                trials += kind(model, temporary, request)
                row = require_parity(
                    compare_with_keras(temporary, samples, expected, network_file), config.max_mae_increase
                )
        except InputError as error:
            refused.append(str(error))
            continue
        if not path.is_dir():
            write_json(card_path(path), card)
        files.append(row)
        timed.append(path / network_file)
        on_file(row)
    latency: dict[str, dict[str, Any]] = {}
    if config.latency_rounds and files:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / f"{model.name}.keras"
            as_pose_model(model).save(source)
            latency = time_files(source, timed, config.latency_rounds)
    report = ExportReport(tuple(files), tuple(trials), latency, tuple(refused))
    write_json(output_dir / "parity.json", dataclasses.asdict(report))
    return report


def common_crop_rule(paths: Sequence[str]) -> CropRule:
    """Return the crop that the networks expect.

    Raises:
        InputError: If they expect different ones.
    """
    rules = {path: read_crop_rule(Path(path)) for path in paths}
    if len(set(rules.values())) > 1:
        received = ", ".join(f"{path} expects {rule}" for path, rule in rules.items())
        raise InputError(f"--weights: expected networks of one crop, received: {received}")
    return rules[paths[0]]


def load_source(
    paths: Sequence[str], mirror: bool = False, uncertainty: Uncertainty | None = None
) -> keras.Model:
    """Load the networks, as one model that averages them and their mirrored poses if need be."""
    models = [load_model(path) for path in paths]
    if len(models) == 1 and not mirror:
        return models[0]
    name = models[0].name if len(models) == 1 else "fsanet_fusion"
    try:
        return build_served_model(models, name + ("_mirror" if mirror else ""), mirror, uncertainty)
    except ValueError as error:
        raise InputError(f"{', '.join(paths)}: {error}") from error


def as_pose_model(model: keras.Model) -> keras.Model:
    """Return the model without its expected errors, for Keras's `predict`."""
    return keras.Model(model.input, model.output[POSE]) if isinstance(model.output, dict) else model


def predict_columns(model: keras.Model, crops: np.ndarray) -> np.ndarray:
    """Predict poses `(N, 3)`, with the expected errors as a fourth column if the model predicts them."""
    outputs = model.predict(crops, verbose=0)
    return np.column_stack(list(outputs.values())) if isinstance(outputs, dict) else outputs


def make_card(
    model: keras.Model, paths: Sequence[str], rule: CropRule, mirror: bool = False
) -> dict[str, Any]:
    """Build the card of an exported file."""
    sources = {path: sha256(path) for path in paths}
    return {
        "variant": model.name,
        "image_size": model.input_shape[1],
        "input": "BGR, 0 to 255",
        "output": "yaw, pitch, roll in degrees, signs of 300W-LP",
        "mirror": mirror,
        "uncertainty": isinstance(model.output, dict) and UNCERTAINTY in model.output,
        **dataclasses.asdict(rule),
        "training": common_training(sources),
        "source_sha256": {Path(path).name: digest for path, digest in sources.items()},
        "versions": {
            "fsanet_tf": fsanet_tf.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }


def common_training(sources: Mapping[str, str]) -> dict[str, Any]:
    """Return how networks were trained, by their paths and SHA-256, as far as cards or hashes tell."""
    released = {file.sha256: file.folder.removesuffix("_models") for file in RELEASED.values()}
    trainings = [
        read_card(Path(path)).get("training", {"data": [released.get(digest, "unknown")]})
        for path, digest in sources.items()
    ]
    same = all(training == trainings[0] for training in trainings)
    return trainings[0] if same else {"members": trainings}


def require_parity(row: Parity, max_mae_increase: float) -> Parity:
    """Refuse a file whose error on labeled faces has grown too much."""
    if row.mae_increase_deg is not None and not row.mae_increase_deg <= max_mae_increase:
        raise InputError(
            f"{row.file}: not written: its MAE is {row.mae_deg:.3f}°, {row.mae_increase_deg:+.3f}° from "
            f"the Keras network's; expected at most {max_mae_increase:+.3f}°"
        )
    return row


def time_files(keras_path: Path, paths: Sequence[Path], rounds: int) -> dict[str, dict[str, Any]]:
    """Measure the latency of every file, and of Keras's `predict`, with each number of threads."""
    measured = {n: measure_in_new_process([keras_path, *paths], rounds, n) for n in THREADS}

    def report(path: Path) -> dict[str, Any]:
        threads = {n: rows[str(path)] for n, rows in measured.items()}
        ratio = measured[1][str(keras_path)].single_ms / threads[1].single_ms
        return {
            **{f"threads_{n}": dataclasses.asdict(row) for n, row in threads.items()},
            "times_faster_than_keras": ratio,
        }

    return {path.name: report(path) for path in [keras_path, *paths]}
