"""Signs on known rotations, round trips, and errors worked by hand."""

import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.pose import (
    angle_errors,
    axis_vector_errors,
    geodesic_errors,
    mirror_poses,
    poses_from_rotations,
    quaternions,
    rotate_poses,
    rotation_matrices,
)

X, Y, Z = 0, 1, 2


def drawn(yaw=0.0, pitch=0.0, roll=0.0):
    """Where the axes end in the picture, by the original's formulas; x right, y down."""
    y, p, r = -np.deg2rad(yaw), np.deg2rad(pitch), np.deg2rad(roll)
    return np.array([
        [np.cos(y) * np.cos(r), -np.cos(y) * np.sin(r), np.sin(y)],
        [np.cos(p) * np.sin(r) + np.cos(r) * np.sin(p) * np.sin(y),
         np.cos(p) * np.cos(r) - np.sin(p) * np.sin(y) * np.sin(r), -np.cos(y) * np.sin(p)],
    ])  # fmt: skip


def test_rotation_equals_the_originals_projection(rng):
    for pose in rng.uniform(-99, 99, (50, 3)):
        np.testing.assert_allclose(rotation_matrices(pose)[:2], drawn(*pose), atol=1e-12)


def test_signs_of_the_angles():
    np.testing.assert_allclose(rotation_matrices([0, 0, 0]), np.eye(3))
    assert rotation_matrices([30, 0, 0])[0, Z] < 0  # positive yaw: the front points left in the picture
    assert rotation_matrices([0, 30, 0])[1, Z] < 0  # positive pitch: up
    assert rotation_matrices([0, 0, 30])[1, X] > 0  # positive roll: the x axis turns down, clockwise


def test_rotations_are_rotations(rng):
    rotations = rotation_matrices(rng.uniform(-180, 180, (100, 3)))
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.eye(3)[None].repeat(100, 0), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)


def test_poses_survive_the_round_trip(rng):
    poses = rng.uniform([-179, -179, -179], [179, 179, 179], (500, 3))
    poses = poses[np.abs(np.abs(poses[:, 0]) - 90) > 1]
    back = poses_from_rotations(rotation_matrices(poses), np.abs(poses[:, 0]) > 90)
    np.testing.assert_allclose(back, poses, atol=1e-6)


def test_mirror_twice_is_nothing_and_once_mirrors_the_rotation(rng):
    poses = rng.uniform(-80, 80, (20, 3))
    np.testing.assert_array_equal(mirror_poses(mirror_poses(poses)), poses)
    flip = np.diag([-1.0, 1, 1])
    np.testing.assert_allclose(
        rotation_matrices(mirror_poses(poses)), flip @ rotation_matrices(poses) @ flip, atol=1e-12
    )


def test_turning_a_frontal_face_adds_roll_and_turning_back_undoes_it(rng):
    np.testing.assert_allclose(rotate_poses(np.zeros((1, 3)), np.array([15.0])), [[0, 0, 15]], atol=1e-12)
    poses = rng.uniform(-60, 60, (20, 3))
    turn = rng.uniform(-15, 15, 20)
    np.testing.assert_allclose(rotate_poses(rotate_poses(poses, turn), -turn), poses, atol=1e-9)


def test_errors_by_hand():
    zero = np.zeros((1, 3))
    np.testing.assert_allclose(angle_errors([[1, -2, 3]], zero), [[1, 2, 3]])
    for axis in range(3):
        pose = np.eye(3)[axis : axis + 1] * 40
        assert geodesic_errors(pose, zero)[0] == pytest.approx(40)
        assert axis_vector_errors(pose, zero).sum() == pytest.approx(80)  # two axes turn, one stays
    assert geodesic_errors([[0, 0, 180]], zero)[0] == pytest.approx(180)


def test_geodesic_error_sees_through_gimbal_lock():
    # at yaw 90° pitch and roll are one rotation: very different angles, nearly one pose
    poses = np.array([[90.0, 60.0, 60.0], [90.0, 0.0, 0.0]])
    apart = geodesic_errors(poses[:1], poses[1:])[0]
    same_rotation = min(apart, geodesic_errors([[90.0, 60.0, -60.0]], poses[1:])[0])
    assert same_rotation == pytest.approx(0, abs=1e-5)
    assert angle_errors(poses[:1], poses[1:]).mean() == pytest.approx(40)


@pytest.mark.parametrize("poses", [[1, 2], "yaw", None, 5, [[1, 2], [3, 4]]])
def test_what_is_no_pose_is_named(poses):
    for function in (rotation_matrices, quaternions, mirror_poses):
        with pytest.raises(InputError, match="poses_deg: expected yaw, pitch, roll in degrees, received"):
            function(poses)
    with pytest.raises(InputError, match=r"rotations: expected an array \(\.\.\., 3, 3\), received"):
        poses_from_rotations(poses)
