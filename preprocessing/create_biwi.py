"""BIWI Kinect Head Pose as crops and poses.

The same as `fsanet preprocess biwi`; works from an uninstalled checkout as well.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fsanet_tf.commands.main import load_command

if __name__ == "__main__":
    sys.exit(load_command("preprocess biwi")())
