"""Conversion of a network to an `.mlpackage` for CoreML."""

import contextlib
import io
import json
import logging
from pathlib import Path
from typing import Any

import keras

import fsanet_tf
from fsanet_tf.errors import InputError, one_line, optional_dependencies
from fsanet_tf.export.formats import freeze
from fsanet_tf.networks.card import CARD_KEY, NetworkCard
from fsanet_tf.networks.runtimes import FROZEN_INPUT

IMAGE = "image"


def export_coreml(model: keras.Model, path: Path, card: NetworkCard) -> None:
    """Write an `.mlpackage` (ML program, iOS 16, macOS 13): a BGR `image` → the outputs by name.

    It takes one crop of 8-bit pixels per call and computes in float32. The card is in its metadata.

    Raises:
        InputError: If coremltools does not know an operation of the network.
        MissingExtraError: If coremltools is not installed.
    """
    ct = import_coremltools()
    frozen, _ = freeze(model, batch=1)
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars
        image = ct.ImageType(FROZEN_INPUT, (1, *model.input_shape[1:]), color_layout=ct.colorlayout.BGR)
        try:
            package = ct.convert(
                [frozen],
                source="tensorflow",
                inputs=[image],
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS16,
                compute_precision=ct.precision.FLOAT32,
            )
        except NotImplementedError as error:
            raise InputError(
                f"{path}: coremltools cannot convert this network ({one_line(error)})"
            ) from error
    spec = package.get_spec()
    given = [output.name for output in spec.description.output]
    for old, new in [(FROZEN_INPUT, IMAGE), *zip(given, model.output, strict=True)]:
        ct.utils.rename_feature(spec, old, new)
    package = ct.models.MLModel(spec, weights_dir=package.weights_dir, skip_model_load=True)
    package.short_description = card.description()
    package.version = fsanet_tf.__version__
    package.user_defined_metadata[CARD_KEY] = json.dumps(card.as_json())
    package.input_description[IMAGE] = f"{card.input_description()}; 8-bit pixels, N is 1"
    for name, meaning in card.outputs.items():
        package.output_description[name] = meaning
    package.save(str(path))


def import_coremltools() -> Any:
    """Import coremltools without its warnings that this is no Mac, and a newer TensorFlow."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    with optional_dependencies():
        import coremltools
    return coremltools
