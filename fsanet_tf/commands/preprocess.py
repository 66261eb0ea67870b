"""`fsanet preprocess KIND`: collections and own photos as crops and poses."""

from fsanet_tf.commands.command_line import Command
from fsanet_tf.data.preprocessing.biwi import BiwiConfig
from fsanet_tf.data.preprocessing.crops import PreprocessingConfig, preprocess
from fsanet_tf.data.preprocessing.face_table import FaceTableConfig
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig


def run(config: PreprocessingConfig) -> None:
    """Create a dataset, print what was left out and what was written."""
    report = preprocess(config, progress=True)
    for problem in report.problems:
        print(f"left out: {problem}")
    print(report)


LANDMARK_PAIRS = Command(
    "preprocess 300w_lp",
    "Turn 300W-LP or AFLW2000 (one folder of .jpg and .mat) into crops and poses.",
    LandmarkPairsConfig,
    run,
)
BIWI = Command(
    "preprocess biwi",
    "Turn BIWI Kinect Head Pose into crops and poses, by the paper's protocol 1 or 2.",
    BiwiConfig,
    run,
)
FACE_TABLE = Command(
    "preprocess table",
    "Turn the faces that a CSV lists, with their poses, into crops and poses.",
    FaceTableConfig,
    run,
)
