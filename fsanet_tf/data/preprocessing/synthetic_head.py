"""A head made of ellipsoids, ray cast in perspective: faces of known pose that need no dataset.

Everything is given in the head's own axes: x to the person's left, y down, z out of the face, one unit
about the height of half a head. The pose rotates them as `fsanet_tf.geometry.pose.rotation_matrices` says.
"""

import dataclasses

import cv2
import numpy as np

from fsanet_tf.geometry.pose import rotation_matrices

CAMERA_DISTANCE = 7.0

# center and radii of the parts: skull, nose, left and right ear, neck
PARTS = {
    "head": ((0.0, 0.0, 0.0), (0.78, 1.0, 0.9)),
    "nose": ((0.0, 0.16, 0.86), (0.13, 0.24, 0.24)),
    "left_ear": ((0.78, 0.02, -0.05), (0.09, 0.2, 0.14)),
    "right_ear": ((-0.78, 0.02, -0.05), (0.09, 0.2, 0.14)),
    "neck": ((0.0, 1.3, -0.2), (0.4, 0.75, 0.42)),
}
EYE, IRIS, BROW, MOUTH = (0.29, -0.13), 0.055, (0.29, -0.33), (0.0, 0.5)


@dataclasses.dataclass(frozen=True)
class Person:
    """Appearance of a head; colors are BGR in [0, 255].

    Attributes:
        skin, hair, iris, lips: colors.
        hairline: y at the forehead above which hair grows, in head units.
        width: factor on the head's width.
        mouth_open: half the height of the mouth, in head units.
        freckles: amplitude of the skin's texture, in gray levels.
        texture_seed: of that texture.
    """

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    hairline: float
    width: float
    mouth_open: float
    freckles: float
    texture_seed: int


def random_person(rng: np.random.Generator) -> Person:
    """Draw a random appearance."""
    tone = rng.uniform(0.25, 1.0)
    skin = tone * np.array([170.0, 195.0, 235.0]) * rng.uniform(0.92, 1.08, 3)
    return Person(
        skin=skin,
        hair=rng.choice([[20, 20, 25], [30, 50, 80], [90, 150, 190], [40, 60, 140], [150, 150, 150]])
        * rng.uniform(0.7, 1.2),
        iris=rng.choice([[60, 40, 20], [30, 60, 90], [150, 110, 60], [60, 120, 70]]).astype(float),
        lips=skin * np.array([0.65, 0.6, 0.95]),
        hairline=rng.uniform(-0.75, -0.5),
        width=rng.uniform(0.9, 1.1),
        mouth_open=rng.uniform(0.04, 0.12),
        freckles=rng.uniform(0.0, 12.0),
        texture_seed=int(rng.integers(1 << 31)),
    )


def render(
    pose_deg: np.ndarray,
    person: Person,
    background: np.ndarray,
    center: tuple[float, float],
    scale: float,
    light: np.ndarray,
) -> np.ndarray:
    """Draw a head onto a background.

    Args:
        pose_deg: Yaw, pitch, roll in degrees.
        person: Its appearance.
        background: uint8 BGR `(height, width, 3)`.
        center: x and y in pixels of the head's center.
        scale: Pixels per head unit at the head's center.
        light: direction to the light in camera axes (x right, y down, z to the viewer), `(3,)`.

    Returns:
        uint8 BGR of the background's shape.
    """
    height, width = background.shape[:2]
    rotation = rotation_matrices(pose_deg)
    x, y = np.meshgrid(np.arange(width) - center[0], np.arange(height) - center[1])
    focal = scale * CAMERA_DISTANCE
    rays = np.stack([x / focal, y / focal, np.full_like(x, -1.0, dtype=float)], -1) @ rotation
    origin = np.array([0, 0, CAMERA_DISTANCE]) @ rotation
    image = background.astype(np.float64)
    nearest = np.full((height, width), np.inf)
    towards_light = (light / np.linalg.norm(light)) @ rotation
    for name, (part_center, radii) in PARTS.items():
        widen = np.array([person.width, 1, 1])
        part_center, radii = np.array(part_center) * widen, np.array(radii) * widen
        distance = _intersect(origin, rays, part_center, radii)
        seen = distance < nearest
        points = origin + distance[seen, None] * rays[seen]
        normals = (points - part_center) / radii**2
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        shade = 0.45 + 0.6 * np.clip(normals @ towards_light, 0, 1)
        image[seen] = _colors(name, points / widen, person) * shade[:, None]
        nearest[seen] = distance[seen]
    return np.clip(image, 0, 255).astype(np.uint8)


def _intersect(origin, rays, center, radii) -> np.ndarray:
    """Return the distance along each ray to an ellipsoid; infinite if the ray misses it."""
    start, direction = (origin - center) / radii, rays / radii
    a = np.sum(direction**2, -1)
    half_b = direction @ start
    discriminant = half_b**2 - a * (start @ start - 1)
    with np.errstate(invalid="ignore"):
        return np.where(discriminant > 0, (-half_b - np.sqrt(discriminant)) / a, np.inf)


def _colors(part: str, points: np.ndarray, person: Person) -> np.ndarray:
    """Return the texture of a part at surface points `(N, 3)`: BGR `(N, 3)`."""
    x, y, z = points.T
    phase = np.random.default_rng(person.texture_seed).uniform(0, 6.3, 3)
    grain = np.sin(23 * x + phase[0]) * np.sin(29 * y + phase[1]) * np.sin(17 * z + phase[2])
    colors = person.skin + person.freckles * grain[:, None]
    if part != "head":
        return colors

    def paint(where: np.ndarray, color) -> None:
        colors[where] = color

    def within(center, radius_x, radius_y) -> np.ndarray:
        """Inside an ellipse on the front of the face; a positive x is mirrored to the other side."""
        return (z > 0) & (((np.abs(x) - center[0]) / radius_x) ** 2 + ((y - center[1]) / radius_y) ** 2 < 1)

    paint(within(EYE, 0.16, 0.08), (235, 235, 235))
    paint(within(EYE, IRIS * 1.3, IRIS * 1.3), person.iris)
    paint(within(EYE, IRIS * 0.5, IRIS * 0.5), (10, 10, 10))
    paint(within(BROW, 0.19, 0.04), person.hair * 0.8)
    paint(within(MOUTH, 0.26, person.mouth_open), person.lips)
    paint(within(MOUTH, 0.2, person.mouth_open * 0.25), person.lips * 0.4)
    strands = 1 + 0.25 * np.sin(40 * np.arctan2(x, z) + phase[0])
    hair = (y < person.hairline + 0.25 * x**2) | ((z < -0.05) & (y < 0.45))
    colors[hair] = (person.hair * strands[:, None])[hair]
    return colors


def landmarks(person: Person) -> np.ndarray:
    """Return the 68 landmarks of 300W on the head, `(68, 3)`, in head units."""
    _, (rx, ry, rz) = PARTS["head"]
    turn = np.linspace(-1, 1, 17) * np.deg2rad(100)
    jaw = np.stack([np.sin(turn) * rx, 0.05 + np.cos(turn).clip(0) * 0.9 * ry], 1)
    left_brow = np.stack([BROW[0] + np.linspace(-0.18, 0.18, 5), np.full(5, BROW[1])], 1)
    circle = np.linspace(0, 2 * np.pi, 6, endpoint=False) + np.pi
    left_eye = np.stack([EYE[0] + 0.16 * np.cos(circle), EYE[1] + 0.07 * np.sin(circle)], 1)
    bridge = np.stack([np.zeros(4), np.linspace(-0.1, 0.15, 4)], 1)
    nostrils = np.stack([np.linspace(-0.12, 0.12, 5), np.full(5, 0.28)], 1)
    outer, inner = (np.linspace(0, 2 * np.pi, n, endpoint=False) + np.pi for n in (12, 8))
    lips = [np.stack([r * np.cos(a), MOUTH[1] + person.mouth_open * f * np.sin(a)], 1)
            for a, r, f in ((outer, 0.26, 1.0), (inner, 0.2, 0.25))]  # fmt: skip
    mirrored = np.array([-1.0, 1.0])
    flat = np.concatenate(
        [jaw, (left_brow * mirrored)[::-1], left_brow, bridge, nostrils,
         (left_eye * mirrored), left_eye, *lips]
    )  # fmt: skip
    depth = rz * np.sqrt(np.clip(1 - (flat[:, 0] / rx) ** 2 - (flat[:, 1] / ry) ** 2, 0.0, 1))
    depth[27:36] += 0.15  # the nose stands out
    return np.column_stack([flat[:, 0] * person.width, flat[:, 1], depth])


def project(
    points: np.ndarray, pose_deg: np.ndarray, center: tuple[float, float], scale: float
) -> np.ndarray:
    """Project head points `(N, 3)` to pixels `(N, 2)`, with the camera of `render`."""
    turned = points @ rotation_matrices(pose_deg).T
    return np.array(center) + scale * CAMERA_DISTANCE * turned[:, :2] / (CAMERA_DISTANCE - turned[:, 2:])


def random_background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw a blurred pattern of random colors, uint8 BGR `(height, width, 3)`."""
    coarse = rng.integers(0, 256, (rng.integers(2, 8), rng.integers(2, 8), 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
