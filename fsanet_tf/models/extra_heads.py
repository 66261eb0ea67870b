"""Outputs besides the pose: the network's own expected error, and where in the crop the face is."""

from collections.abc import Sequence

from keras import KerasTensor, layers

from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE

LOCATOR_CHANNELS, LOCATOR_UNITS = 16, 32
ERROR_UNITS = 16


def predict_error(stage_vectors: KerasTensor) -> KerasTensor:
    """Expected geodesic error in degrees, `(batch,)`, from the stages' vectors `(batch, 3, 16)`."""
    x = layers.Flatten(name="error_vectors")(stage_vectors)
    x = layers.Dense(ERROR_UNITS, "relu", name="error_features")(x)
    x = layers.Dense(1, "softplus", bias_initializer="ones", name="error", dtype="float32")(x)
    return layers.Reshape((), name="uncertainty_deg", dtype="float32")(x)


def locate_face(pixel_maps: Sequence[KerasTensor]) -> dict[str, KerasTensor]:
    """Compute where the face is in the crop, and whether there is one, from the three stages' maps.

    Args:
        pixel_maps: `(batch, side, side, 64)` each.

    Returns:
        `box_offset` `(batch, 3)`: x and y of the face's center as shares of the crop's side, from the crop's
        center, and the logarithm of the face's size relative to the box that was cropped; and `face_score`
        `(batch,)`, the probability that the crop shows a face.
    """
    x = layers.Concatenate(name="locator_maps")(list(pixel_maps))
    x = layers.Conv2D(LOCATOR_CHANNELS, 1, activation="relu", name="locator_conv")(x)
    x = layers.Flatten(name="locator_pixels")(x)
    x = layers.Dense(LOCATOR_UNITS, "tanh", name="locator_features")(x)
    score = layers.Dense(1, "sigmoid", name="locator_score", dtype="float32")(x)
    return {
        BOX_OFFSET: layers.Dense(3, name=BOX_OFFSET, dtype="float32")(x),
        FACE_SCORE: layers.Reshape((), name=FACE_SCORE, dtype="float32")(score),
    }
