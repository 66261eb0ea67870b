"""The demo on one source: `python -m fsanet_tf photo.jpg`, with the options of `demo/run.py`."""

import sys

from demo.run import main
from fsanet_tf.command_line import run

if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        sys.argv[1] = f"--source={sys.argv[1]}"
    run(main)
