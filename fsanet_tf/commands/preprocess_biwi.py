"""`fsanet preprocess biwi`: BIWI Kinect Head Pose as crops and poses."""

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.preprocess_report import run
from fsanet_tf.data.preprocessing.biwi import BiwiConfig

COMMAND = Command(
    "preprocess biwi",
    "Turn BIWI Kinect Head Pose into crops and poses, by the paper's protocol 1 or 2.",
    run=run,
    config=BiwiConfig,
)
