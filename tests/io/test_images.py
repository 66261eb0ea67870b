"""Pictures are read and written whole, or refused in one line."""

import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.io.images import read_image, write_image


def test_a_picture_survives_its_file(tmp_path, rng):
    image = rng.integers(0, 256, (9, 7, 3), np.uint8)
    write_image(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image)


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "rubbish.jpg").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"rubbish\.jpg: expected an image, could not decode it"):
        read_image(tmp_path / "rubbish.jpg")
    with pytest.raises(InputError, match=r"none\.jpg: no such file \(expected an image\)"):
        read_image(tmp_path / "none.jpg")


def test_unknown_format_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="cannot write an image of this format"):
        write_image(tmp_path / "a.xyz", np.zeros((9, 9, 3), np.uint8))
    assert not list(tmp_path.iterdir())
