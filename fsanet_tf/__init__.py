"""FSA-Net head pose estimation for Keras 3: yaw, pitch and roll from one image of a face.

The public names are imported when they are first used, so that `import fsanet_tf` is fast and needs neither
Keras nor TensorFlow; `__init__.pyi` lists them.
"""

import lazy_loader

from fsanet_tf.errors import optional_dependencies

__version__ = "1.0.0"

_import_name, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str):
    """Import a public name; the error of a missing optional dependency names its extra."""
    with optional_dependencies():
        return _import_name(name)
