"""TFRecord shards from `.npz` files, for training with little memory.

`python preprocessing/create_tfrecords.py --data=AFW.npz,HELEN.npz --output=faces.tfrecords.json`
"""

from pathlib import Path

from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.errors import InputError
from fsanet_tf.quiet import import_tensorflow_quietly


def main() -> None:
    given = flags.FLAGS
    if not given.data:
        raise InputError("--data: expected at least one .npz file")
    import_tensorflow_quietly()
    from fsanet_tf.data.tfrecords import write_shards

    shards = write_shards(
        [Path(path) for path in given.data], Path(given.output), given.num_shards, given.seed
    )
    print(f"{given.output}: {shards.count(protocol=2)} faces in {len(shards.paths)} shards")


if __name__ == "__main__":
    flags.DEFINE_list("data", [], "The .npz files, separated by commas.")
    flags.DEFINE_string("output", None, "The index to write, NAME.tfrecords.json.")
    flags.DEFINE_integer("num_shards", 20, "Files to deal the faces to.", 1)
    flags.DEFINE_integer("seed", 0, "Of the dealing.", 0)
    flags.mark_flag_as_required("output")
    run(main)
