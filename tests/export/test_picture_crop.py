"""A served network crops whole pictures as Python does."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from fsanet_tf.detection.detection import Detection
from fsanet_tf.export.formats import export_saved_model
from fsanet_tf.export.picture_crop import crop_picture, grow_boxes
from fsanet_tf.geometry.crop import CropRule, crop_box, grow_box
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.prediction.predictor import PosePredictor

FRAME = read_image("astronaut")
BOXES = [
    (179.4, 62.6, 269.9, 178.2), (190.0, 70.0, 230.0, 118.0), (-20.5, -30.2, 120.7, 90.1),
    (400.0, 420.0, 530.0, 600.0), (100.0, 100.0, 108.0, 109.0), (3.0, 5.0, 500.0, 480.0),
]  # fmt: skip


@pytest.mark.parametrize("rule", [CropRule(0.29, square=True), CropRule(0.6), CropRule(0.0)])
def test_crops_equal_opencvs(rule):
    height, width = FRAME.shape[:2]
    grown = grow_boxes(tf.constant(BOXES), rule, tf.constant(height), tf.constant(width)).numpy()
    assert grown.tolist() == [list(grow_box(box, rule, FRAME.shape)) for box in BOXES]
    crops = crop_picture(tf.constant(FRAME), tf.constant(grown), 64).numpy()
    for box, crop in zip(grown.tolist(), crops):
        np.testing.assert_array_equal(crop, crop_box(FRAME, box))


def test_served_network_takes_pictures_and_boxes(tmp_path):
    predictor = PosePredictor("1x1")
    card = {"margin_ratio": predictor.crop_rule.margin_ratio, "square": predictor.crop_rule.square}
    export_saved_model(load_model("1x1"), tmp_path / "net", card)
    signatures = tf.saved_model.load(str(tmp_path / "net")).signatures
    expected = [face.pose_deg for face in predictor.predict(FRAME, [Detection(box) for box in BOXES])]
    boxes = tf.constant([*BOXES, (900.0, 900.0, 950.0, 950.0)])
    content = tf.constant(cv2.imencode(".png", FRAME)[1].tobytes())
    for poses in (
        signatures["serving_picture"](picture=tf.constant(FRAME), boxes=boxes)["pose"].numpy(),
        signatures["serving_picture_bytes"](picture_bytes=content, boxes=boxes)["pose"].numpy(),
    ):
        np.testing.assert_allclose(poses[:-1], expected, atol=1e-3)
        assert np.isnan(poses[-1]).all()
