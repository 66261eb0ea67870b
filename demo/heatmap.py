"""Regions that the structure mapping attends to: `python demo/heatmap.py photo.jpg`.

The same as `fsanet heatmap`; works from an uninstalled checkout as well.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fsanet_tf.commands.main import load_command

if __name__ == "__main__":
    sys.exit(load_command("heatmap")())
