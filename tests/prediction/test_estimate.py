"""One call for any kind of image, in any orientation."""

import io

import cv2
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.pose import geodesic_errors, rotate_poses
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE
from fsanet_tf.prediction.predictor import PosePredictor
from tests.prediction.disc_network import DiscDetector, DiscNetwork, disc_box, draw_discs

QUARTERS = {0: None, 90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@pytest.fixture(scope="module")
def frame():
    return np.ascontiguousarray(read_image("astronaut")[:300, 60:400])


@pytest.fixture(scope="module")
def expected(frame):
    return fsanet_tf.estimate(frame, detector="haar", color_order="BGR")


@pytest.mark.parametrize("image", [None, 3, [np.zeros((9, 9, 3), np.uint8)]])
def test_what_is_neither_path_nor_image_is_named(image):
    with pytest.raises(InputError, match="image: expected a path, bytes, a PIL image or an array, received"):
        fsanet_tf.estimate(image, detector="haar")


def test_any_orientation_is_true_or_false(frame):
    with pytest.raises(InputError, match="any_orientation: expected true or false, received 'no'"):
        fsanet_tf.estimate(frame, "1x1", DiscDetector(), color_order="BGR", any_orientation="no")


def test_arrays_of_both_orders_and_pillow_images(frame, expected):
    image = pytest.importorskip("PIL.Image")
    rgb = np.ascontiguousarray(frame[..., ::-1])
    assert fsanet_tf.estimate(rgb, detector="haar", color_order="RGB") == expected
    assert fsanet_tf.estimate(image.fromarray(rgb), detector="haar") == expected
    with pytest.raises(InputError, match="color_order: expected BGR or RGB for an array, received None"):
        fsanet_tf.estimate(frame)


def test_the_bytes_of_a_file(frame, expected):
    assert fsanet_tf.estimate(cv2.imencode(".png", frame)[1].tobytes(), detector="haar") == expected
    with pytest.raises(InputError, match="image: expected an image, could not decode it"):
        fsanet_tf.estimate(b"photo.jpg", detector="haar")


def test_a_grayscale_array_is_gray(frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    three = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    faces = fsanet_tf.estimate(gray, detector="haar")
    assert len(faces) == 1 and faces == fsanet_tf.estimate(three, detector="haar", color_order="BGR")


def test_a_pillow_image_is_turned_as_its_exif_says(frame, expected):
    image = pytest.importorskip("PIL.Image")
    turned = image.fromarray(np.ascontiguousarray(cv2.rotate(frame, QUARTERS[270])[..., ::-1]))
    exif = image.Exif()
    exif[0x0112] = 6  # rotate by 90° clockwise to show it
    content = io.BytesIO()
    turned.save(content, "png", exif=exif)
    (face,) = fsanet_tf.estimate(image.open(content), detector="haar")
    assert (face.box, face.pose_deg) == (expected[0].box, expected[0].pose_deg)


def test_pillow_images_of_16_bits_and_truncated_ones(frame):
    image = pytest.importorskip("PIL.Image")
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    faces = fsanet_tf.estimate(image.fromarray(gray.astype(np.uint16) * 257), detector="haar")
    assert faces == fsanet_tf.estimate(gray, detector="haar")
    content = cv2.imencode(".jpg", frame)[1].tobytes()
    with pytest.raises(InputError, match="image: expected a PIL image, could not decode it"):
        fsanet_tf.estimate(image.open(io.BytesIO(content[: len(content) // 2])), detector="haar")


@pytest.mark.parametrize("clockwise_deg", QUARTERS)
def test_any_orientation_answers_for_the_photo_as_it_was_given(clockwise_deg, frame, expected):
    code = QUARTERS[clockwise_deg]
    turned = frame if code is None else cv2.rotate(frame, code)
    (face,) = fsanet_tf.estimate(turned, detector="haar", color_order="BGR", any_orientation=True)
    wanted = rotate_poses([expected[0].pose_deg], [clockwise_deg])
    assert geodesic_errors(np.array([face.pose_deg]), wanted)[0] < 1e-3
    mask = np.zeros(frame.shape[:2], np.uint8)
    left, top, right, bottom = map(round, expected[0].box)
    mask[top:bottom, left:right] = 1
    mask = mask if code is None else cv2.rotate(mask, code)
    y, x = np.nonzero(mask)
    np.testing.assert_allclose(face.box, (x.min(), y.min(), x.max() + 1, y.max() + 1), atol=1)


def test_a_detector_may_be_a_function_and_several_networks_are_averaged(frame):
    box = (120, 80, 210, 180)
    detect = lambda image: [fsanet_tf.Detection(box, 0.7)]  # noqa: E731
    (face,) = fsanet_tf.estimate(frame, ["1x1", "var"], detect, color_order="BGR")
    members = [fsanet_tf.estimate(frame, name, detect, color_order="BGR")[0] for name in ("1x1", "var")]
    np.testing.assert_allclose(face.pose_deg, np.mean([m.pose_deg for m in members], axis=0), atol=1e-4)
    assert face.box == box and face.score == 0.7


def test_refined_boxes_do_not_depend_on_how_the_detector_draws_them():
    frame = draw_discs([(100, 90, 40, 200)])
    detections = [fsanet_tf.Detection((80.0, 66.0, 132.0, 118.0), 0.8)]  # too large, and a little off
    plain = PosePredictor(DiscNetwork()).predict(frame, detections)[0]
    refined = PosePredictor(DiscNetwork(), refine=2).predict(frame, detections)[0]
    assert plain.box == detections[0].box and plain.face_score == pytest.approx(0.9)
    np.testing.assert_allclose(refined.box, disc_box(100, 90, 40), atol=2)
    with pytest.raises(InputError, match="refine: expected a whole number from 0 to 2, received 3"):
        PosePredictor(DiscNetwork(), refine=3)


def test_what_the_network_calls_no_face_is_left_out_and_the_surest_comes_first():
    frame = draw_discs([(100, 90, 40, 200)])
    detector = DiscDetector([fsanet_tf.Detection((250, 20, 290, 60), 1.0)])
    (face,) = fsanet_tf.estimate(frame, DiscNetwork(), detector, color_order="BGR")
    assert face.score == 0.8 and {POSE, BOX_OFFSET, FACE_SCORE} == set(DiscNetwork.card.outputs)
