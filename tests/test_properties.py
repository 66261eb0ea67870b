"""Properties that hold for every box, pose and augmentation (hypothesis)."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsanet_tf.data.dataset import FaceDataset, hash_dataset, save_dataset
from fsanet_tf.data.face_arrays import check_poses
from fsanet_tf.data.split import held_out_rows
from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import MAX_COORDINATE, CropRule, crop_box, grow_box
from fsanet_tf.geometry.pose import (
    angle_errors,
    geodesic_errors,
    mirror_poses,
    poses_from_rotations,
    rotate_poses,
    rotation_matrices,
    wrap_degrees,
)
from fsanet_tf.networks.card import CARD_FIELDS, POSE, NetworkCard, read_card
from fsanet_tf.networks.network import FileNetwork, predict_crops
from fsanet_tf.prediction.predictor import PosePredictor

FRAME = np.zeros((90, 120, 3), np.uint8)
edges = st.floats(-1e9, 1e9)
boxes = st.tuples(edges, edges, edges, edges)
any_edge = st.floats()  # NaN and infinite too
angles = st.tuples(st.floats(-89, 89), st.floats(-89, 89), st.floats(-179, 179))


@given(boxes, st.floats(0, 5), st.booleans())
def test_a_grown_box_lies_in_the_frame_or_is_empty(box, margin, square):
    if box[0] > box[2] or box[1] > box[3] or max(map(abs, box)) >= MAX_COORDINATE:
        with pytest.raises(InputError, match="expected left, top, right, bottom"):
            grow_box(box, CropRule(margin, square), FRAME.shape)
        return
    left, top, right, bottom = grow_box(box, CropRule(margin, square), FRAME.shape)
    assert left >= 0 and top >= 0 and right <= 119 and bottom <= 89
    if left < right and top < bottom:
        assert crop_box(FRAME, (left, top, right, bottom)).shape == (64, 64, 3)


@given(st.lists(st.tuples(any_edge, any_edge, any_edge, any_edge), max_size=4))
def test_the_predictor_takes_any_box_or_says_which_is_invalid(found):
    network = FileNetwork(
        "zeros", NetworkCard(), 64, lambda crops: {POSE: np.zeros((len(crops), 3), np.float32)}, ()
    )
    detections = [Detection(box, 1.0) for box in found]
    valid = [box[0] <= box[2] and box[1] <= box[3] and max(map(abs, box)) < MAX_COORDINATE for box in found]
    if not all(valid):
        with pytest.raises(InputError, match="expected left, top, right, bottom"):
            PosePredictor(network).predict(FRAME, detections)
        return
    faces = PosePredictor(network).predict(FRAME, detections)
    assert [detections[face.index].box for face in faces] == [face.box for face in faces]


@given(angles)
def test_angles_survive_the_rotation(pose):
    pose = np.array([pose])
    beyond = np.abs(pose[:, 1]) > 90
    back = poses_from_rotations(rotation_matrices(pose), beyond)
    assert geodesic_errors(back, pose)[0] < 1e-4


@given(angles)
def test_mirroring_twice_is_nothing(pose):
    np.testing.assert_array_equal(mirror_poses(mirror_poses(np.array([pose]))), [pose])


@given(angles, st.floats(-45, 45))
def test_rotating_back_is_nothing(pose, turn):
    pose = np.array([pose])
    turned = rotate_poses(rotate_poses(pose, np.array([turn])), np.array([-turn]))
    assert geodesic_errors(turned, pose)[0] < 1e-4


@given(angles, st.floats(-45, 45))
def test_labels_of_a_mirrored_picture_turn_the_other_way(pose, turn):
    pose, turn = np.array([pose]), np.array([turn])
    one = mirror_poses(rotate_poses(pose, turn))
    other = rotate_poses(mirror_poses(pose), -turn)
    assert geodesic_errors(one, other)[0] < 1e-4


@given(st.floats(-1e6, 1e6))
def test_wrapped_degrees_are_the_same_angle(angle):
    wrapped = wrap_degrees(angle)
    assert -180 <= wrapped < 180
    assert abs(np.sin(np.deg2rad(wrapped)) - np.sin(np.deg2rad(angle))) < 1e-6


@given(angles, angles)
def test_errors_are_symmetric(one, other):
    one, other = np.array([one]), np.array([other])
    np.testing.assert_allclose(angle_errors(one, other), angle_errors(other, one))
    np.testing.assert_allclose(geodesic_errors(one, other), geodesic_errors(other, one), atol=1e-5)


@given(st.lists(st.tuples(any_edge, any_edge, any_edge, any_edge, st.floats()), max_size=4))
def test_whatever_a_detector_returns_only_faces_of_the_frame_remain(found):
    detect = make_detector(lambda frame: [Detection(tuple(box), score) for *box, score in found])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tells how many were left out
        faces = detect(FRAME)
    for face in faces:
        left, top, right, bottom = face.box
        assert np.isfinite(face.box).all() and 0 <= face.score <= 1
        assert left < right and top < bottom and left < 120 and top < 90 and right > 0 and bottom > 0
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)


numbers = st.floats(width=32)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=4))
def test_whatever_a_network_answers_poses_are_finite_or_the_face_is_named(poses):
    answers = np.array(poses, np.float32)
    network = FileNetwork("foreign", NetworkCard(), 64, lambda crops: {POSE: answers}, ())
    finite = np.isfinite(answers).all(axis=1)
    crops = np.zeros((len(answers), 64, 64, 3), np.uint8)
    if finite.all():
        np.testing.assert_array_equal(predict_crops(network, crops)[POSE], answers)
        return
    with pytest.raises(InputError, match=f"foreign: pose of face {int(np.argmin(finite))} is not finite"):
        predict_crops(network, crops)


@given(st.lists(st.tuples(st.floats(), st.floats(), st.floats()), min_size=1, max_size=6))
def test_labels_that_pass_are_finite_degrees(poses):
    message = ""
    try:
        check_poses("faces.npz", np.array(poses))
    except InputError as error:
        message = str(error)
    if message:
        assert message.startswith("faces.npz: ") and len(message.splitlines()) == 1
    else:
        assert np.isfinite(poses).all() and np.median(np.abs(poses)) <= 120


OWN_HASH = "0" * 64
card_keys = st.sampled_from([
    *CARD_FIELDS, "data", "training", "members", "started_from", "file", "sha256", "validation_fraction",
    "fold", "max_angle_deg", "validation_data",
])  # fmt: skip
card_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats()
    | st.sampled_from(["", "a.npz", "../a", OWN_HASH]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(card_keys, values, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(card_keys, card_values, max_size=6))
def test_whatever_a_card_says_it_is_read_or_named_and_tells_which_faces_are_new(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("card")
    save_dataset(
        folder / "a.npz", FaceDataset.from_arrays(np.zeros((6, 8, 8, 3), np.uint8), np.full((6, 3), 9.0))
    )
    text = json.dumps(content).replace(OWN_HASH, hash_dataset(folder / "a.npz"))
    (folder / "net.json").write_text(text)
    (folder / "net.keras").write_bytes(b"of version 0.3, whose card is next to it")
    message, card = "", NetworkCard()
    try:
        card = read_card(folder / "net.keras")
    except InputError as error:
        message = str(error)
    if message:
        assert "net.keras: expected the card of a network" in message and "\n" not in message
        return
    assert NetworkCard.from_json(card.as_json()) is not None and "\n" not in card.description()
    rows = held_out_rows([folder / "a.npz"], card)
    assert set(rows) <= set(range(6)) and (OWN_HASH in json.dumps(content) or len(rows) == 6)
