"""Images of many formats: decoded alike, scaled to 8 bits, refused in one line; written atomically."""

import cv2
import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.io.images import decode_pil, read_image, to_8_bits, write_image


@pytest.fixture
def image(rng):
    return cv2.resize(
        rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (80, 60), interpolation=cv2.INTER_CUBIC
    )


def test_an_image_survives_the_round_trip(image, tmp_path):
    write_image(tmp_path / "new/a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "new/a.png"), image)


@pytest.mark.parametrize("suffix", [".tiff", ".jp2", ".avif", ".webp", ".bmp", ".ppm"])
def test_other_formats_are_read_by_content(suffix, image, tmp_path):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), image)
    decoded = read_image(path.rename(tmp_path / "without_suffix"))
    assert np.abs(decoded.astype(int) - image).mean() < 6


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_images_of_16_bits_are_scaled_by_their_real_range(bits, image, tmp_path):
    wide = (image.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    wide[0, 0] = 2**bits - 1
    cv2.imwrite(str(tmp_path / "a.png"), wide)
    assert np.abs(read_image(tmp_path / "a.png")[1:].astype(int) - image[1:]).max() <= 1


def test_float_images_are_in_0_to_1(image, tmp_path):
    cv2.imwrite(str(tmp_path / "a.tiff"), (image / 255).astype(np.float32))
    assert np.abs(read_image(tmp_path / "a.tiff").astype(int) - image).max() <= 1
    bright = (image / 255).astype(np.float32)
    bright[0, 0], bright[0, 1] = 40.0, np.inf  # the sun
    assert np.abs(to_8_bits(bright)[1:].astype(int) - image[1:]).max() <= 1


@pytest.mark.parametrize("largest", [255, 1023, 65535])
def test_float_images_may_have_the_range_of_whole_numbers(largest, image):
    pil = pytest.importorskip("PIL.Image")
    gray = image[..., 0]
    gray[0, 0] = 255
    decoded = decode_pil(pil.fromarray(gray.astype(np.float32) * (largest / 255)))
    assert decoded.shape == image.shape and np.abs(decoded[..., 0].astype(int) - gray).max() <= 1
    assert not to_8_bits(np.full((2, 2), np.nan, np.float32)).any()


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "rubbish.jpg").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"rubbish\.jpg: expected an image, could not decode it"):
        read_image(tmp_path / "rubbish.jpg")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    with pytest.raises(InputError, match="received HEIC, which OpenCV does not decode: convert it"):
        read_image(tmp_path / "a.heic")


def test_an_unknown_format_is_refused_and_leaves_nothing(image, tmp_path):
    with pytest.raises(InputError, match=r"a\.xyz: cannot write an image of this format"):
        write_image(tmp_path / "a.xyz", image)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["caf\udce9.jpg", "Ж" * 120 + ".png"])
def test_names_of_any_bytes_and_length_are_read_and_written(name, image, tmp_path):
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("no such name on this file system")
    write_image(tmp_path / name, image)
    assert np.abs(read_image(tmp_path / name).astype(int) - image).mean() < 6


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_and_mirrored_as_their_files_say(orientation, suffix, image, tmp_path):
    pil = pytest.importorskip("PIL.Image")
    changes = ((0, 0), (0, 1), (2, 0), (2, 1), (3, 1), (3, 0), (1, 1), (1, 0))
    quarter_turns, is_mirrored = changes[orientation - 1]
    exif = pil.Exif()
    exif[0x0112] = orientation
    try:
        # A color profile of this size comes before an AVIF's orientation.
        profile = {"icc_profile": bytes(9000)} if suffix == ".avif" else {}
        pil.fromarray(image[..., ::-1].copy()).save(tmp_path / f"a{suffix}", exif=exif, **profile)
    except KeyError:
        pytest.skip(f"Pillow without {suffix}")
    expected = np.rot90(image, quarter_turns)
    expected = expected[:, ::-1] if is_mirrored else expected
    found = read_image(tmp_path / f"a{suffix}")
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("convert", [lambda image: image / 255, lambda image: image[:0], lambda image: None])
def test_an_image_of_another_type_is_not_written(convert, image, tmp_path):
    with pytest.raises(InputError, match=r"a\.png: expected a uint8 BGR image"):
        write_image(tmp_path / "a.png", convert(image))
    assert not list(tmp_path.iterdir())
