"""Devices that a training runs on."""

import contextlib
from contextlib import AbstractContextManager


def no_distribution() -> AbstractContextManager:
    """Train on one device."""
    return contextlib.nullcontext()


def mirrored_distribution() -> AbstractContextManager:
    """Train on all devices of the machine, each with a share of the batch."""
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices()
    return tf.distribute.MirroredStrategy(devices).scope()
