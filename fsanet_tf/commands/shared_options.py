"""Options that several commands share."""

from absl import flags

from fsanet_tf.geometry.pose import MAX_ANGLE_DEG


def define_network_options(values: flags.FlagValues) -> None:
    """Define how networks are loaded and called."""
    flags.DEFINE_bool(
        "trust",
        False,
        "Load networks that could do more than compute; see docs/safety.md.",
        flag_values=values,
    )
    define_mirror(values)


def define_mirror(values: flags.FlagValues) -> None:
    """Define whether predictions for mirrored crops are averaged in."""
    flags.DEFINE_bool(
        "mirror",
        False,
        "Average with the mirrored crops: more accurate, in twice the time.",
        flag_values=values,
    )


def define_max_angle(values: flags.FlagValues) -> None:
    """Define which faces count."""
    flags.DEFINE_float(
        "max_angle_deg",
        MAX_ANGLE_DEG,
        "Leave out faces with a larger angle; 0 keeps all.",
        0.0,
        flag_values=values,
    )
