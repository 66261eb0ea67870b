"""Configurations of the networks, and the table of variants by name."""

import dataclasses
import itertools

__all__ = ["FSANetConfig", "FusionConfig", "SSRNetConfig", "list_variants"]

SCORINGS = ("1x1", "var", "noS")
AGGREGATIONS = ("capsule", "netvlad", "metric")
HEADS = ("split", "fc")


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

    def __post_init__(self):
        _require_choice("scoring", self.scoring, SCORINGS)
        _require_choice("aggregation", self.aggregation, AGGREGATIONS)
        _require_choice("head", self.head, HEADS)
        require_image_size(self.image_size)

    @property
    def name(self) -> str:
        """The variant's name, for example `fsanet_1x1_capsule`."""
        suffix = "" if self.head == "split" else f"_{self.head}"
        return f"fsanet_{self.scoring}_{self.aggregation}{suffix}"


@dataclasses.dataclass(frozen=True)
class FusionConfig:
    """The mean of the three scorings' networks of one aggregation, as one model.

    Attributes:
        members: The networks.
        name: Name of the variant.
        spread_penalty: Weight, in training, of the members' distance from their mean (`MeanPose`).

    Example:
        >>> members = (fsanet_tf.FSANetConfig("1x1"), fsanet_tf.FSANetConfig("var"))
        >>> fsanet_tf.FusionConfig(members, "pair").image_size
        64
    """

    members: tuple[FSANetConfig, ...]
    name: str
    spread_penalty: float = 0.0

    @property
    def image_size(self) -> int:
        return self.members[0].image_size


@dataclasses.dataclass(frozen=True)
class SSRNetConfig:
    """SSR-Net-MD, the paper's multi-dimensional baseline.

    Attributes:
        image_size: Side of the square input in pixels, a multiple of 8, at least 16.
        name: Name of the variant.

    Example:
        >>> fsanet_tf.SSRNetConfig().name
        'ssrnet_mt'
    """

    image_size: int = 64
    name: str = "ssrnet_mt"

    def __post_init__(self):
        require_image_size(self.image_size)


VariantConfig = FSANetConfig | FusionConfig | SSRNetConfig


def require_image_size(image_size: int) -> None:
    """Raise `ValueError` unless three poolings leave a feature map of whole pixels, at least 2×2."""
    if image_size < 16 or image_size % 8:
        raise ValueError(f"image_size must be a multiple of 8, at least 16. Received: {image_size}")


def _require_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{field} must be one of {', '.join(choices)}. Received: {value}")


def _table() -> dict[str, VariantConfig]:
    configs: list[VariantConfig] = [SSRNetConfig()]
    for aggregation, head in itertools.product(AGGREGATIONS, HEADS):
        members = tuple(FSANetConfig(scoring, aggregation, head) for scoring in SCORINGS)
        fusion_name = members[0].name.replace("1x1", "fusion")
        configs += [*members, FusionConfig(members, fusion_name)]
    return {config.name: config for config in configs}


VARIANTS = _table()


def list_variants() -> list[str]:
    """Return the names that `build_model` accepts.

    Example:
        >>> fsanet_tf.list_variants()[:3]
        ['ssrnet_mt', 'fsanet_1x1_capsule', 'fsanet_var_capsule']
    """
    return list(VARIANTS)


def variant_config(name: str, image_size: int = 64) -> VariantConfig:
    """Return the configuration of a variant by its name.

    Args:
        name: One of `list_variants()`.
        image_size: Side of the input in pixels.

    Raises:
        ValueError: If the name is unknown, or the size cannot be built.
    """
    _require_choice("variant", name, tuple(VARIANTS))
    config = VARIANTS[name]
    if isinstance(config, FusionConfig):
        members = tuple(dataclasses.replace(member, image_size=image_size) for member in config.members)
        return dataclasses.replace(config, members=members)
    return dataclasses.replace(config, image_size=image_size)
