"""Convert a released `.h5`: `python -m fsanet_tf.weights.convert --weights=W.h5 --output=net.keras`.

The network's own variant is found in the file; `--variant` refuses any other.
"""

import dataclasses

from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.config import VARIANTS
from fsanet_tf.crop import BIWI_CROP, LANDMARK_CROP, CropRule
from fsanet_tf.files import sha256
from fsanet_tf.quiet import import_tensorflow_quietly


def main() -> None:
    import_tensorflow_quietly()
    from fsanet_tf.weights.keras_files import save_model
    from fsanet_tf.weights.legacy import load_released_weights

    given = flags.FLAGS
    model = load_released_weights(given.weights, given.variant)
    card = {
        "variant": model.name,
        "image_size": model.input_shape[1],
        **dataclasses.asdict(CropRule(given.margin_ratio)),
        "source": given.weights,
        "source_sha256": sha256(given.weights),
    }
    save_model(given.output, model, card)
    print(f"{given.output}: {model.name}, {model.count_params():,} parameters")


if __name__ == "__main__":
    flags.DEFINE_string("weights", None, "A released .h5 file.")
    flags.DEFINE_string("output", None, "The .keras file to write; a card (.json) goes beside it.")
    flags.DEFINE_enum("variant", None, sorted(VARIANTS), "Refuse a file of another variant.")
    flags.DEFINE_float(
        "margin_ratio",
        LANDMARK_CROP.margin_ratio,
        f"Crop margin, for the card: {LANDMARK_CROP.margin_ratio} for 300W_LP_models, "
        f"{BIWI_CROP.margin_ratio} for BIWI_models.",
        0.0,
    )
    flags.mark_flags_as_required(["weights", "output"])
    run(main)
