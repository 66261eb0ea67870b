"""FSA-Net head pose estimation for Keras 3: yaw, pitch and roll from one image of a face."""

__version__ = "0.1.0"
