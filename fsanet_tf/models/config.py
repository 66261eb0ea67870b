"""Configurations of the networks, and the table of variants by name."""

import dataclasses
import itertools
from typing import Any

from fsanet_tf.registry import Registry

__all__ = ["FSANetConfig", "FusionConfig", "SSRNetConfig", "list_variants"]

SCORINGS = Registry(
    "scoring",
    {
        "1x1": "fsanet_tf.models.scorings:score_by_convolution",
        "var": "fsanet_tf.models.scorings:score_by_variance",
        "noS": "fsanet_tf.models.scorings:take_all_pixels",
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
BACKBONES = Registry("backbone", {"two_stream": "fsanet_tf.models.two_stream:TWO_STREAM"})
DEFAULT_BACKBONE = "two_stream"
FUSED_SCORINGS = ("1x1", "var", "noS")  # the members of the paper's fusion


@dataclasses.dataclass(frozen=True)
class FSANetConfig:
    """The architecture of one FSA-Net; the defaults are the paper's.

    Attributes:
        scoring: How an attention map scores a pixel: `1x1` (a learned 1×1 convolution), `var` (the
            variance of its features) or `noS` (no structure mapping: all pixels are capsules).
        aggregation: How capsules become one vector per stage: `capsule`, `netvlad` or `metric`.
        head: `split` regresses each quantity from its share of the vector (the released weights), `fc`
            from all of it through one more layer.
        image_size: Side of the square input in pixels, a multiple of 8, at least 16.
        num_capsules: n′, the primary capsules per stage.
        num_mapping_rows: m, the rows of a stage mapping.
        num_routings: Iterations of the capsule routing.
        backbone: What computes the features of the three stages: `two_stream`.

    Raises:
        ValueError: If a choice is unknown, or the image size cannot be built.

    Example:
        >>> fsanet_tf.FSANetConfig(scoring="var", aggregation="metric").name
        'fsanet_var_metric'
    """

    scoring: str = "1x1"
    aggregation: str = "capsule"
    head: str = "split"
    image_size: int = 64
    num_capsules: int = 7
    num_mapping_rows: int = 5
    num_routings: int = 2
    backbone: str = DEFAULT_BACKBONE

    def __post_init__(self):
        SCORINGS.require(self.scoring)
        AGGREGATIONS.require(self.aggregation)
        HEADS.require(self.head)
        BACKBONES.require(self.backbone)
        require_image_size(self.image_size)

    @property
    def name(self) -> str:
        """The variant's name, for example `fsanet_1x1_capsule`."""
        return _join("fsanet", self.scoring, self.aggregation, self.head, self.backbone)


@dataclasses.dataclass(frozen=True)
class FusionConfig:
    """The mean of the three scorings' networks of one aggregation, as one model.

    Attributes:
        members: The networks.
        name: Name of the variant.

    Example:
        >>> members = (fsanet_tf.FSANetConfig("1x1"), fsanet_tf.FSANetConfig("var"))
        >>> fsanet_tf.FusionConfig(members, "pair").image_size
        64
    """

    members: tuple[FSANetConfig, ...]
    name: str

    @property
    def image_size(self) -> int:
        return self.members[0].image_size


@dataclasses.dataclass(frozen=True)
class SSRNetConfig:
    """SSR-Net-MD, the paper's multi-dimensional baseline.

    Attributes:
        image_size: Side of the square input in pixels, a multiple of 8, at least 16.
        backbone: What computes the features of the three stages: `two_stream`.

    Example:
        >>> fsanet_tf.SSRNetConfig().name
        'ssrnet_mt'
    """

    image_size: int = 64
    backbone: str = DEFAULT_BACKBONE

    @property
    def name(self) -> str:
        """The variant's name; `mt`, for multi-task, is the original's."""
        return _join("ssrnet_mt", self.backbone)

    def __post_init__(self):
        BACKBONES.require(self.backbone)
        require_image_size(self.image_size)


VariantConfig = FSANetConfig | FusionConfig | SSRNetConfig


def require_image_size(image_size: int) -> None:
    """Raise `ValueError` unless three poolings leave a feature map of whole pixels, at least 2×2."""
    if image_size < 16 or image_size % 8:
        raise ValueError(f"image_size must be a multiple of 8, at least 16. Received: {image_size}")


def _join(*parts: str) -> str:
    """Join the parts of a variant's name, without the defaults that go without saying."""
    return "_".join(part for part in parts if part not in ("split", DEFAULT_BACKBONE))


def variants() -> dict[str, VariantConfig]:
    """Return the configurations of all combinations, by their names."""
    configs: list[VariantConfig] = []
    for backbone in BACKBONES:
        configs.append(SSRNetConfig(backbone=backbone))
        for aggregation, head in itertools.product(AGGREGATIONS, HEADS):
            networks = {
                scoring: FSANetConfig(scoring, aggregation, head, backbone=backbone) for scoring in SCORINGS
            }
            fusion = FusionConfig(
                tuple(networks[scoring] for scoring in FUSED_SCORINGS),
                _join("fsanet", "fusion", aggregation, head, backbone),
            )
            configs += [*networks.values(), fusion]
    return {config.name: config for config in configs}


def list_variants() -> list[str]:
    """Return the names that `build_model` accepts.

    Example:
        >>> fsanet_tf.list_variants()[:3]
        ['ssrnet_mt', 'fsanet_1x1_capsule', 'fsanet_var_capsule']
    """
    return list(variants())


def variant_config(name: str, image_size: int = 64) -> VariantConfig:
    """Return the configuration of a variant by its name.

    Args:
        name: One of `list_variants()`.
        image_size: Side of the input in pixels.

    Raises:
        InputError: If the name is unknown.
        ValueError: If the size cannot be built.
    """
    config = Registry("variant", variants())[name]
    if isinstance(config, FusionConfig):
        members = tuple(dataclasses.replace(member, image_size=image_size) for member in config.members)
        return dataclasses.replace(config, members=members)
    return dataclasses.replace(config, image_size=image_size)


NETWORK_TYPES = {"fsanet": FSANetConfig, "ssrnet": SSRNetConfig}


def config_to_dict(config: FSANetConfig | SSRNetConfig) -> dict[str, Any]:
    """Return the configuration of a single network as JSON represents it."""
    (kind,) = (kind for kind, config_type in NETWORK_TYPES.items() if isinstance(config, config_type))
    return {"type": kind, **dataclasses.asdict(config)}


def config_from_dict(fields: dict[str, Any]) -> FSANetConfig | SSRNetConfig:
    """Return the configuration that `config_to_dict` represented.

    Raises:
        InputError: If the type is unknown.
    """
    values = dict(fields)
    return Registry("type of network", NETWORK_TYPES)[values.pop("type")](**values)
