"""Export of a network to files for servers and phones, each compared with Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

import fsanet_tf
from fsanet_tf.data.npz_file import EXPECTED
from fsanet_tf.errors import InputError
from fsanet_tf.export.config import COREML, FORMATS, INT8, WEB, WEB_NETWORK, ExportConfig
from fsanet_tf.export.coreml import export_coreml
from fsanet_tf.export.formats import (
    Precision,
    export_frozen_graph,
    export_int8,
    export_onnx,
    export_saved_model,
    export_tflite,
)
from fsanet_tf.export.parity import (
    Parity,
    astronaut_samples,
    compare_with_keras,
    load_samples,
    require_parity,
    spread,
)
from fsanet_tf.export.quantization import Trial
from fsanet_tf.export.web import write_web
from fsanet_tf.io.files import library_path, replace_when_done, require_file, writable_folder, write_json
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.keras_files import load_model, make_card
from fsanet_tf.networks.network import require_finite
from fsanet_tf.networks.pretrained import network_sha256
from fsanet_tf.options import checked

__all__ = ["ExportReport", "export_model"]

NUM_REPRESENTATIVE = 200


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        files: What was written: size, distance from the Keras network, time per face.
        compared_on: The faces of the comparison.
        int8_trials: What each kind of operation costs in 8 bits.
        refused: One line per format that was not written, with the reason.
        left_out: One line per format that was neither named nor possible.

    Example:
        >>> config = fsanet_tf.ExportConfig("var", "exported", formats="tflite_float32")
        >>> [row.file for row in fsanet_tf.export_model(config).files]
        ['fsanet_var_capsule_float32.tflite']
    """

    files: tuple[Parity, ...]
    compared_on: str
    int8_trials: tuple[Trial, ...]
    refused: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Job:
    """The network and the options from which the formats are written."""

    config: ExportConfig
    model: keras.Model
    card: NetworkCard
    faces: np.ndarray  # for int8's ranges
    progress: bool

    def tflite(self, path: Path, precision: Precision) -> None:
        batch = 1 if self.config.batch == "1" else None
        export_tflite(self.model, path, precision, self.card, batch)


WRITERS: dict[str, Callable[[_Job, Path], list[Trial] | None]] = {
    "saved_model": lambda job, path: export_saved_model(job.model, path, job.card),
    "frozen_graph": lambda job, path: export_frozen_graph(job.model, path, job.card),
    "onnx": lambda job, path: export_onnx(job.model, path, job.card),
    "tflite_float32": lambda job, path: job.tflite(path, "float32"),
    "tflite_float16": lambda job, path: job.tflite(path, "float16"),
    "tflite_dynamic": lambda job, path: job.tflite(path, "dynamic"),
    INT8: lambda job, path: export_int8(
        job.model, path, job.faces, job.card, job.config.integer_io, job.progress
    ),
    COREML: lambda job, path: export_coreml(job.model, path, job.card),
    WEB: lambda job, path: write_web(job.model, path, job.card, job.config.web_runtime),
}


def export_model(config: ExportConfig, progress: bool = False) -> ExportReport:
    """Export a network, or the mean of several, to one file per format.

    Each file, but for CoreML's, is loaded again and compared with the Keras network in degrees. It is not
    written if an output is not finite, if its error on labeled faces grows by more than `max_mae_increase`,
    or, without labels, if its poses are far from Keras's. `parity.json` in the output folder contains the
    report.

    Args:
        config: What to write.
        progress: Whether to show a progress bar.

    Returns:
        The report; it names the formats that were refused.

    Raises:
        InputError: If a network or the data cannot be used, or the network's own outputs are not finite.

    Example:
        >>> config = fsanet_tf.ExportConfig("var", "exported", formats="tflite_float16")
        >>> fsanet_tf.export_model(config).refused
        ()
    """
    config = checked("config", ExportConfig, config)
    output_dir = writable_folder(config.output_dir)
    for faces_file in filter(None, (config.representative_data, config.parity_data)):
        require_file(faces_file, EXPECTED)
    if keras.backend.backend() != "tensorflow":
        raise InputError(f"export needs KERAS_BACKEND=tensorflow, received {keras.backend.backend()}")
    network = config.network[0] if len(config.network) == 1 else config.network
    model = load_model(network, mirror=config.mirror)
    size = model.input_shape[1]
    card = make_card(model)
    card = dataclasses.replace(card, about={**card.about, **_about(model, config)})
    representative = load_samples(config.representative_data, size)
    samples = load_samples(config.parity_data, size) or representative or astronaut_samples(size, card.crop)
    expected = model.predict(samples.crops, verbose=0)
    require_finite(", ".join(config.network), expected)
    samples = samples.without_own_labels(expected)
    faces = representative.crops if representative else samples.crops[:0]  # without them there is no int8
    job = _Job(config, model, card, spread(faces, NUM_REPRESENTATIVE), progress)
    files: list[Parity] = []
    trials: list[Trial] = []
    refused: list[str] = []
    for name in tqdm(config.chosen_formats(), unit="file", disable=not progress):
        path = output_dir / (WEB if name == WEB else model.name + FORMATS[name])
        network_file = WEB_NETWORK.format(model.name) if name == WEB else ""
        temporary = path
        try:
            with replace_when_done(path) as scratch, library_path(scratch.parent) as folder:
                temporary = Path(folder, scratch.name)
                trials += WRITERS[name](job, temporary) or []
                row = compare_with_keras(temporary, samples, expected, network_file)
                files.append(require_parity(row, config.max_mae_increase))
        except InputError as error:
            refused.append(str(error).replace(str(temporary), path.name))
    left_out = (
        () if config.formats or representative else (f"{INT8}: left out, it needs representative_data",)
    )
    report = ExportReport(tuple(files), samples.origin, tuple(trials), tuple(refused), left_out)
    write_json(output_dir / "parity.json", dataclasses.asdict(report))
    return report


def _about(model: keras.Model, config: ExportConfig) -> dict[str, Any]:
    """Return what the card of the exported files adds to the network's own."""
    digests: dict[str, str] = {}
    for network in config.network:
        digests |= network_sha256(network, ".keras")
    return {
        "variant": model.name,
        "mirror": config.mirror,
        "source_sha256": digests,
        "versions": {
            "fsanet_tf": fsanet_tf.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }
