"""Train a network: `python train.py --data=faces.npz --output_dir=runs/first`.

The same as `fsanet train`; works from an uninstalled checkout as well.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fsanet_tf.commands.main import load_command

if __name__ == "__main__":
    sys.exit(load_command("train")())
