"""The original's augmentation against NumPy, and the labels of what goes beyond it."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from fsanet_tf.data import augmentation_geometry, augmentation_original
from fsanet_tf.data.augmentation import FACE_SHARE, augment
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.preprocessing.synthetic_head import landmarks, project, random_person, render
from fsanet_tf.data.random_numbers import BatchRandom
from fsanet_tf.geometry.pose import mirror_poses, rotate_poses

NOTHING = AugmentationConfig(original=False)
PROBABILITIES = (
    "flip", "borders", "background", "faceless", "strips", "face_mask", "sunglasses", "grayscale", "gamma",
    "exposure", "sharpen", "low_resolution", "blur", "motion_blur", "noise", "jpeg", "erase",
)  # fmt: skip


class Scripted:
    """Draws that a test decides, in the order in which the code asks for them."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def uniform(self, low=0.0, high=1.0, shape=()):
        return tf.constant(np.asarray(self.draws.pop(0), "float32"))

    def happens(self, probability):
        return tf.constant(self.draws.pop(0))


@pytest.fixture
def image(rng):
    noise = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC)


def original_on(image, branch, cut, starts, paste_starts, zoom):
    """`shift_and_zoom` of one image; starts and zoom are x, y."""
    # per axis, columns first: start and place of pasting as shares of cut, then the zoom
    x, y = [((s + 0.5) / cut, (p + 0.5) / cut) for s, p in zip(starts, paste_starts)]
    draws = Scripted([branch + 0.5], [cut - 1 + 0.5], np.array([zoom is not None]), [x[0]], [x[1]],
                     [zoom[0] if zoom else 1], [y[0]], [y[1]], [zoom[1] if zoom else 1])  # fmt: skip
    return augmentation_original.shift_and_zoom(tf.constant(image[None]), draws)[0].numpy()


@pytest.mark.parametrize(("cut", "starts"), [(1, (0, 0)), (7, (6, 2)), (15, (3, 14))])
def test_cropped_branch_is_opencvs_cubic_resize(image, cut, starts):
    x, y = starts
    expected = cv2.resize(image[y : y + 64 - cut, x : x + 64 - cut], (64, 64), interpolation=cv2.INTER_CUBIC)
    result = original_on(image, 0, cut, starts, (0, 0), None)
    assert np.abs(result - expected).max() <= 1  # OpenCV computes in fixed point


@pytest.mark.parametrize(("branch", "background"), [(1, 0), (2, 255)])
def test_pasted_branches_move_the_crop_onto_black_and_white(image, branch, background):
    expected = np.full_like(image, background)
    expected[11 : 11 + 52, 2 : 2 + 52] = image[5 : 5 + 52, 9 : 9 + 52]
    result = original_on(image, branch, 12, (9, 5), (2, 11), None)
    np.testing.assert_array_equal(result, expected)


def test_last_branch_changes_nothing(image):
    np.testing.assert_array_equal(original_on(image, 3, 9, (1, 2), (3, 4), None), image)


@pytest.mark.parametrize("zoom", [(0.8, 1.2), (1.15, 0.9)])
def test_zoom_samples_about_the_centre_and_repeats_the_edge(image, zoom):
    source_x, source_y = (np.clip(z * (np.arange(64) - 31.5) + 31.5, 0, 63).astype("float32") for z in zoom)
    expected = cv2.remap(
        image.astype("float32"),
        *np.meshgrid(source_x, source_y),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    result = original_on(image, 3, 5, (0, 0), (0, 0), zoom)
    assert np.abs(result - expected).max() < 8  # remap has 1/32 pixel of precision
    assert np.abs(result - expected).mean() < 1


def test_branches_have_a_quarter_each_and_zoom_seven_tenths():
    images = tf.fill((4000, 64, 64, 3), 128.0)
    pasted, _ = augment(
        tf.cast(images, tf.uint8), tf.zeros((4000, 3)), AugmentationConfig(), tf.constant([1, 2]), 64
    )
    corners = pasted.numpy()[:, [0, 0, -1, -1], [0, -1, 0, -1]]  # of gray pictures
    black, white = ((corners == v).any(axis=(1, 2)).mean() for v in (0, 255))
    # a pasted crop may still cover all corners that the zoom leaves; most do not
    assert 0.15 < black < 0.25 and 0.15 < white < 0.25
    draws = BatchRandom(tf.constant(20000), tf.constant([3, 4]))
    branch = np.floor(draws.uniform(0.0, 4.0))
    np.testing.assert_allclose(np.bincount(branch.astype(int)) / 20000, 0.25, atol=0.015)
    assert np.mean(draws.happens(augmentation_original.ZOOM_PROBABILITY)) == pytest.approx(0.7, abs=0.015)


def test_one_seed_gives_one_result_and_another_another(rng):
    images = rng.integers(0, 256, (4, 96, 96, 3), dtype=np.uint8)
    poses = rng.uniform(-40, 40, (4, 3)).astype("float32")
    half = dict.fromkeys(PROBABILITIES, 0.5)
    everything = AugmentationConfig(rotation_deg=15, jitter=0.1, shift=0.2, zoom=0.3, color=0.2, **half)
    first, again, other = (
        augment(images, poses, everything, tf.constant([seed, 0]), 64) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first[0], again[0])
    for name in first[1]:
        np.testing.assert_array_equal(first[1][name], again[1][name])
    assert np.abs(first[0] - other[0]).max() > 0
    assert first[0].shape == (4, 64, 64, 3) and first[0].dtype == tf.float32
    assert np.min(first[0]) >= 0 and np.max(first[0]) <= 255


@pytest.mark.parametrize("size", [16, 24, 32, 96])
def test_original_augmentation_takes_other_sizes(size, rng):
    images = rng.integers(0, 256, (200, size, size, 3), dtype=np.uint8)
    changed, _ = augment(
        images, np.zeros((200, 3), "float32"), AugmentationConfig(), tf.constant([1, 2]), size
    )
    assert changed.shape == images.shape and augmentation_original.num_cuts(size) == max(1, 15 * size // 64)


def test_nothing_is_nothing(rng):
    images = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    poses = np.ones((4, 3), "float32")
    result = augment(images, poses, NOTHING, tf.constant([1, 2]), 64)
    np.testing.assert_array_equal(result[0], images)
    np.testing.assert_array_equal(result[1]["pose"], poses)
    np.testing.assert_array_equal(result[1]["box_offset"], np.zeros((4, 3)))
    np.testing.assert_array_equal(result[1]["face_score"], np.ones(4))


def test_mirror_turns_picture_and_label(image):
    pose = np.array([[20.0, 10, 5]], "float32")
    config = AugmentationConfig(original=False, flip=1.0)
    images, targets = augment(image[None], pose, config, tf.constant([1, 2]), 64)
    np.testing.assert_allclose(images[0], image[:, ::-1], atol=0.01)
    np.testing.assert_allclose(targets["pose"], mirror_poses(pose), rtol=1e-6)


def test_turn_is_clockwise_where_roll_grows(rng):
    """A dot right of the center moves down when the label says clockwise."""
    image = np.zeros((1, 65, 65, 3), np.uint8)
    image[0, 32, 56] = 255
    config = AugmentationConfig(original=False, rotation_deg=40.0)
    for seed in range(6):
        images, targets = augment(image, np.zeros((1, 3), "float32"), config, tf.constant([seed, 0]), 65)
        poses = targets["pose"]
        y, x = np.unravel_index(np.argmax(images[0, :, :, 0]), (65, 65))
        turned = np.rad2deg(np.arctan2(y - 32, x - 32))
        assert float(poses[0, 2]) == pytest.approx(turned, abs=3)
        assert np.abs(poses[0, :2]).max() < 1e-4


def test_turned_labels_are_rotations_and_stay_within_99_degrees(rng):
    poses = rng.uniform(-95, 95, (500, 3)).astype("float32")
    turn = rng.uniform(-30, 30, 500).astype("float32")
    moved, used = augmentation_geometry._moved_poses(poses, np.zeros(500, bool), turn)
    assert np.abs(moved).max() <= 99 and 0 < (used == 0).mean() < 0.5
    kept = used != 0
    np.testing.assert_allclose(moved[kept], rotate_poses(poses, turn)[kept], atol=1e-3)
    np.testing.assert_array_equal(moved[~kept], poses[~kept])


def test_borders_shrink_the_face_by_at_most_their_width():
    image = np.full((200, 64, 64, 3), 200, np.uint8)
    config = AugmentationConfig(original=False, borders=1.0, max_border=0.25)
    images, _ = augment(image, np.zeros((200, 3), "float32"), config, tf.constant([1, 2]), 64)
    widths = (images.numpy()[:, 32, :, 0] > 100).sum(axis=1)
    assert widths.min() >= 64 / 1.5 - 2  # 1 + 2 · 0.25
    assert 0.35 < (widths < 62).mean() < 0.6  # half are black, the other half reflections


def test_background_comes_from_the_next_crop_of_the_batch():
    images = np.zeros((64, 64, 64, 3), np.uint8)
    images[::2], images[1::2] = 200, 50
    config = AugmentationConfig(original=False, borders=1.0, max_border=0.3, background=1.0)
    result, _ = augment(images, np.zeros((64, 3), "float32"), config, tf.constant([1, 2]), 64)
    result = result.numpy()[:, 32, :, 0]
    assert (result[::2, 32] == 200).all() and (result[1::2, 32] == 50).all()
    corners = result[:, 0]
    assert set(corners[::2].round()) | set(corners[1::2].round()) == {50.0, 200.0}
    assert (corners[::2] == 50).mean() > 0.7 and (
        corners[1::2] == 200
    ).mean() > 0.7  # borders of a pixel or more


def test_grayscale_erasing_blur_and_sharpening_do_what_they_say(image):
    seed, pose = tf.constant([1, 2]), np.zeros((1, 3), "float32")

    def with_(**options):
        return augment(image[None], pose, AugmentationConfig(original=False, **options), seed, 64)[0][
            0
        ].numpy()

    gray = with_(grayscale=1.0)
    np.testing.assert_allclose(gray[..., 0], cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), atol=1)
    assert np.ptp(gray, axis=-1).max() < 1e-3
    erased = (with_(erase=1.0) != image).any(axis=-1)
    rows, columns = np.flatnonzero(erased.any(axis=1)), np.flatnonzero(erased.any(axis=0))
    assert 5 <= len(rows) <= 33 and 5 <= len(columns) <= 33
    kernel = np.outer([1, 2, 1], [1, 2, 1]).astype("float32") / 16
    expected = cv2.filter2D(image.astype("float32"), -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(with_(blur=1.0), expected, atol=0.01)
    details = image - expected
    inside = (image + 1.5 * details >= 0) & (image + 1.5 * details <= 255) & (abs(details) > 1)
    amounts = (with_(sharpen=1.0) - image)[inside] / details[inside]
    assert 0 < amounts[0] <= 1.5
    np.testing.assert_allclose(amounts, amounts[0], atol=0.01)


@pytest.mark.parametrize("name", ["blur", "sharpen", "low_resolution", "jpeg"])
def test_a_change_leaves_the_images_that_are_not_chosen_as_they_are(name, rng):
    images = rng.integers(0, 256, (40, 64, 64, 3), np.uint8)
    config = AugmentationConfig(original=False, **{name: 0.5})
    augmented, _ = augment(images, np.zeros((40, 3), "float32"), config, tf.constant([1, 2]), 64)
    unchanged = (augmented.numpy() == images).all(axis=(1, 2, 3))
    assert 8 <= unchanged.sum() <= 32


@pytest.mark.parametrize("options", [{"flip": 1.1}, {"erase": -0.1}, {"rotation_deg": -1}, {"jitter": -0.5}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match="expected a number"):
        AugmentationConfig(**options)


def test_the_offset_says_where_a_moved_face_is():
    """A bright square in the place of the face is where `box_offset` says, however it was moved."""
    image = np.zeros((32, 96, 96, 3), np.uint8)
    half = round(96 * FACE_SHARE / 4)  # half a side of the face box in each direction
    image[:, 48 - half : 48 + half, 48 - half : 48 + half] = 255
    config = AugmentationConfig(original=False, flip=0.5, rotation_deg=30, jitter=0.05, shift=0.2, zoom=0.4)
    images, targets = augment(image, np.zeros((32, 3), "float32"), config, tf.constant([1, 2]), 64)
    for picture, offset in zip(images.numpy()[..., 0] > 128, targets["box_offset"].numpy()):
        rows, columns = np.nonzero(picture)
        center = np.array([columns.mean(), rows.mean()]) / 64 + 0.5 / 64 - 0.5
        np.testing.assert_allclose(center, offset[:2], atol=0.02)
        assert np.sqrt(len(rows)) / (2 * half * 64 / 96) == pytest.approx(np.exp(offset[2]), rel=0.06)
    assert np.abs(targets["box_offset"][:, :2]).max() > 0.1


def test_faceless_crops_lose_the_face_and_say_so(rng):
    images = rng.integers(0, 256, (200, 96, 96, 3), dtype=np.uint8)
    images[:, 30:66, 30:66] = 255  # the face
    config = AugmentationConfig(original=False, faceless=0.5)
    result, targets = augment(images, np.zeros((200, 3), "float32"), config, tf.constant([1, 2]), 64)
    score = targets["face_score"].numpy()
    assert set(score) == {0.0, 1.0} and 0.35 < score.mean() < 0.65
    faces = (result.numpy()[:, 20:44, 20:44] == 255).all(axis=(1, 2, 3))
    assert faces[score == 1].all() and not faces[score == 0].mean() > 0.3  # a piece of the face may be white


def test_strips_never_reach_the_face_box(rng):
    images = np.full((100, 64, 64, 3), 200, np.uint8)
    config = AugmentationConfig(original=False, strips=1.0, shift=0.15)
    result, targets = augment(images, np.zeros((100, 3), "float32"), config, tf.constant([1, 2]), 64)
    changed = (np.abs(result.numpy() - 200) > 1).any(axis=-1)
    for picture, offset in zip(changed, targets["box_offset"].numpy()):
        center, half = (offset[:2] + 0.5) * 64 - 0.5, 32 * FACE_SHARE * np.exp(offset[2])
        x, y = np.meshgrid(np.arange(64), np.arange(64))
        inside = (np.abs(x - center[0]) < half - 1) & (np.abs(y - center[1]) < half - 1)
        assert not picture[inside].any()
    assert changed.any(axis=(1, 2)).mean() > 0.5


@pytest.mark.parametrize("pose", [(0, 0, 0), (45, 10, -20), (-50, -20, 10)])
def test_a_mask_covers_the_mouth_and_sunglasses_the_eyes_of_a_turned_head(pose, rng):
    """The package's rendered head has landmarks of its own, which the drawing does not know."""
    person = random_person(rng)
    pose = np.array(pose, "float32")
    points = project(landmarks(person), pose, (96.0, 96.0), 50.0)
    low, high = points.min(axis=0), points.max(axis=0)
    center, side = (low + high) / 2, (high - low).max()
    head = render(
        pose, person, np.full((192, 192, 3), 90, np.uint8), (96.0, 96.0), 50.0, np.array([0, -0.4, 1])
    )
    window = side / FACE_SHARE
    matrix = np.array(
        [[64 / window, 0, 32 - center[0] * 64 / window], [0, 64 / window, 32 - center[1] * 64 / window]]
    )
    crop = cv2.warpAffine(head, matrix, (64, 64))
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    for name, covered, free in (
        ("face_mask", moved[48:], moved[17:27]),
        ("sunglasses", moved[36:48], moved[48:]),
    ):
        config = AugmentationConfig(original=False, **{name: 1.0})
        drawn = augment(crop[None], pose[None], config, tf.constant([1, 2]), 64)[0][0].numpy()
        changed = (np.abs(drawn - crop) > 3).any(axis=-1)

        hidden, seen = (
            changed[tuple(np.clip(np.round(p[:, ::-1]).astype(int), 0, 63).T)] for p in (covered, free)
        )
        assert hidden.mean() > 0.45 and seen.mean() < 0.35, name


def test_a_registered_augmentation_and_an_object_are_applied_last(image):
    def invert(images, seed):
        return 255.0 - images

    config = AugmentationConfig(original=False, augmentations=(invert,))
    result, _ = augment(image[None], np.zeros((1, 3), "float32"), config, tf.constant([1, 2]), 64)
    np.testing.assert_allclose(result[0], 255.0 - image)
