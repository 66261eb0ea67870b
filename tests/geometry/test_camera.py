"""Poses of heads away from the center of the image, against a full perspective projection."""

import numpy as np
import pytest

from fsanet_tf.data.preprocessing.synthetic_head import landmarks, random_person
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.camera import camera_matrix, pose_in_camera
from fsanet_tf.geometry.pose import geodesic_errors, poses_from_rotations, rotation_matrices

CAMERA = camera_matrix(75.0, (720, 1280))


def pose_that_a_crop_shows(points, image_points):
    """Fit a rotation to landmarks and their places in a crop, seen from far: what a network learned."""
    design = points - points.mean(axis=0)
    target = image_points - image_points.mean(axis=0)
    affine = np.linalg.lstsq(design, target, rcond=None)[0].T  # (2, 3)
    scale = np.linalg.norm(affine, axis=1).mean()
    u, _, v = np.linalg.svd(affine / scale, full_matrices=False)
    first, second = u @ v
    return poses_from_rotations(np.stack([first, second, np.cross(first, second)]))


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.9, 0.0), (-0.9, 0.6), (0.5, -0.9)])
@pytest.mark.parametrize("pose", [(0, 0, 0), (30, 10, -5), (-40, -15, 20)])
def test_the_pose_relative_to_the_camera_is_recovered(place, pose, rng):
    points = landmarks(random_person(rng))
    distance = 60.0  # head units: nearly parallel rays within the head
    x, y = place[0] * 640 / CAMERA[0, 0] * distance, place[1] * 360 / CAMERA[1, 1] * distance
    in_camera = points @ rotation_matrices(pose).T + [x, y, -distance]  # z toward the viewer
    pixels = (in_camera[:, :2] / -in_camera[:, 2:]) @ CAMERA[:2, :2].T + CAMERA[:2, 2]
    # What a camera sees that looks straight at the head: the perspective stretch is undone by its own view.
    center = pixels.mean(axis=0)
    straight = pose_in_camera(np.zeros(3), tuple(center), CAMERA)
    view = rotation_matrices(straight)
    seen = in_camera @ view
    crop = seen[:, :2] / -seen[:, 2:]
    shown = pose_that_a_crop_shows(points, crop)
    recovered = pose_in_camera(shown, tuple(center), CAMERA)
    assert geodesic_errors(recovered[None], np.array([pose]))[0] < 1.5
    if place == (0.9, 0.0):
        assert geodesic_errors(shown[None], np.array([pose]))[0] > 25  # what is corrected


def test_a_face_is_turned_and_located_by_its_camera():
    face = FacePose((1180.0, 310.0, 1280.0, 410.0), 0.9, 0.0, 0.0, 0.0, track=3)
    seen = face.in_camera(CAMERA)
    assert seen.yaw == pytest.approx(np.rad2deg(np.arctan2(590, CAMERA[0, 0]))) and seen.track == 3
    assert seen.position_mm == pytest.approx((590 * 1.393, 0, CAMERA[0, 0] * 1.393))
    assert face.position_mm is None


def test_a_face_in_the_center_keeps_its_pose():
    pose = np.array([20.0, -10, 5])
    np.testing.assert_allclose(pose_in_camera(pose, (640, 360), CAMERA), pose, atol=1e-9)


@pytest.mark.parametrize("camera", [np.zeros((3, 3)), np.eye(2), np.full((3, 3), np.nan)])
def test_an_impossible_camera_is_refused(camera):
    with pytest.raises(InputError, match="camera_matrix: expected an invertible"):
        pose_in_camera(np.zeros(3), (0, 0), camera)
    with pytest.raises(InputError, match="field_of_view_deg: expected degrees in"):
        camera_matrix(180, (10, 10))
    with pytest.raises(InputError, match="image_shape: expected height and width, received"):
        camera_matrix(60, (10,))
