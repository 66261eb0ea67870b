"""The files of docs/extending.md, outside the package, through train, save, evaluate and export."""

import os
import re
import sys
from pathlib import Path

import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.models.config import AGGREGATIONS
from fsanet_tf.networks.network import load_network
from fsanet_tf.registry import TABLES, Registry, import_thing, load_extensions, register
from tests.conftest import ROOT, Result, assert_one_clear_line, run_fsanet, run_process, write_noise_faces

FILES = {
    code.splitlines()[0].removeprefix("# "): code
    for code in re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/extending.md").read_text(encoding="utf-8"), re.DOTALL
    )
}
TRAIN = (
    "train",
    "--data=faces.npz",
    "--output_dir=run",
    "--epochs=1",
    "--batch_size=8",
    "--image_size=32",
    "--margin_ratio=0.22",
)
# Every kind in two runs; an output of its own has no head.
RUNS = {
    "angles": (
        ("mobile_backbone", "norm_scoring", "mean_aggregation", "shared_head", "robust_loss",
         "stripes_augmentation"),
        ("--variant=fsanet_norm_mean_mobile", "--head=shared", "--loss=robust", "--metrics=near",
         "--augmentations=stripes"),
    ),
    "rotation": (
        ("rotation_representation",),
        ("--variant=fsanet_var_capsule", "--representation=6d", "--loss=geodesic"),
    ),
}  # fmt: skip


def fsanet(extensions: str, *arguments: str, cwd: Path) -> Result:
    """Run `fsanet ARGUMENTS` with extensions, as a user would."""
    result = run_process("-m", "fsanet_tf", *arguments, cwd=cwd, FSANET_EXTENSIONS=extensions)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, code in FILES.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    write_noise_faces(tmp_path / "faces.npz", 32)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_ideas_in_files_are_trained_saved_evaluated_and_exported(run, folder):
    stems, options = RUNS[run]
    extensions = os.pathsep.join(f"{stem}.py" for stem in stems)
    fsanet(extensions, *TRAIN, *options, cwd=folder)
    result = fsanet(extensions, "evaluate", "--network=run/final.keras", "--data=faces.npz", cwd=folder)
    assert "MAE" in result.stdout
    if "--metrics=near" in options:
        assert "near" in (folder / "run/log.csv").read_text().splitlines()[0]
    export = ("export", "--network=run/final.keras", "--output_dir=out", "--representative_data=faces.npz")
    fsanet(
        extensions, *export, "--formats=onnx,tflite_float32,tflite_int8", "--max_mae_increase=9", cwd=folder
    )
    assert len(list((folder / "out").glob("*.tflite"))) == 2


BUILD = """
import keras, numpy as np
import mobile_backbone, norm_scoring, rotation_representation, shared_head, stripes_augmentation
from by_object import config, model
import fsanet_tf
from fsanet_tf.data.augmentation_config import AUGMENTATIONS

keras.utils.set_random_seed(0)  # an untrained network in a few hundred answers noise with NaN
crops = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
named = fsanet_tf.build_model("fsanet_norm_mean_mobile", head="shared")
rotation = fsanet_tf.build_model("fsanet_1x1_capsule", representation="6d")
for made in (model, named, rotation):
    made.save("made.keras")
    poses, again = (np.asarray(net(crops)["pose"]) for net in (made, keras.models.load_model("made.keras")))
    assert poses.shape == (2, 3) and np.isfinite(poses).all()
    np.testing.assert_array_equal(poses, again)
assert np.abs(poses).max() < 180
rotation.get_layer("rotation").set_weights([np.zeros((48, 6)), np.array([0, 0, -1, 0, 0, 0])])
np.testing.assert_allclose(np.asarray(rotation(crops)["pose"]), [[-45, 0, 0]] * 2, atol=1e-4)
assert float(config.loss(np.full((1, 3), 20.0), np.zeros((1, 3)))) == np.float32(20 * np.log(2))
striped = np.asarray(AUGMENTATIONS["stripes"](np.full((64, 4, 4, 3), 100, "float32"), [1, 2]))
assert set(striped[:, 0].ravel()) == {70, 100} and set(striped[:, 1].ravel()) == {100}
"""


def test_every_model_of_the_page_is_built_saved_and_loaded(folder, own_tables, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    try:
        exec(BUILD, {})
    finally:
        for name in FILES:
            sys.modules.pop(name.removesuffix(".py"), None)


def test_a_detector_in_one_file_is_used_by_name(folder):
    result = fsanet("profile_detector.py", "predict", "astronaut", "--detector=profile", cwd=folder)
    assert "astronaut" in result.stdout and (folder / "astronaut_poses.png").exists()


def test_every_kind_has_an_example():
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    kinds = set(re.findall(r"register\(\"(\w+)\"", "".join(FILES.values())))
    assert kinds == set(TABLES) and all(f"`{kind}`" in text for kind in TABLES)


@pytest.fixture
def extensions(tmp_path, monkeypatch):
    """Name extension files, given by their paths and contents, in the environment."""

    def name(files: dict[str, str]) -> None:
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(content)
        monkeypatch.setenv("FSANET_EXTENSIONS", os.pathsep.join(str(tmp_path / path) for path in files))

    yield name
    for module in [module for module in sys.modules if module.startswith("fsanet_extension_")]:
        del sys.modules[module]


REGISTER = "import fsanet_tf\nfsanet_tf.register('color', {!r})(4)\n"


def test_two_files_of_one_name_are_both_loaded(extensions, monkeypatch):
    colors = Registry("color", {})
    monkeypatch.setitem(globals(), "COLORS", colors)
    monkeypatch.setitem(TABLES, "color", f"{__name__}:COLORS")
    extensions({"a/mine.py": REGISTER.format("green"), "b/mine.py": REGISTER.format("black")})
    assert dict(colors) == {"green": 4, "black": 4}


def test_a_file_that_failed_does_not_count_as_loaded(extensions, tmp_path):
    extensions({"broken.py": "import fsanet_tf\nfsanet_tf.register('backbon', 'x')\n"})
    for _ in range(2):
        with pytest.raises(InputError, match=r"broken.py: could not import it .*kind: expected one of"):
            load_extensions()
    (tmp_path / "broken.py").write_text("")
    load_extensions()


def test_a_missing_extension_is_one_clear_line(extensions, monkeypatch):
    monkeypatch.setenv("FSANET_EXTENSIONS", "absent.py")
    assert_one_clear_line(run_fsanet("--help"), "FSANET_EXTENSIONS: absent.py: expected a Python file")


def test_an_unknown_name_tells_of_extensions():
    with pytest.raises(
        InputError, match=r"received gone \(an extension\? FSANET_EXTENSIONS names its file\)"
    ):
        AGGREGATIONS["gone"]


def test_a_file_with_an_unknown_layer_tells_of_extensions(tmp_path):
    import keras

    @keras.saving.register_keras_serializable(package="mine")
    class Halve(keras.layers.Layer):
        def call(self, values):
            return values / 2

    image = keras.Input((16, 16, 3))
    pose = keras.layers.Dense(3)(keras.layers.Flatten()(Halve()(image)))
    keras.Model(image, {"pose": pose}).save(tmp_path / "net.keras")
    del keras.saving.get_custom_objects()["mine>Halve"]
    with pytest.raises(InputError, match=r"net.keras: .*unknown: mine>Halve; .* FSANET_EXTENSIONS names its"):
        load_network(tmp_path / "net.keras")


@pytest.mark.parametrize("kind", TABLES)
def test_every_entry_of_every_table_exists(kind):
    table = import_thing(TABLES[kind])
    assert isinstance(table, Registry) and (len(table) > 0 or kind == "augmentation")
    assert all(table[name] is not None for name in table)
    with pytest.raises(InputError, match=r"expected one of .*received nonsense"):
        table["nonsense"]


COLORS = Registry("color", {"red": 1})


def test_a_registered_thing_is_found_and_replaced(monkeypatch):
    monkeypatch.setitem(TABLES, "color", f"{__name__}:COLORS")
    assert register("color", "blue")(2) == 2
    register("color", "red")(3)
    assert dict(COLORS) == {"red": 3, "blue": 2}
    with pytest.raises(InputError, match="kind: expected one of"):
        register("colour", "blue")
