"""`fsanet shard`: distribute the faces of `.npz` files over TFRecord shards."""

from absl import flags

from fsanet_tf.commands.command_line import Command


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet shard`."""
    flags.DEFINE_list("data", [], "The .npz files, separated by commas.", flag_values=values)
    flags.DEFINE_string("output", None, "The index to write, NAME.tfrecords.json.", flag_values=values)
    flags.DEFINE_integer("num_shards", 20, "Number of files.", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Random seed.", 0, flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Write the shards."""
    from fsanet_tf.data.tfrecords import write_shards

    shards = write_shards(values.data, values.output, values.num_shards, values.seed)
    print(f"{values.output}: {sum(shards.num_faces)} faces in {len(shards.paths)} shards")


COMMAND = Command(
    "shard",
    "Distribute the faces of .npz files over TFRecord shards, for training with little memory.",
    define_options,
    run,
    required=("data", "output"),
)
