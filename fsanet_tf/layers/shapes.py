"""One check shared by the layers: an input that cannot be right is refused when the layer is built."""

from collections.abc import Sequence


def require_rank(layer_name: str, shape: Sequence[int | None], rank: int, axes: str) -> None:
    """Raise `ValueError` unless `shape` has `rank` axes and the size of every feature axis is known.

    Args:
        layer_name: name of the layer, for the message.
        shape: the input's shape, batch axis included.
        rank: the number of axes expected.
        axes: the expected axes in words, for the message, for example `(batch, capsules, features)`.
    """
    if len(shape) != rank or any(size is None for size in shape[1:]):
        raise ValueError(
            f"{layer_name} expects an input {axes} of known sizes. Received: shape={tuple(shape)}"
        )
