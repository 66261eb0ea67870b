"""The structure heatmaps: rows of M_k, folded as they are flattened in the network."""

import cv2
import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.models.build import build_model
from fsanet_tf.prediction.heatmap import fold, structure_heatmaps, structure_model
from tests.conftest import assert_one_clear_line, run_fsanet


@pytest.mark.parametrize("variant", ["fsanet_1x1_capsule", "fsanet_var_netvlad"])
def test_mappings_are_those_of_the_network(variant, rng):
    model = build_model(variant)
    crops = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    mappings = np.asarray(structure_model(model).predict(crops, verbose=0))
    assert mappings.shape == (2, 3, 5, 192) and (mappings > 0).all() and (mappings < 1).all()
    assert fold(mappings).shape == (2, 3, 5, 8, 8)


def test_no_mapping_is_said():
    with pytest.raises(InputError, match="expected one network with a fine-grained structure mapping"):
        structure_model(build_model("fsanet_noS_capsule"))


def test_fold_puts_a_pixel_where_it_lies():
    mappings = np.zeros((2, 3, 5, 192))
    mappings[1, 1, 2, [8 * 3 + 5, 64 + 8 * 3 + 5, 128 + 8 * 3 + 5]] = 0.7  # row 3, column 5 in each stage
    maps = fold(mappings)
    assert maps[1, 1, 2, 3, 5] == pytest.approx(0.7) and maps.sum() == pytest.approx(0.7)


def test_command_draws_the_astronaut(tmp_path):
    result = run_fsanet("heatmap", "--detector=haar", f"--output={tmp_path / 'h.png'}")
    assert result.returncode == 0, result.stderr
    assert cv2.imread(str(tmp_path / "h.png")).shape[:2] == (3 * 136, 6 * 136 + 48)
    assert_one_clear_line(run_fsanet("heatmap", "--source=absent.png"), "absent.png: no such photo")
    assert_one_clear_line(
        run_fsanet("heatmap", "--network=fusion", "--detector=haar"),
        "expected one network with a fine-grained structure mapping, such as var",
    )


def test_the_maps_are_an_array(rng):
    maps = structure_heatmaps(rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8), "1x1")
    assert maps.shape == (2, 3, 5, 8, 8) and (maps > 0).all() and (maps < 1).all()
    for crops in (np.zeros((64, 64, 3)), np.zeros((1, 32, 32, 3))):
        with pytest.raises(InputError, match=r"crops: expected an array \(N, 64, 64, 3\), received"):
            structure_heatmaps(crops, "1x1")
