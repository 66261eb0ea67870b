"""Axes as the original draws them, a cube that turns, labels that stay legible and inside."""

import numpy as np
import pytest

from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.drawing.faces import draw_faces
from fsanet_tf.drawing.poses import draw_axes, draw_cube, draw_face, format_angles, text_width, write_text
from fsanet_tf.errors import InputError


def farthest(image, color, center=(100, 100)):
    """The pixel of a color that lies farthest from the center, relative to it."""
    y, x = np.nonzero((np.abs(image.astype(int) - color) < 60).all(axis=-1))
    offsets = np.stack([x, y], axis=1) - center
    return offsets[np.argmax((offsets**2).sum(axis=1))]


@pytest.mark.parametrize("pose", [(0, 0, 0), (35, 0, 0), (0, 25, 0), (0, 0, 30), (-40, 20, -15)])
def test_axes_are_the_originals(pose):
    image = np.zeros((200, 200, 3), np.uint8)
    draw_axes(image, pose, (100, 100), 80)
    yaw, pitch, roll = np.deg2rad(pose) * (-1, 1, 1)
    sin, cos = np.sin, np.cos
    x = (cos(yaw) * cos(roll), cos(pitch) * sin(roll) + cos(roll) * sin(pitch) * sin(yaw))
    y = (-cos(yaw) * sin(roll), cos(pitch) * cos(roll) - sin(pitch) * sin(yaw) * sin(roll))
    z = (sin(yaw), -cos(yaw) * sin(pitch))
    for direction, color in ((x, (0, 0, 255)), (y, (0, 255, 0)), (z, (255, 0, 0))):
        if np.hypot(*direction) > 0.2:
            np.testing.assert_allclose(farthest(image, color), 80 * np.array(direction), atol=3)


def test_the_cubes_front_goes_where_the_face_looks():
    shifts = []
    for pose in ((40, 0, 0), (0, 30, 0)):
        image = np.zeros((200, 200, 3), np.uint8)
        draw_cube(image, pose, (100, 100), 90)
        y, x = np.nonzero((image[..., 0] > 200) & (image[..., 1] < 60))
        shifts.append((x.mean() - 100, y.mean() - 100))
    (yaw_x, _), (_, pitch_y) = shifts
    assert yaw_x < -15 and pitch_y < -10  # to the picture's left; up


def test_a_small_angle_is_no_negative_zero():
    assert format_angles(np.float32([-0.2, 3.4, -16.4])) == "+0 +3 -16"


@pytest.mark.parametrize("side", [32, 100, 1000, 2000])
@pytest.mark.parametrize("ground", [0, 128, 255])
@pytest.mark.parametrize("style", ["axes", "both"])
def test_labels_are_legible_at_every_size_and_on_every_ground(side, ground, style):
    image = np.full((side * 2, side * 2, 3), ground, np.uint8)
    box = (side // 2, side // 2, side * 3 // 2, side * 3 // 2)
    draw_face(image, box, (12.0, -34.0, 5.0), style, "1:", uncertainty_deg=3.0)
    label = image[box[3] + 2 :].astype(int)
    marks = (label > 215).all(axis=-1) if ground < 215 else (label < 40).all(axis=-1)
    y, x = np.nonzero(marks)
    height, width = np.ptp(y) + 1, np.ptp(x) + 1
    assert max(5, side / 12) <= height <= max(18, side / 5)  # of the face, not of the image
    assert max(40, side / 2) < width and x.min() > 0 and x.max() < 2 * side - 1
    assert marks.sum() > 0.05 * height * width  # strokes as wide as the letters are high


@pytest.mark.parametrize("pose", [(0, 0, 0), (40, 20, 0)])
def test_thick_blue_lines_have_a_bright_outline(pose):
    image = np.zeros((800, 800, 3), np.uint8)
    draw_cube(image, pose, (400, 400), 400, 8)
    blue = (image[..., 0] > 200) & (image[..., 1] < 60)
    bright = (image > 150).all(axis=-1)
    assert bright.sum() > 0.2 * blue.sum() > 1000


@pytest.mark.parametrize(
    "box", [(-40, -30, 20, 30), (80, 90, 140, 150), (-500, -500, 600, 600), (3, 3, 5, 5)]
)
def test_the_label_stays_inside(box):
    image = np.full((120, 160, 3), 128, np.uint8)
    draw_face(image, box, (-123.0, -34.0, 105.0), "both", "12:")
    y, x = np.nonzero((image > 215).all(axis=-1))
    assert np.ptp(x) > 60 and x.min() > 0 and x.max() < 159 and y.max() < 119


def test_unknown_style_is_refused():
    with pytest.raises(InputError, match="style: expected one of axes, cube, both"):
        draw_face(np.zeros((9, 9, 3), np.uint8), (0, 0, 5, 5), (0, 0, 0), "sphere")


def test_texts_of_close_small_faces_do_not_cover_each_other():
    """Four faces of 20 to 30 pixels side by side, as in a 480×270 frame."""
    frame = np.full((270, 480, 3), 128, np.uint8)
    faces = [
        FacePose((left, 120, left + side, 120 + side), 1.0, -13, 24, 5)
        for left, side in ((200, 24), (228, 28), (260, 22), (286, 30))
    ]
    draw_faces(frame, faces)
    texts = []
    for place, face in enumerate(faces, 1):
        occupied = [*texts, *(other.box for other in faces if other is not face)]
        draw_face(frame.copy(), face.box, face.pose_deg, "axes", f"{place}:", occupied)
        texts.append(occupied[-1])
    for first in range(4):
        for second in range(first):
            a, b = texts[first], texts[second]
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1]), (a, b)


def test_expected_errors_are_written_if_asked_for():
    faces = [FacePose((60, 60, 160, 160), 1.0, 10.0, 5.0, 0.0, uncertainty_deg=4.2)]
    plain, asked = np.zeros((260, 260, 3), np.uint8), np.zeros((260, 260, 3), np.uint8)
    draw_faces(plain, faces)
    draw_faces(asked, faces, show_uncertainty=True)
    changed = (plain != asked).any(axis=2)
    assert changed[161:].any() and not changed[:160].any()  # only the text below the box


@pytest.mark.parametrize(
    "image", [None, [[0]], np.zeros((9, 9, 4), np.uint8), np.zeros((0, 9, 3), np.uint8), np.ones((9, 9, 3))]
)
def test_what_is_no_image_is_not_drawn_on(image):
    with pytest.raises(InputError, match="image: expected a uint8 BGR image"):
        draw_face(image, (1, 1, 5, 5), (0.0, 0.0, 0.0))


@pytest.mark.parametrize("pose", [(1.0, 2.0), (np.nan, 0, 0), "yaw", None])
def test_what_is_no_pose_or_box_is_named(pose):
    image = np.zeros((50, 50, 3), np.uint8)
    for draw in (
        lambda: draw_face(image, (1, 1, 9, 9), pose),
        lambda: draw_axes(image, pose, (9, 9), 5),
        lambda: draw_cube(image, pose, (9, 9), 5),
    ):
        with pytest.raises(InputError, match=r"pose(s)?_deg: expected (yaw, pitch, roll|one pose)"):
            draw()
    for box in ((1, 2, 3), (np.nan, 0, 5, 5), None):
        with pytest.raises(InputError, match="expected left, top, right, bottom in pixels"):
            draw_face(image, box, (0.0, 0.0, 0.0))
    for center in ((np.nan, 5), (5, 5, 5), 5, None):
        for draw_lines in (draw_axes, draw_cube):
            with pytest.raises(InputError, match="center: expected x and y in pixels"):
                draw_lines(image, (0.0, 0.0, 0.0), center, 5)
    assert not image.any()


def test_views_are_drawn_on_and_read_only_arrays_are_refused():
    expected, image = np.zeros((200, 300, 3), np.uint8), np.zeros((200, 300, 3), np.uint8)
    arguments = (60, 60, 160, 160), (30.0, 10.0, 0.0), "both"
    draw_face(expected, *arguments)
    for view in (
        image[:, ::-1],
        image[::2, ::2].repeat(2, 0).repeat(2, 1)[:, ::-1],
        np.asfortranarray(image),
    ):
        view[...] = 0
        draw_face(view, *arguments)
        np.testing.assert_array_equal(view, expected)
    image.setflags(write=False)
    for draw in (lambda: draw_face(image, *arguments), lambda: draw_axes(image, (0, 0, 0), (9, 9), 5)):
        with pytest.raises(InputError, match="image: expected an array to draw on, received a read-only one"):
            draw()


def test_a_name_that_is_not_utf8_is_written_escaped():
    images = np.zeros((2, 60, 300, 3), np.uint8)
    for image, text in zip(images, ("caf\udce9.npz", r"caf\xe9.npz"), strict=True):
        write_text(image, text, (5, 30), 14)
    np.testing.assert_array_equal(*images)
    assert images.any() and text_width("caf\udce9", 12) == text_width(r"caf\xe9", 12)
