"""Exported files, loaded in another process, give the Keras network's poses."""

import json

import cv2
import numpy as np
import pytest

from fsanet_tf.dataset import load_dataset
from fsanet_tf.models import build_model
from tests.conftest import assert_one_clear_line, run_command

FILES = ("{}_saved_model", "{}.pb", "{}_float32.tflite", "{}_float16.tflite", "{}_dynamic.tflite")


@pytest.fixture(scope="module")
def exported(released, aflw2000, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    weights = released / "fsanet_var_capsule_3_16_2_21_5.h5"
    result = run_command(
        "export.py", f"--weights={weights}", f"--output_dir={folder}", f"--parity_data={aflw2000}"
    )
    assert result.returncode == 0, result.stderr
    return folder


def test_parity_on_aflw2000(exported):
    rows = {row["file"]: row for row in json.loads((exported / "parity.json").read_text())["files"]}
    assert set(rows) == {name.format("fsanet_var_capsule") for name in FILES}
    for name in FILES[:3]:
        assert rows[name.format("fsanet_var_capsule")]["max_deg"] < 1e-3
    mae = rows["fsanet_var_capsule.pb"]["mae_deg"]
    assert mae == pytest.approx(5.351, abs=0.005)
    assert rows["fsanet_var_capsule_float16.tflite"]["mae_deg"] == pytest.approx(mae, abs=0.02)
    assert rows["fsanet_var_capsule_float16.tflite"]["bytes"] <= 560 * 1024
    assert rows["fsanet_var_capsule_dynamic.tflite"]["mae_deg"] == pytest.approx(mae, abs=0.05)


def test_saved_model_answers_without_this_package(exported, aflw2000, reference, tmp_path):
    crops = load_dataset(aflw2000).images[:4]
    np.save(tmp_path / "crops.npy", crops)
    for i, crop in enumerate(crops):
        cv2.imwrite(str(tmp_path / f"{i}.png"), crop)
    code = (
        "import sys, numpy as np, tensorflow as tf; "
        "model = tf.saved_model.load(sys.argv[1]); crops = np.load(sys.argv[2] + '/crops.npy'); "
        "a = model.signatures['serving_default'](image=tf.constant(crops, tf.float32)); "
        "files = [open(f'{sys.argv[2]}/{i}.png', 'rb').read() for i in range(4)]; "
        "b = model.signatures['serving_image_bytes'](image_bytes=tf.constant(files)); "
        "assert 'fsanet_tf' not in sys.modules; "
        "np.savez(sys.argv[2] + '/out.npz', a=a['pose'], b=b['pose'], yaw=a['yaw'], roll=b['roll'])"
    )
    result = run_command(
        "-c", code, str(exported / "fsanet_var_capsule_saved_model"), str(tmp_path), cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    golden = np.load(reference / "golden/aflw2000_outputs.npz")["fsanet_var_capsule_3_16_2_21_5"][:4]
    out = np.load(tmp_path / "out.npz")
    for poses in (out["a"], out["b"]):
        np.testing.assert_allclose(poses, golden, atol=1e-2)
    np.testing.assert_array_equal(out["yaw"], out["a"][:, 0])
    np.testing.assert_array_equal(out["roll"], out["b"][:, 2])


def test_fusion_is_one_file_with_an_open_batch(tmp_path):
    for variant in ("fsanet_noS_metric", "ssrnet_mt"):
        build_model(variant, 32).save(tmp_path / f"{variant}.keras")
    weights = ",".join(str(tmp_path / f"{variant}.keras") for variant in ("fsanet_noS_metric", "ssrnet_mt"))
    arguments = ("export.py", f"--weights={weights}", "--format=tflite_float32", "--batch=dynamic")
    result = run_command(*arguments, f"--output_dir={tmp_path / 'a'}")
    assert result.returncode == 0 and "fsanet_fusion_float32.tflite" in result.stdout, result.stderr
    assert json.loads((tmp_path / "a/parity.json").read_text())["files"][0]["max_deg"] < 1e-2
    run_command(*arguments, f"--output_dir={tmp_path / 'b'}")
    first, second = ((tmp_path / name / "fsanet_fusion_float32.tflite").read_bytes() for name in "ab")
    assert first == second


def test_mistakes_are_one_clear_line(tmp_path):
    output = f"--output_dir={tmp_path / 'out'}"
    assert_one_clear_line(run_command("export.py", output), "--weights: expected at least one network")
    assert_one_clear_line(
        run_command("export.py", output, "--weights=absent.keras"), "absent.keras: no such file"
    )
    assert not (tmp_path / "out").exists()
