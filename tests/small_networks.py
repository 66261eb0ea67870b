"""Networks that are built, trained and exported in a fraction of a real one's time."""

import keras
from keras import layers

from fsanet_tf.layers import FusedBatchNormalization
from fsanet_tf.models.backbone import Backbone
from fsanet_tf.models.pose_network import PoseNetwork

FILTERS = (8, 16, 16)


def tiny_features(image, width):
    """One block per stage; the fixture `tiny` registers it as the backbone `tiny`."""
    x, outputs = image, []
    for block, filters in enumerate(FILTERS, 1):
        options = {"padding": "same", "use_bias": False, "name": f"block{block}_conv"}
        if block == 1:  # of pixels up to 255
            options["depthwise_initializer"] = keras.initializers.RandomNormal(stddev=1 / 255)
        x = layers.SeparableConv2D(round(filters * width), 3, 2, **options)(x)
        x = FusedBatchNormalization(name=f"block{block}_norm")(x)
        x = layers.ReLU(name=f"block{block}_relu")(x)
        outputs.insert(0, x)
    return [
        (layers.Conv2D(64, 1, activation="relu", name=f"stage{stage}_conv")(maps),)
        for stage, maps in enumerate(outputs, 1)
    ]


TINY = Backbone(tiny_features)


def pooled(size: int = 64) -> PoseNetwork:
    """A network of one pooling and one dense layer: each angle is a tenth of the channels' sum."""
    image = keras.Input((size, size, 3), name="image")
    dense = layers.Dense(3, kernel_initializer=keras.initializers.Constant(0.1))
    pose = dense(layers.GlobalAveragePooling2D()(image))
    return PoseNetwork(image, {"pose": pose}, name="pooled")
