"""Configurations of the networks, and the table of variants by name."""

import dataclasses
from typing import Any

from fsanet_tf.errors import OptionError
from fsanet_tf.options import configuration, option, options_of, same_option
from fsanet_tf.registry import Registry

__all__ = ["FSANetConfig", "SSRNetConfig", "list_variants"]

SCORINGS = Registry(
    "scoring",
    {
        "1x1": "fsanet_tf.models.scorings:score_by_convolution",
        "var": "fsanet_tf.models.scorings:score_by_variance",
        "noS": "fsanet_tf.models.scorings:take_all_pixels",
        "fusion": ("1x1", "var", "noS"),  # several: the mean of their networks, as in the paper
    },
)
AGGREGATIONS = Registry(
    "aggregation",
    {
        "capsule": "fsanet_tf.models.aggregations:aggregate_by_capsules",
        "netvlad": "fsanet_tf.models.aggregations:aggregate_by_netvlad",
        "metric": "fsanet_tf.models.aggregations:aggregate_by_metric",
    },
)
HEADS = Registry(
    "head",
    {
        "split": "fsanet_tf.models.regression_head:split_head",
        "fc": "fsanet_tf.models.regression_head:fully_connected_head",
    },
)
BACKBONES = Registry(
    "backbone",
    {
        "two_stream": "fsanet_tf.models.two_stream:TWO_STREAM",  # the paper's
        "strided": "fsanet_tf.models.strided:STRIDED",
    },
)
DEFAULT_BACKBONE = "two_stream"
REPRESENTATIONS = Registry("representation", {"ssr": "fsanet_tf.models.regression_head:regress_by_stages"})


@configuration
class FSANetConfig:
    """The architecture of one FSA-Net; the defaults are the paper's.

    Raises:
        InputError: If a choice is unknown, or the image size cannot be built.

    Example:
        >>> fsanet_tf.FSANetConfig(scoring="var", aggregation="metric").name
        'fsanet_var_metric'
    """

    scoring: Any = option(
        "1x1",
        "How an attention map scores a pixel: `1x1` (a learned 1×1 convolution), `var` (the variance of its "
        "features) or `noS` (no structure mapping: all pixels are capsules); `fusion` is the mean of the "
        "three networks.",
        choices=SCORINGS,
    )
    aggregation: Any = option("capsule", "How capsules become one vector per stage.", choices=AGGREGATIONS)
    head: Any = option(
        "split",
        "`split` regresses each quantity from its share of the vector (the released weights), `fc` from all "
        "of it through one more layer.",
        choices=HEADS,
    )
    image_size: int = option(64, "Side of the square input in pixels, a multiple of 8.", low=16)
    num_capsules: int = option(7, "n′, the primary capsules per stage.", low=1)
    num_mapping_rows: int = option(5, "m, the rows of a stage mapping.", low=1)
    num_routings: int = option(2, "Iterations of the capsule routing.", low=1)
    backbone: Any = option(
        DEFAULT_BACKBONE, "What computes the features of the three stages.", choices=BACKBONES
    )
    width: float = option(1.0, "Multiplier of the backbone's filters.", low=0.25, high=8.0)
    representation: Any = option(
        "ssr",
        "How the stages' vectors become a pose: soft stagewise regression of the angles.",
        choices=REPRESENTATIONS,
    )
    uncertainty: bool = option(False, "Whether the network predicts its own error, `uncertainty_deg`.")
    localize: bool = option(
        False, "Whether the network locates the face in its crop: `box_offset` and `face_score`."
    )

    def __post_init__(self):
        require_image_size(self.image_size)

    @property
    def name(self) -> str:
        """The variant's name, for example `fsanet_1x1_capsule`."""
        width = "" if self.width == 1 else f"w{round(100 * self.width):03d}"
        return _join(
            "fsanet", self.scoring, self.aggregation, self.head, self.backbone, self.representation, width
        )


@configuration
class SSRNetConfig:
    """SSR-Net-MD, the paper's multi-dimensional baseline.

    Example:
        >>> from fsanet_tf.models.config import SSRNetConfig
        >>> SSRNetConfig().name
        'ssrnet_mt'
    """

    image_size: int = same_option(FSANetConfig, "image_size")
    backbone: Any = same_option(FSANetConfig, "backbone")
    width: float = same_option(FSANetConfig, "width")

    @property
    def name(self) -> str:
        """The variant's name; `mt`, for multi-task, is the original's."""
        return _join("ssrnet_mt", self.backbone)

    def __post_init__(self):
        require_image_size(self.image_size)


VariantConfig = FSANetConfig | SSRNetConfig


def require_image_size(image_size: int) -> None:
    """Raise `OptionError` unless three poolings leave a feature map of whole pixels."""
    if image_size % 8:
        raise OptionError("image_size", f"expected a multiple of 8, at least 16, received {image_size}")


def _join(*parts: Any) -> str:
    """Join the parts of a variant's name, without the defaults that go without saying."""
    names = (part if isinstance(part, str) else getattr(part, "__name__", "custom") for part in parts)
    return "_".join(name for name in names if name not in ("", "split", DEFAULT_BACKBONE, "ssr"))


def variants() -> dict[str, VariantConfig]:
    """Return the configurations of all combinations of scoring, aggregation and backbone, by their names."""
    configs: list[VariantConfig] = []
    for backbone in BACKBONES:
        configs.append(SSRNetConfig(backbone=backbone))
        for aggregation in AGGREGATIONS:
            configs += [FSANetConfig(scoring, aggregation, backbone=backbone) for scoring in SCORINGS]
    return {config.name: config for config in configs}


def list_variants() -> list[str]:
    """Return the names that `build_model` accepts.

    Example:
        >>> fsanet_tf.list_variants()[:3]
        ['ssrnet_mt', 'fsanet_1x1_capsule', 'fsanet_var_capsule']
    """
    return list(variants())


def variant_config(variant: str | VariantConfig, **fields: Any) -> VariantConfig:
    """Return the configuration of a variant.

    Args:
        variant: One of `list_variants()`, or a configuration.
        fields: Further fields of the configuration, such as `image_size`, `width` or `localize`.

    Raises:
        InputError: If the variant is unknown, or a field cannot be built or does not apply.
    """
    config = Registry("variant", variants()).find(variant)
    if not isinstance(config, VariantConfig):
        raise OptionError("variant", f"expected a name or a configuration, received {variant!r}")
    for name in fields.keys() - options_of(type(config)).keys():
        raise OptionError(name, f"does not apply to {config.name}")
    return dataclasses.replace(config, **fields)


NETWORK_TYPES = {"fsanet": FSANetConfig, "ssrnet": SSRNetConfig}


def config_to_dict(config: VariantConfig) -> dict[str, Any]:
    """Return the configuration of a network as JSON represents it."""
    (kind,) = (kind for kind, config_type in NETWORK_TYPES.items() if isinstance(config, config_type))
    options = options_of(type(config))
    return {
        "type": kind,
        **{name: _as_json(getattr(config, name), options[name].choices) for name in options},
    }


def _as_json(value: Any, choices: Any) -> Any:
    """Return a number or a name; of an object in place of a name, its registered name or its own."""
    if isinstance(value, str | int | float):
        return value
    names = [name for name in choices if choices[name] is value]
    return names[0] if names else getattr(value, "__name__", type(value).__name__)


def config_from_dict(fields: dict[str, Any]) -> VariantConfig:
    """Return the configuration that `config_to_dict` represented.

    Raises:
        InputError: If the type is unknown.
    """
    values = dict(fields)
    if "output" in values:  # its name before 1.0 was released
        values["representation"] = values.pop("output")
    return Registry("type of network", NETWORK_TYPES)[values.pop("type")](**values)
