"""Conversion of a released `.h5` file to `.keras`."""

from pathlib import Path

import keras

from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule
from fsanet_tf.io.files import sha256
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.keras_files import save_model
from fsanet_tf.networks.released.legacy import load_released_weights
from fsanet_tf.networks.released.table import about_released

__all__ = ["convert_released"]


def convert_released(
    network: str | Path,
    output: str | Path,
    crop: CropRule = LANDMARK_CROP,
    variant: str | None = None,
) -> keras.Model:
    """Convert a released `.h5` file to `.keras`, with its card in it.

    Args:
        network: The `.h5` file; its variant is detected.
        output: The `.keras` file to write.
        crop: Crop rule for the card: a margin of 0.6 for `300W_LP_models`, 0.4 for `BIWI_models`.
        variant: Refuse a file of another variant.

    Returns:
        The model.

    Raises:
        InputError: If the file cannot be read, or contains another network or values that are not finite.

    Example:
        >>> from fsanet_tf.networks.released.convert import convert_released
        >>> model = convert_released("fsanet_capsule_3_16_2_21_5.h5", "net.keras")
        >>> model.count_params()
        238471
    """
    model = load_released_weights(network, variant)
    about = {
        **about_released(network),
        "variant": model.name,
        "source": Path(network).name,
        "source_sha256": sha256(network),
    }
    save_model(output, model, NetworkCard(model.input_shape[1], crop, about=about))
    return model
