"""`python -m fsanet_tf` is `fsanet`."""

import sys

from fsanet_tf.commands.main import main

if __name__ == "__main__":  # not in a worker process
    sys.exit(main())
