"""A served network crops whole pictures as Python does, whatever the box, the sampling and the file."""

import io
import json

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from fsanet_tf.errors import InputError
from fsanet_tf.export.formats import export_saved_model
from fsanet_tf.export.picture_crop import crop_faces, crop_picture, grow_boxes
from fsanet_tf.export.picture_decoding import decode_picture, exif_orientation
from fsanet_tf.geometry.crop import CropRule, crop_box, crop_face, grow_box
from fsanet_tf.io.images import read_image
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import NetworkCard
from tests.golden.seeded import set_weights

FRAME = read_image("astronaut")
BOXES = [
    (179.4, 62.6, 269.9, 178.2), (190.0, 70.0, 230.0, 118.0), (-20.5, -30.2, 120.7, 90.1),
    (400.0, 420.0, 530.0, 600.0), (100.3, 100.7, 104.2, 105.9), (3.0, 5.0, 500.0, 480.0),
    (100.5, 200.25, 102.0, 202.5), (-300.0, -200.0, 900.5, 1000.5), (190.0, 70.0, 190.0, 118.0),
]  # fmt: skip
OUTSIDE = [  # of the picture, though the margin of some reaches into it, or no boxes
    (900.0, 900.0, 950.0, 950.0), (-50.0, -50.0, -5.0, -5.0), (512.0, 10.0, 600.0, 98.0),
    (10.0, -90.0, 100.0, 0.0), (10.0, 10.0, 5.0, 20.0), (10.0, 10.0, 20.0, np.nan), (0.0, 0.0, np.inf, 9.0),
]  # fmt: skip
HUGE = (-1e5, -1e5, 1e5, 1e5)
RULES = [CropRule(0.29, square=True), CropRule(0.6), CropRule(0.0)]
FILTERED = [CropRule(rule.margin_ratio, rule.square, "filtered") for rule in RULES]


@pytest.mark.parametrize("rule", RULES)
def test_original_crops_equal_opencvs(rule):
    height, width = FRAME.shape[:2]
    grown = grow_boxes(tf.constant(BOXES), rule, tf.constant(height), tf.constant(width)).numpy()
    assert grown.tolist() == [list(grow_box(box, rule, FRAME.shape)) for box in BOXES]
    crops = crop_picture(tf.constant(FRAME), tf.constant(grown), 64).numpy()
    for box, crop in zip(grown.tolist(), crops, strict=True):
        if box[0] < box[2] and box[1] < box[3]:
            np.testing.assert_array_equal(crop, crop_box(FRAME, box))


@pytest.mark.parametrize("rule", [*RULES, *FILTERED], ids=str)
def test_crops_are_those_of_crop_face(rule):
    crops, valid = crop_faces(tf.constant(FRAME), tf.constant([*BOXES, HUGE, *OUTSIDE]), rule, 64)
    assert not valid.numpy()[-len(OUTSIDE) :].any()
    for box in OUTSIDE:
        with pytest.raises(InputError, match=r"lies outside of an image|expected left, top, right, bottom"):
            crop_face(FRAME, box, rule)
    for box, crop, is_valid in zip([*BOXES, HUGE], crops.numpy(), valid.numpy(), strict=False):
        try:
            expected = crop_face(FRAME, box, rule)
        except InputError:  # an empty box without a margin, or a huge one
            assert not is_valid
            continue
        assert is_valid
        np.testing.assert_allclose(crop, expected, atol=0.02)
        assert np.abs(crop - expected).mean() < 0.002


def as_jpeg(image: np.ndarray, orientation: int | None, **options) -> bytes:
    picture, exif = Image.fromarray(image[..., ::-1]), Image.Exif()
    if orientation is not None:
        exif[0x010F] = "a camera"
        exif[0x0112] = orientation
        options["exif"] = exif
    content = io.BytesIO()
    picture.save(content, "JPEG", **options)
    return content.getvalue()


@pytest.mark.parametrize("orientation", [None, *range(10)])
def test_jpegs_are_turned_and_decoded_as_python_does(orientation):
    for content in (
        as_jpeg(FRAME[:300], orientation),
        as_jpeg(FRAME[:300], orientation, dpi=(72, 72), comment="x" * 999),
    ):
        expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(decode_picture(tf.constant(content)).numpy(), expected)


def test_a_big_endian_or_damaged_exif_segment_is_read_or_ignored():
    content = as_jpeg(FRAME, 6)
    start = content.index(b"Exif\0\0") + 6
    little = content[start : start + 2] == b"II"
    tiff = [
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0",
    ]
    other = content[:start] + tiff[little ^ True] + content[start + len(tiff[0]) :]
    assert exif_orientation(tf.constant(content)).numpy() == 6
    assert exif_orientation(tf.constant(other)).numpy() == 8
    assert exif_orientation(tf.constant(content[: start + 4])).numpy() == 1
    assert exif_orientation(tf.constant(content[:start] + b"\xff" * 50)).numpy() == 1


@pytest.fixture(scope="module", params=["original", "filtered"])
def served(request, tiny, tmp_path_factory):
    model, path = build_model("fsanet_noS_metric_tiny"), tmp_path_factory.mktemp("served") / "net"
    set_weights(model)
    card = NetworkCard(64, CropRule(0.29, square=True, sampling=request.param))
    export_saved_model(model, path, card)
    return model, card, tf.saved_model.load(str(path)).signatures


def test_served_network_takes_pictures_and_boxes(served):
    model, card, signatures = served
    expected = model.predict(np.stack([crop_face(FRAME, box, card.crop) for box in BOXES]), verbose=0)["pose"]
    assert np.ptp(expected, axis=0).max() > 1  # the crops make a difference
    boxes = tf.constant([*BOXES, *OUTSIDE])
    content = tf.constant(cv2.imencode(".png", FRAME)[1].tobytes())
    for answers in (
        signatures["serving_picture"](picture=tf.constant(FRAME), boxes=boxes),
        signatures["serving_picture_bytes"](picture_bytes=content, boxes=boxes),
    ):
        poses = answers["pose"].numpy()
        np.testing.assert_allclose(poses[: len(BOXES)], expected, atol=0.01)
        assert np.isnan(poses[len(BOXES) :]).all() and np.isnan(answers["yaw"].numpy()[len(BOXES) :]).all()


def test_a_turned_photo_gives_the_poses_of_the_upright_one(served):
    model, card, signatures = served
    content = as_jpeg(np.rot90(FRAME), 6, quality=92)
    upright = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert upright.shape == FRAME.shape
    expected = model.predict(crop_face(upright, BOXES[0], card.crop)[None], verbose=0)["pose"]
    picture = tf.constant(content)
    poses = signatures["serving_picture_bytes"](picture_bytes=picture, boxes=tf.constant(BOXES[:1]))["pose"]
    np.testing.assert_allclose(poses, expected, atol=1e-3)


def test_no_face_and_faces_of_nan_are_answered(served):
    _, _, signatures = served
    no_boxes = tf.zeros((0, 4))
    content = tf.constant(cv2.imencode(".jpg", FRAME)[1].tobytes())
    for answers in (
        signatures["serving_default"](image=tf.zeros((0, 64, 64, 3))),
        signatures["serving_uint8"](image=tf.zeros((0, 64, 64, 3), tf.uint8)),
        signatures["serving_image_bytes"](image_bytes=tf.zeros((0,), tf.string)),
        signatures["serving_picture"](picture=tf.constant(FRAME), boxes=no_boxes),
        signatures["serving_picture_bytes"](picture_bytes=content, boxes=no_boxes),
    ):
        assert answers["pose"].shape == (0, 3) and answers["yaw"].shape == (0,)
    images = np.full((2, 64, 64, 3), 100, np.float32)
    images[1, 5, 5, 0] = np.nan
    poses = signatures["serving_default"](image=tf.constant(images))["pose"].numpy()
    assert np.isfinite(poses[0]).all() and np.isnan(poses[1]).all()


def test_the_card_and_every_output_of_a_localizing_network_are_in_the_folder(tiny, tmp_path):
    model = build_model("fsanet_noS_metric_tiny", image_size=32, localize=True)
    export_saved_model(model, tmp_path / "net", NetworkCard(32))
    answers = tf.saved_model.load(str(tmp_path / "net")).signatures["serving_default"](
        image=tf.zeros((2, 32, 32, 3))
    )
    assert answers["box_offset"].shape == (2, 3) and answers["face_score"].shape == (2,)
    assert json.loads((tmp_path / "net/assets.extra/card.json").read_text())["image_size"] == 32
