"""`fsanet convert`: turn a released `.h5` file into `.keras`."""

from pathlib import Path

from fsanet_tf.commands.command_line import Command
from fsanet_tf.geometry.crop import BIWI_CROP, LANDMARK_CROP, CropRule
from fsanet_tf.io.files import sha256
from fsanet_tf.models.config import list_variants
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.released.table import about_released
from fsanet_tf.options import configuration, option


@configuration
class ConvertConfig:
    """Options of `fsanet convert`."""

    network: str = option(meaning="A released .h5 file.")
    output: str = option(meaning="The .keras file to write.")
    variant: str | None = option(None, "Refuse a file of another variant.", choices=list_variants)
    margin_ratio: float = option(
        LANDMARK_CROP.margin_ratio,
        f"Crop margin for the card: {LANDMARK_CROP.margin_ratio} for 300W_LP_models, "
        f"{BIWI_CROP.margin_ratio} for BIWI_models.",
        low=0,
    )


def run(config: ConvertConfig) -> None:
    """Convert the file; its card names where the weights come from."""
    from fsanet_tf.networks.keras_files import save_model
    from fsanet_tf.networks.released.legacy import load_released_weights

    source = Path(config.network)
    model = load_released_weights(source, config.variant)
    about = {"variant": model.name, "source": source.name, "source_sha256": sha256(source)}
    card = NetworkCard(crop=CropRule(config.margin_ratio), about=about_released(source) | about)
    save_model(config.output, model, card)
    print(f"{config.output}: {model.name}, {model.count_params():,} parameters")


COMMAND = Command(
    "convert",
    "Convert a weight file that the original FSA-Net released (.h5) to .keras.",
    ConvertConfig,
    run,
    positional="network",
)
