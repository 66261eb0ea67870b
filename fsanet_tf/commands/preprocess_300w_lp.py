"""`fsanet preprocess 300w_lp`: 300W-LP or AFLW2000 as crops and poses."""

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.preprocess_report import run
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig

COMMAND = Command(
    "preprocess 300w_lp",
    "Turn 300W-LP or AFLW2000 (one folder of .jpg and .mat) into crops and poses.",
    run=run,
    config=LandmarkPairsConfig,
)
