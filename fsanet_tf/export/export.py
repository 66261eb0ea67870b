"""Export of a network to files for servers and phones, each compared with Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

import fsanet_tf
from fsanet_tf.errors import InputError
from fsanet_tf.export.config import COREML, FORMATS, INT8, WEB, WEB_NETWORK, ExportConfig
from fsanet_tf.export.formats import (
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
from fsanet_tf.io.files import (
    library_path,
    replace_when_done,
    require_file,
    sha256,
    writable_folder,
    write_json,
)
from fsanet_tf.networks.card import OUTPUTS, NetworkCard
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.pretrained import FUSION, fusion_members, keras_file

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
    """What the formats are written from."""

    config: ExportConfig
    model: keras.Model
    card: NetworkCard
    faces: np.ndarray | None
    progress: bool

    def tflite(self, path: Path, precision: str) -> None:
        batch = 1 if self.config.batch == "1" else None
        export_tflite(self.model, path, precision, self.card, batch)

    def int8(self, path: Path) -> list[Trial]:
        assert self.faces is not None  # the configuration requires them
        faces = spread(self.faces, NUM_REPRESENTATIVE)
        return export_int8(self.model, path, faces, self.card, self.config.integer_io, self.progress)

    def coreml(self, path: Path) -> None:
        from fsanet_tf.export.coreml import export_coreml

        export_coreml(self.model, path, self.card)

    def web(self, path: Path) -> None:
        from fsanet_tf.export.web import write_web

        write_web(self.model, path, self.card, self.config)


WRITERS: dict[str, Callable[[_Job, Path], list[Trial] | None]] = {
    "saved_model": lambda job, path: export_saved_model(job.model, path, job.card),
    "frozen_graph": lambda job, path: export_frozen_graph(job.model, path, job.card),
    "onnx": lambda job, path: export_onnx(job.model, path, job.card),
    "tflite_float32": lambda job, path: job.tflite(path, "float32"),
    "tflite_float16": lambda job, path: job.tflite(path, "float16"),
    "tflite_dynamic": lambda job, path: job.tflite(path, "dynamic"),
    INT8: _Job.int8,
    COREML: _Job.coreml,
    WEB: _Job.web,
}


def export_model(config: ExportConfig, progress: bool = False) -> ExportReport:
    """Export a network, or the mean of several, to one file per format.

    Each file is loaded again and compared with the Keras network in degrees. It is not written if an output
    is not finite, if its error on labeled faces grows by more than `max_mae_increase`, or, without labels, if
    its poses are far from Keras's. `parity.json` in the output folder contains the report.

    Args:
        config: What to write.
        progress: Whether to show a progress bar.

    Returns:
        The report; it names the formats that were refused.

    Raises:
        InputError: If a network or the data cannot be used.

    Example:
        >>> config = fsanet_tf.ExportConfig("var", "exported", formats="tflite_float16")
        >>> fsanet_tf.export_model(config).refused
        ()
    """
    output_dir = writable_folder(config.output_dir)
    sources = {str(path): sha256(require_file(path, "a network")) for path in source_files(config.network)}
    for data in filter(None, (config.parity_data, config.representative_data)):
        require_file(data, "an .npz of faces")
    if keras.backend.backend() != "tensorflow":
        raise InputError(f"export needs KERAS_BACKEND=tensorflow, received {keras.backend.backend()}")
    network = config.network[0] if len(config.network) == 1 else config.network
    model = load_model(network, mirror=config.mirror)
    size = model.input_shape[1]
    card = make_card(model, sources, config.mirror)
    representative = load_samples(config.representative_data, size)
    samples = load_samples(config.parity_data, size) or representative or astronaut_samples(size, card.crop)
    expected = model.predict(samples.crops, verbose=0)
    samples = samples.without_own_labels(expected)
    job = _Job(config, model, card, representative.crops if representative else None, progress)
    files: list[Parity] = []
    trials: list[Trial] = []
    refused: list[str] = []
    for name in tqdm(config.chosen_formats(), unit="file", disable=not progress):
        path = output_dir / (WEB if name == WEB else model.name + FORMATS[name])
        network_file = WEB_NETWORK.format(model.name) if name == WEB else ""
        try:
            with replace_when_done(path) as scratch, library_path(scratch.parent) as folder:
                temporary = Path(folder, scratch.name)
                trials += WRITERS[name](job, temporary) or []
                row = compare_with_keras(temporary, samples, expected, network_file)
                files.append(require_parity(row, config.max_mae_increase))
        except InputError as error:
            refused.append(str(error))
    left_out = (
        () if config.formats or representative else (f"{INT8}: left out, it needs representative_data",)
    )
    report = ExportReport(tuple(files), samples.origin, tuple(trials), tuple(refused), left_out)
    write_json(output_dir / "parity.json", dataclasses.asdict(report))
    return report


def source_files(networks: tuple[str, ...]) -> list[Path]:
    """Return the files that the networks are loaded from."""
    if networks == (FUSION,):
        return [path.with_suffix(".keras") for path in fusion_members().values()]
    return [keras_file(network) for network in networks]


def make_card(model: keras.Model, sources: Mapping[str, str], mirror: bool) -> NetworkCard:
    """Build the card of the exported files.

    Args:
        model: The network, with a card.
        sources: SHA-256 of the files that it was loaded from, by path.
        mirror: Whether it averages with the mirrored crops.
    """
    own = NetworkCard.from_json(model.card)
    about = {
        **own.about,
        "variant": model.name,
        "mirror": mirror,
        "source_sha256": {Path(path).name: digest for path, digest in sources.items()},
        "versions": {
            "fsanet_tf": fsanet_tf.__version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }
    outputs = {name: OUTPUTS.get(name, f"{tuple(tensor.shape)}") for name, tensor in model.output.items()}
    return NetworkCard(model.input_shape[1], own.crop, outputs, about)
