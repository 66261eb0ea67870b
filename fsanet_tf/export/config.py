"""Configuration of an export, without importing TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsanet_tf.errors import InputError
from fsanet_tf.registry import Registry, import_thing

if TYPE_CHECKING:
    import keras
    import numpy as np

__all__ = ["ExportConfig", "ExportFormat"]


@dataclasses.dataclass(frozen=True)
class ExportFormat:
    """A kind of file that networks are exported to.

    Attributes:
        suffix: What follows the network's name in the name of the file or folder.
        write: Function, or its address `"module:name"`, of the Keras model, the path and an `ExportRequest`.
            It writes the file and may return a list of `Trial`. A file is compared with Keras by the runtime
            of its suffix.
        folder: Name of a folder that is written, instead of the network's name and the suffix.
        network_file: Within that folder, the network's file, with `{name}` for the network's name.
        by_default: Whether it is written if no format is named.
        needs_faces: Whether it needs representative faces.

    Example:
        >>> def write_weights(model, path, request):
        ...     np.savez(path, *model.get_weights())
        >>> fsanet_tf.ExportFormat("_weights.npz", write_weights).needs_faces
        False
    """

    suffix: str
    write: str | Callable[..., Any]
    needs_faces: bool = False
    folder: str = ""
    network_file: str = ""
    by_default: bool = True

    def __call__(self, model: keras.Model, path: Path, request: ExportRequest) -> list[Any]:
        """Write a file; return the trials of int8, if any."""
        write = import_thing(self.write) if isinstance(self.write, str) else self.write
        return write(model, path, request) or []


FORMATS = Registry(
    "format",
    {
        "saved_model": ExportFormat("_saved_model", "fsanet_tf.export.writers:write_saved_model"),
        "frozen_graph": ExportFormat(".pb", "fsanet_tf.export.writers:write_frozen_graph"),
        "onnx": ExportFormat(".onnx", "fsanet_tf.export.writers:write_onnx"),
        "tflite_float32": ExportFormat("_float32.tflite", "fsanet_tf.export.writers:write_tflite_float32"),
        "tflite_float16": ExportFormat("_float16.tflite", "fsanet_tf.export.writers:write_tflite_float16"),
        "tflite_dynamic": ExportFormat("_dynamic.tflite", "fsanet_tf.export.writers:write_tflite_dynamic"),
        "tflite_int8": ExportFormat("_int8.tflite", "fsanet_tf.export.writers:write_tflite_int8", True),
        "web": ExportFormat(
            "",
            "fsanet_tf.export.web:write_web",
            folder="web",
            network_file="networks/{name}.onnx",
            by_default=False,
        ),
    },
)
BATCHES = ("1", "dynamic")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What to export.

    Attributes:
        weights: Networks: `.keras`, released `.h5`, or shipped names; several are averaged.
        output_dir: Folder for the files and `parity.json`.
        formats: Names of `FORMATS`; empty: all that the data allow, but `web`.
        mirror: Whether the files average with the poses of the mirrored crops, in twice the time.
        batch: Faces per call of the TFLite files: `1` or `dynamic`; int8 takes one.
        representative_data: `.npz` of faces that determine int8's ranges; int8 needs it.
        integer_io: Whether int8 takes int8 pixels (minus 128) and returns int16 angles.
        parity_data: `.npz` of faces to compare on; None: the representative ones, or noise.
        max_mae_increase: Degrees of MAE on labeled faces that a file may lose.
        latency_rounds: Timed calls per file; 0: none.
        web_runtime: Copy of the browser's runtime for `web`; None: FSANET_WEB_RUNTIME, or fetched by npm.

    Raises:
        InputError: If a format or the batch is unknown, or a format needs faces that are not given.

    Example:
        >>> fsanet_tf.ExportConfig(weights=("fusion",), output_dir="exported").batch
        '1'
    """

    weights: tuple[str, ...]
    output_dir: str
    formats: tuple[str, ...] = ()
    mirror: bool = False
    batch: str = "1"
    representative_data: str | None = None
    integer_io: bool = False
    parity_data: str | None = None
    max_mae_increase: float = 0.05
    latency_rounds: int = 100
    web_runtime: str | None = None

    def __post_init__(self):
        for name in self.formats:
            if FORMATS[name].needs_faces and not self.representative_data:
                raise InputError(f"--format={name}: expected --representative_data, faces for its ranges")
        if self.batch not in BATCHES:
            raise InputError(f"batch must be one of {', '.join(BATCHES)}. Received: {self.batch}")

    def default_formats(self) -> tuple[str, ...]:
        """Return all formats that the data allow."""
        return tuple(
            name
            for name, kind in FORMATS.items()
            if kind.by_default and (self.representative_data or not kind.needs_faces)
        )


@dataclasses.dataclass(frozen=True)
class ExportRequest:
    """What a format is asked to write.

    Attributes:
        config: The whole export.
        card: The card of the file.
        faces: Representative crops, float32 `(N, size, size, 3)` BGR in [0, 255]; None: not given.
    """

    config: ExportConfig
    card: dict[str, Any]
    faces: np.ndarray | None
