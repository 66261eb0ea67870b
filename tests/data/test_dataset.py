"""The `.npz` format: round trip, the original's own files, and what is refused."""

import dataclasses
import zipfile

import numpy as np
import psutil
import pytest

from fsanet_tf.data.dataset import FaceDataset, hash_dataset, load_dataset, save_dataset
from fsanet_tf.data.face_arrays import check_poses
from fsanet_tf.data.npz_file import FileImages, JoinedImages, read_npz
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule


def faces(rng, count=4, size=16):
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    poses = rng.uniform(-50, 50, (count, 3)).astype("float32")
    return FaceDataset.from_arrays(images, poses, np.array([f"face{i}" for i in range(count)]), CropRule(0.6))


def test_data_set_survives_the_round_trip(tmp_path, rng):
    data = faces(rng)
    save_dataset(tmp_path / "a.npz", data)
    back = load_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.images, data.images)
    np.testing.assert_array_equal(back.poses, data.poses)
    assert back.names.tolist() == data.names.tolist() and back.crop == CropRule(0.6)


def test_the_originals_own_file_loads_and_ours_has_its_keys(tmp_path, rng, reference):
    original = load_dataset(reference / "golden/aflw2000_crops_first64.npz")
    assert original.images.shape == (64, 64, 64, 3) and original.crop is None
    save_dataset(tmp_path / "a.npz", faces(rng))
    with np.load(tmp_path / "a.npz") as archive:
        assert {"image", "pose", "img_size"} <= set(archive.files) and archive["img_size"] == 16


def test_several_files_are_joined_in_order(tmp_path, rng):
    parts = [faces(rng, 3), faces(rng, 2)]
    paths = [tmp_path / f"{i}.npz" for i in range(2)]
    for path, part in zip(paths, parts):
        save_dataset(path, part)
    joined = load_dataset(paths)
    images = np.concatenate([part.images for part in parts])
    np.testing.assert_array_equal(joined.images, images)
    for index in (np.array([4, 0, 3, 0]), slice(1, 4), 3, -1, images[:, 0, 0, 0] > 99):
        np.testing.assert_array_equal(joined.images[index], images[index])
    assert len(joined.poses) == len(joined.names) == 5 and joined.crop == CropRule(0.6)
    save_dataset(tmp_path / "joined.npz", joined)
    np.testing.assert_array_equal(load_dataset(tmp_path / "joined.npz").images, images)


def test_the_crop_rule_travels_with_the_faces(tmp_path, rng):
    rule = CropRule(0.29, square=True, sampling="filtered")
    data = faces(rng)
    data = FaceDataset.from_arrays(data.images, data.poses, crop=rule)
    save_dataset(tmp_path / "a.npz", data)
    assert load_dataset(tmp_path / "a.npz").crop == rule
    np.savez(tmp_path / "old.npz", image=data.images, pose=data.poses, margin_ratio=0.29, square=True)
    assert load_dataset(tmp_path / "old.npz").crop == CropRule(0.29, square=True)  # as of version 0.3
    with pytest.raises(
        InputError, match="expected crops of one rule, received square filtered and square orig"
    ):
        load_dataset([tmp_path / "a.npz", tmp_path / "old.npz"])


def test_unknown_margins_stay_unknown_until_they_are_assumed(tmp_path, rng):
    data = faces(rng)
    save_dataset(tmp_path / "known.npz", data)
    np.savez(tmp_path / "original.npz", image=data.images, pose=data.poses)
    joined = load_dataset([tmp_path / "original.npz", tmp_path / "known.npz"])
    assert joined.crop is None and np.isnan(joined.margin_ratios).tolist() == [True] * 4 + [False] * 4
    with pytest.raises(InputError, match="the margins of the crops are unknown"):
        joined.views(0.6)
    assert joined.assuming(CropRule(0.6, square=True)).crop == CropRule(0.6)  # the known ones' rule
    alone = load_dataset(tmp_path / "original.npz").assuming(CropRule(0.4, square=True))
    assert alone.crop == CropRule(0.4, square=True)


def test_images_stay_in_their_file_however_it_was_written(tmp_path, rng):
    """Stored ones are mapped; compressed ones and those in column order are read, all to the same array."""
    data = faces(rng)
    written = {"pose": data.poses, "name": data.names}
    np.savez(tmp_path / "stored.npz", image=data.images, **written)
    np.savez(tmp_path / "fortran.npz", image=np.asfortranarray(data.images), **written)
    np.savez_compressed(tmp_path / "compressed.npz", image=data.images, **written)
    loaded = {path.stem: load_dataset(path) for path in tmp_path.iterdir()}
    for dataset in loaded.values():
        np.testing.assert_array_equal(dataset.images, data.images)
        assert dataset.images.flags.c_contiguous
    mapped = loaded["stored"].images
    assert isinstance(mapped.base, np.memmap)
    mapped[:] = 0  # in memory only
    np.testing.assert_array_equal(load_dataset(tmp_path / "stored.npz").images, data.images)
    hashes = {name: hash_dataset(tmp_path / f"{name}.npz") for name in loaded}
    assert hashes["stored"] == hashes["compressed"]


def test_labels_that_are_odd_but_true_are_kept():
    check_poses("AFLW2000", np.array([[972.0, -10, 5], [20, 10, 0.5]]))
    check_poses("front", np.zeros((3, 3)))
    check_poses("whole degrees", np.array([[1.0, -2, 3]]))
    with pytest.raises(InputError, match=r"table\.csv: expected degrees, .*are these radians"):
        check_poses("table.csv", np.array([[0.4, -0.2, 1.3]]))


def test_whose_answers_the_poses_are_travels_with_them(tmp_path, rng):
    for name in ("", "var", "1x1"):
        data = faces(rng)
        save_dataset(tmp_path / f"{name}.npz", dataclasses.replace(data, labeled_by=name))
    assert [load_dataset(tmp_path / f"{name}.npz").labeled_by for name in ("", "var")] == ["", "var"]
    joined = load_dataset([tmp_path / f"{name}.npz" for name in ("var", "", "1x1", "var")])
    assert joined.select(np.arange(3)).labeled_by == "var, 1x1"


def test_radians_are_told_from_faces_that_look_ahead(rng):
    """Few angles of radians exceed a quarter turn, about half of those of frontal faces in degrees."""
    turned = rng.normal(0, (35, 15, 12), (500, 3)).clip(-99, 99)
    profile = rng.uniform(-90, 90, (500, 3)) * (1, 0.3, 0.3)
    for poses in (np.deg2rad(turned), np.deg2rad(profile), np.deg2rad(turned[:3])):
        with pytest.raises(InputError, match="are these radians"):
            check_poses("faces.npz", poses)
    for poses in (rng.uniform(-3, 3, (500, 3)), rng.normal(0, 1.5, (99, 3)).clip(-3.1, 3.1)):
        with pytest.warns(UserWarning, match=r"faces\.npz: all angles are within ±3\..*, taken as degrees"):
            check_poses("faces.npz", poses)


def test_small_angles_are_degrees_where_the_file_says_so(tmp_path, rng):
    poses = rng.uniform(-1, 1, (4, 3))
    arrays = {"image": np.zeros((4, 16, 16, 3), np.uint8), "pose": poses}
    np.savez(tmp_path / "silent.npz", **arrays)
    with pytest.raises(InputError, match="unit='degrees' says so"):
        load_dataset(tmp_path / "silent.npz")
    np.savez(tmp_path / "stated.npz", **arrays, unit="degrees")
    stated = load_dataset(tmp_path / "stated.npz")
    np.testing.assert_allclose(stated.poses, poses, atol=1e-6)
    save_dataset(tmp_path / "again.npz", stated.select(np.arange(2)))
    assert load_dataset(tmp_path / "again.npz").are_degrees
    data = FaceDataset.from_arrays(arrays["image"], poses, are_degrees=True)
    save_dataset(tmp_path / "own.npz", data)
    assert len(load_dataset([tmp_path / "own.npz", tmp_path / "stated.npz"])) == 8


def test_a_selection_keeps_each_face_with_its_labels(rng):
    data = faces(rng)
    part = data.select(np.array([3, 1]))
    np.testing.assert_array_equal(part.images, data.images[[3, 1]])
    assert part.names.tolist() == ["face3", "face1"] and part.crop == data.crop and len(part) == 2


def test_faces_within_99_degrees_are_the_papers(rng):
    data = faces(rng)
    data.poses[1] = (0, 99.0, 0)
    data.poses[2] = (-99.1, 0, 0)
    assert data.rows_within(99).tolist() == [0, 1, 3]
    assert data.rows_within(0).tolist() == [0, 1, 2, 3]


IMAGES, POSES = np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 3))
BAD = {
    "no pose": ({"image": IMAGES}, "pose missing"),
    "float images": ({"image": IMAGES.astype(float), "pose": POSES}, "image must be uint8"),
    "oblong images": ({"image": np.zeros((2, 16, 8, 3), np.uint8), "pose": POSES}, "image must be uint8"),
    "no faces": ({"image": IMAGES[:0], "pose": POSES[:0]}, "image must be uint8"),
    "too few poses": ({"image": IMAGES, "pose": POSES[:1]}, r"pose must be numbers \(2, 3\)"),
    "poses of text": ({"image": IMAGES, "pose": POSES.astype(str)}, "pose must be"),
    "a pose of NaN": ({"image": IMAGES, "pose": POSES * np.nan}, "pose 0 is not finite"),
    "too few names": (
        {"image": IMAGES, "pose": POSES, "name": np.array(["a"])},
        r"name must be texts \(2,\), received <U1 \(1,\)",
    ),
    "radians": ({"image": IMAGES, "pose": POSES + 0.5}, r"expected degrees, received angles within ±0\.50"),
    "degrees taken for radians": ({"image": IMAGES, "pose": POSES - 1310}, "mostly exceed ±120"),
    "small degrees taken for radians": (
        {"image": IMAGES, "pose": POSES + np.array([172, 115, -143])},
        "mostly exceed ±120",
    ),
    "complex poses": ({"image": IMAGES, "pose": POSES + 1j}, "pose must be"),
    "radians that say so": (
        {"image": IMAGES, "pose": POSES + 30, "unit": "radians"},
        "unit must be degrees, rec",
    ),
    "a single name": (
        {"image": IMAGES, "pose": POSES, "name": "a"},
        r"name must be texts \(2,\), received <U1 \(\)",
    ),
    "square as text": ({"image": IMAGES, "pose": POSES, "square": "no"}, "square must be true or false"),
    "squares": ({"image": IMAGES, "pose": POSES, "square": np.ones(2, bool)}, "square must be true or false"),
    "no weight": ({"image": IMAGES, "pose": POSES, "weight": np.zeros(2)}, "all weights are 0"),
    "another sampling": (
        {"image": IMAGES, "pose": POSES, "sampling": "nearest"},
        "sampling must be original or",
    ),
    "a negative margin": ({"image": IMAGES, "pose": POSES, "margin_ratio": -1.0}, "0 or more and finite"),
    "a pickle": ({"image": IMAGES, "pose": np.array([object()] * 2)}, "could not read it"),
}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((IMAGES / 255, POSES), r"FaceDataset: image must be uint8 \(N, S, S, 3\), received"),
        ((IMAGES.transpose(0, 3, 1, 2), POSES), r"FaceDataset: image must be uint8 \(N, S, S, 3\), received"),
        ((IMAGES, POSES.T), r"pose must be numbers \(2, 3\), received float64 \(3, 2\)"),
        ((IMAGES, POSES, np.array(["a"])), r"name must be texts \(2,\), received <U1 \(1,\)"),
        ((IMAGES, POSES.astype(object)), "pose must be numbers .*received object"),
        ((IMAGES, [[1, 2], [3]]), "pose must be numbers .*received object"),
        ((IMAGES.tolist(), POSES), "image must be uint8 .*received list"),
        ((None, POSES), "image missing"),
        ((IMAGES[:0], POSES[:0]), r"image must be uint8 .*received uint8 \(0, 16, 16, 3\)"),
        ((IMAGES, POSES + 0.5), "FaceDataset: expected degrees, .*are these radians"),
        ((IMAGES, POSES, None, None, [-1.0, 1.0]), "weight must be 0 or more"),
        ((IMAGES, POSES, [None, "a"]), "name must be texts .*received object"),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused_before_they_are_written(arrays, message):
    with pytest.raises(InputError, match=message):
        FaceDataset.from_arrays(*arrays)


def test_names_of_bytes_are_texts(tmp_path):
    names = np.array(["a", "b"], object)
    assert FaceDataset.from_arrays(IMAGES, POSES, names).names.tolist() == ["a", "b"]
    np.savez(tmp_path / "a.npz", image=IMAGES, pose=POSES, name=np.array([b"caf\xe9", "café".encode()]))
    assert load_dataset(tmp_path / "a.npz").names.tolist() == [r"caf\xe9", "café"]


@pytest.mark.parametrize("case", BAD)
def test_bad_contents_are_refused(case, tmp_path):
    arrays, message = BAD[case]
    np.savez(tmp_path / "bad.npz", **arrays)
    for paths in (tmp_path / "bad.npz", [tmp_path / "bad.npz"] * 2):
        with pytest.raises(InputError, match=message) as error:
            load_dataset(paths)
        assert "bad.npz" in str(error.value) and "\n" not in str(error.value)


def test_files_that_are_no_archive_are_refused(tmp_path, rng):
    save_dataset(tmp_path / "whole.npz", faces(rng))
    whole = (tmp_path / "whole.npz").read_bytes()
    np.save(tmp_path / "bare.npy", np.zeros(3))
    contents = {
        "cut": whole[:900],
        "text": b"hello",
        "empty": b"",
        "bare": (tmp_path / "bare.npy").read_bytes(),
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        for paths in (path, [path, path]):
            with pytest.raises(InputError, match=f"{name}.npz"):
                load_dataset(paths)
    with pytest.raises(InputError, match="no such file"):
        load_dataset(tmp_path / "absent.npz")


def test_joined_files_must_have_one_image_size(tmp_path, rng):
    save_dataset(tmp_path / "a.npz", faces(rng, size=16))
    save_dataset(tmp_path / "b.npz", faces(rng, size=24))
    with pytest.raises(InputError, match=r"image sizes differ: \[16, 24\]"):
        load_dataset([tmp_path / "a.npz", tmp_path / "b.npz"])


def test_sizes_that_cannot_be_true_are_refused_before_memory_is_taken(tmp_path):
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**30, 512, 512, 3)}  # nearly a petabyte
    with zipfile.ZipFile(tmp_path / "claim.npz", "w") as archive:
        with archive.open("image.npy", "w") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
        with archive.open("pose.npy", "w") as stream:
            np.lib.format.write_array(stream, np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"claim\.npz: image claims \d+ bytes, the file contains"):
        load_dataset(tmp_path / "claim.npz")
    images = np.zeros((25_000, 64, 64, 3), np.uint8)  # 300 MB of zeros
    np.savez_compressed(tmp_path / "bomb.npz", image=images, pose=np.zeros((25_000, 3)))
    with pytest.raises(InputError, match=r"bomb\.npz: image expands from \d+ to \d+ bytes"):
        load_dataset(tmp_path / "bomb.npz")


@pytest.mark.parametrize("paths", [[], None, 3, {}, [None]])
def test_no_file_at_all_is_refused(paths):
    with pytest.raises(InputError, match=r"paths: expected one \.npz file or several, received"):
        load_dataset(paths)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda data: FaceDataset.from_arrays(IMAGES, POSES, crop=0.3),
            "crop: expected CropRule, received 0.3",
        ),
        (lambda data: data.assuming(0.3), "rule: expected CropRule, received 0.3"),
        (lambda data: data.views("a"), "margin_ratio: expected a number, received 'a'"),
        (lambda data: data.rows_within(-1), "max_angle_deg: expected a number of at least 0, received -1"),
    ],
)
def test_arguments_of_another_kind_are_one_line(call, message, rng):
    with pytest.raises(InputError) as error:
        call(faces(rng))
    assert str(error.value) == message


def test_there_is_no_face_beyond_the_last(rng):
    with pytest.raises(InputError, match="rows: expected indices of"):
        faces(rng).select([99999])


def test_only_datasets_are_written(tmp_path):
    with pytest.raises(InputError, match=r"a\.npz: expected a FaceDataset to write, received ndarray"):
        save_dataset(tmp_path / "a.npz", IMAGES)
    with pytest.raises(InputError, match="path: expected a text, received None"):
        save_dataset(None, FaceDataset.from_arrays(IMAGES, POSES))


def test_images_of_many_files_are_one_array_without_open_files(tmp_path, rng):
    parts = [faces(rng, count).images for count in (3, 1, 4)]
    for number, part in enumerate(parts):
        np.savez(tmp_path / f"{number}.npz", image=part)
    paths = sorted(tmp_path.iterdir())
    before = psutil.Process().num_fds()
    joined = JoinedImages([FileImages(path, read_npz(path)["image"]) for path in paths])
    assert psutil.Process().num_fds() == before
    np.testing.assert_array_equal(joined[2:6], np.concatenate(parts)[2:6])
    np.testing.assert_array_equal(joined, np.concatenate(parts))
