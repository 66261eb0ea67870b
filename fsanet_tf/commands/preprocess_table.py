"""`fsanet preprocess table`: own photos, listed in a CSV, as crops and poses."""

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.preprocess_report import run
from fsanet_tf.data.preprocessing.face_table import FaceTableConfig

COMMAND = Command(
    "preprocess table",
    "Turn the faces that a CSV lists, with their poses, into crops and poses.",
    run=run,
    config=FaceTableConfig,
)
