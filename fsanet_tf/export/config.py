"""Configuration of an export, without importing TensorFlow."""

import dataclasses

__all__ = ["ExportConfig"]

# Suffixes of the files, by format.
FORMATS = {
    "saved_model": "_saved_model",
    "frozen_graph": ".pb",
    "onnx": ".onnx",
    "tflite_float32": "_float32.tflite",
    "tflite_float16": "_float16.tflite",
    "tflite_dynamic": "_dynamic.tflite",
    "tflite_int8": "_int8.tflite",
}
INT8 = "tflite_int8"
BATCHES = ("1", "dynamic")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What to export.

    Attributes:
        weights: Networks: `.keras`, released `.h5`, or shipped names; several are averaged.
        output_dir: Folder for the files and `parity.json`.
        formats: Names of `FORMATS`; empty: all that the data allow.
        mirror: Whether the files average with the poses of the mirrored crops, in twice the time.
        batch: Faces per call of the TFLite files: `1` or `dynamic`; int8 takes one.
        representative_data: `.npz` of faces that determine int8's ranges; int8 needs it.
        integer_io: Whether int8 takes int8 pixels (minus 128) and returns int16 angles.
        parity_data: `.npz` of faces to compare on; None: the representative ones, or noise.
        max_mae_increase: Degrees of MAE on labeled faces that a file may lose.
        latency_rounds: Timed calls per file; 0: none.

    Raises:
        ValueError: If a format or the batch is unknown.

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

    def __post_init__(self):
        for name, value, choices in (
            *(("format", name, tuple(FORMATS)) for name in self.formats),
            ("batch", self.batch, BATCHES),
        ):
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {value}")

    def default_formats(self) -> tuple[str, ...]:
        """Return all formats that the data allow."""
        return tuple(name for name in FORMATS if name != INT8 or self.representative_data)
