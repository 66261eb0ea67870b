"""Soft stagewise regression: from the bins of several stages to one value per output."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fsanet_tf")
class SSRLayer(keras.layers.Layer):
    r"""Soft stagewise regression with shifted bins and a dynamic width.

    Stage k splits the range that stage k-1 left into bins. Its scores p, index shifts η and width
    scale Δ refine the answer:

        value = V · Σ_k Σ_i (i − ⌊bins/2⌋ + η_k) · p_k,i / Π_{j≤k} bins · (1 + λ·Δ_j)

    The scores are not probabilities (the network applies a ReLU to them, no softmax) and 1 + Δ can come near
    zero, so the result is not bounded by ±V.

    Args:
        max_value: V, the half-width of the range (99 degrees in FSA-Net).
        scale_weight: λ, how far Δ stretches a bin.

    Call arguments (each a list with one tensor per stage):
        bin_scores: p, `(batch, outputs, bins)`.
        bin_shifts: η, `(batch, outputs)`, in bins.
        bin_scales: Δ, `(batch, outputs)`.

    Returns:
        `(batch, outputs)`, in the unit of `max_value`.

    Example:
        >>> scores, shift = np.ones((1, 1, 3), "float32"), np.full((1, 1), 0.5, "float32")
        >>> float(SSRLayer()([scores], [shift], [0 * shift])[0, 0])  # 99 · (−0.5 + 0.5 + 1.5) / 3
        49.5

    Reference:
        Yang et al., SSR-Net, IJCAI 2018; Yang et al., FSA-Net, CVPR 2019, equation 1.
    """

    def __init__(self, max_value: float = 99.0, scale_weight: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        if max_value <= 0:
            raise ValueError(f"max_value must be positive. Received: max_value={max_value}")
        self.max_value = max_value
        self.scale_weight = scale_weight

    def call(self, bin_scores, bin_shifts, bin_scales):
        if not len(bin_scores) == len(bin_shifts) == len(bin_scales):
            raise ValueError(
                "SSRLayer expects as many bin_scores as bin_shifts and bin_scales, one per stage. "
                f"Received: {len(bin_scores)}, {len(bin_shifts)} and {len(bin_scales)}"
            )
        value, bins_so_far = 0.0, 1.0
        for scores, shift, scale in zip(bin_scores, bin_shifts, bin_scales, strict=True):
            num_bins = scores.shape[-1]
            index = ops.arange(num_bins, dtype=scores.dtype) - num_bins // 2  # (bins,)
            bins_so_far = bins_so_far * num_bins * (1.0 + self.scale_weight * scale)
            expected_bin = ops.sum((index + shift[..., None]) * scores, axis=-1)  # (batch, outputs)
            value = value + expected_bin / bins_so_far
        return self.max_value * value

    def get_config(self):
        config = super().get_config()
        return {**config, "max_value": self.max_value, "scale_weight": self.scale_weight}
