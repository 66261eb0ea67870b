"""The expected error of a fusion, from how far its members disagree and how far the head is turned."""

import dataclasses
from typing import Any

import numpy as np

from fsanet_tf.geometry.pose import rotation_matrices


@dataclasses.dataclass(frozen=True)
class ErrorCalibration:
    """Dependence of a fusion's error on its members' poses, as measured on validation faces.

    Attributes:
        offset_deg: Expected geodesic error of a frontal face where the members agree, in degrees.
        slope: Increase per degree of disagreement.
        turn_slope: Increase per degree that the head is turned.
    """

    offset_deg: float
    slope: float
    turn_slope: float

    def expected_error(self, poses_deg: Any, ops: Any = np) -> Any:
        """Compute the expected geodesic errors `(N,)` in degrees of members' poses `(members, N, 3)`.

        Args:
            poses_deg: Yaw, pitch, roll in degrees.
            ops: `numpy`, or `keras.ops` for tensors.
        """
        disagreement, turn = disagreement_and_turn(poses_deg, ops)
        return self.offset_deg + self.slope * disagreement + self.turn_slope * turn


def disagreement_and_turn(poses_deg: Any, ops: Any = np) -> tuple[Any, Any]:
    """Compute what a fusion's error depends on.

    Args:
        poses_deg: `(members, N, 3)`: yaw, pitch, roll in degrees.
        ops: `numpy`, or `keras.ops` for tensors.

    Returns:
        The mean distance of the members' rotations from their mean, `(N,)`, and the distance of their mean
        from the frontal pose, `(N,)`; both in degrees, exact for small angles.
    """
    rotations = rotation_matrices(poses_deg, ops)  # (members, N, 3, 3)
    mean = ops.mean(rotations, axis=0)
    frontal = np.eye(3, dtype="float32")
    return ops.mean(_distance_deg(rotations, mean, ops), axis=0), _distance_deg(mean, frontal, ops)


def _distance_deg(rotations: Any, others: Any, ops: Any) -> Any:
    squared = ops.sum(ops.square(ops.subtract(rotations, others)), axis=(-2, -1))
    return ops.sqrt(squared / 2.0) * (180.0 / np.pi)  # |R − R'| is √2 times a small angle
