"""Configuration of an export, without importing TensorFlow."""

from __future__ import annotations

from fsanet_tf.errors import OptionError
from fsanet_tf.options import configuration, option, same_option
from fsanet_tf.prediction.config import PredictionConfig

__all__ = ["ExportConfig"]

INT8, COREML, WEB = "tflite_int8", "coreml", "web"
# What follows the network's name in the name of a file or folder, by format; `web` is a folder of its own.
FORMATS = {
    "saved_model": "_saved_model",
    "frozen_graph": ".pb",
    "onnx": ".onnx",
    "tflite_float32": "_float32.tflite",
    "tflite_float16": "_float16.tflite",
    "tflite_dynamic": "_dynamic.tflite",
    INT8: "_int8.tflite",
    COREML: ".mlpackage",
    WEB: "",
}
WEB_NETWORK = "networks/{}.onnx"  # within that folder, by the network's name


@configuration
class ExportConfig:
    """Options of `export_model`.

    Raises:
        OptionError: If an option is invalid, or int8 is asked for without faces that determine its ranges.

    Example:
        >>> fsanet_tf.ExportConfig("fusion", output_dir="exported").network
        ('fusion',)
    """

    network: tuple[str, ...] = option(
        meaning="Networks: `.keras`, released `.h5`, or shipped names; several are averaged."
    )
    output_dir: str = option(meaning="Folder for the files and `parity.json`.")
    formats: tuple[str, ...] = option(
        (),
        "Formats to write; by default all that the data allow, except `coreml` and `web`.",
        choices=FORMATS.keys(),
    )
    mirror: bool = same_option(PredictionConfig, "mirror")
    batch: str = option("1", "Faces per call of the TFLite files; int8 takes one.", choices=("1", "dynamic"))
    representative_data: str | None = option(
        None, "Faces (`.npz`) that determine int8's ranges; int8 needs them."
    )
    integer_io: bool = option(False, "Whether int8 takes int8 pixels (minus 128) and returns int16 outputs.")
    parity_data: str | None = option(
        None,
        "Faces (`.npz`) to compare on; by default the representative ones or crops of the packaged photo.",
    )
    max_mae_increase: float = option(
        0.05, "Largest accepted increase of the MAE on labeled faces, in degrees.", low=0.0
    )
    web_runtime: str | None = option(
        None,
        "Copy of onnxruntime-web for `web`; by default FSANET_WEB_RUNTIME, or downloaded once.",
    )

    def __post_init__(self):
        if INT8 in self.formats and not self.representative_data:
            raise OptionError(
                "representative_data", f"expected faces for the ranges of {INT8}, received none"
            )

    def chosen_formats(self) -> tuple[str, ...]:
        """Return the formats, or all that the data allow if none is named."""
        left_out = (COREML, WEB) if self.representative_data else (COREML, WEB, INT8)
        return self.formats or tuple(name for name in FORMATS if name not in left_out)
