"""Write a network for servers and phones: `python export.py --network=var --output_dir=exported`.

The same as `fsanet export`; works from an uninstalled checkout as well.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fsanet_tf.commands.main import load_command

if __name__ == "__main__":
    sys.exit(load_command("export")())
