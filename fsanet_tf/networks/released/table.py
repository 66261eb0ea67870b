"""The original's released weight files: addresses and SHA-256."""

from pathlib import Path
from typing import Any

from fsanet_tf.io.download import download
from fsanet_tf.io.files import sha256

BASE_URL = "https://raw.githubusercontent.com/shamangary/FSA-Net/master/pre-trained"


_LARGE_POSE_SHA256 = {
    "fsanet_capsule_3_16_2_21_5": "51814906b845474e329d4c935636e03475a7d5c675c35e233b69588ef007f67b",
    "fsanet_var_capsule_3_16_2_21_5": "64b8163d0102e52da7c42906e03b6d8065c34aac56111eea914413d6698f07a1",
    "fsanet_noS_capsule_3_16_2_192_5": "eca4f66b69a0ab1f6c9b0535429c00834197af0094004f761c754d52e67becac",
    "fsanet_metric_3_16_2_21_5": "62fee91749ee9e93fe8e4f82637ea9b951995eb719c4ba86fde8aab3b012917c",
    "fsanet_var_metric_3_16_2_21_5": "30d104122e99dadb19b16df0ab2310a03fff36920c7f284ebe0d8f81988739ee",
    "fsanet_noS_metric_3_16_2_192_5": "a6b0a2e408ed078234778e9d35a681d11d7351cdd43551e184edff2196682e5b",
    "fsanet_netvlad_3_16_2_21_5": "1d3d963cdd59afe2923d900b82bb02218ae01345df60a2072c99ef67837ec5f6",
    "ssrnet_mt": "1016ae85c0ac26727d9bcbb63499993041a1f339ce4517265cf093bbb473ef91",
}
_BIWI_SHA256 = {
    "fsanet_capsule_3_16_2_21_5": "4ef0297d6ba9d0d9b6594e011e8ed4427d9216f7e284484f88b36ca3c064eb05",
    "fsanet_var_capsule_3_16_2_21_5": "644de8ce1f559ecc2c3b1448c6cbd0edbc5913ba150ed191e5115e5ebb3a90f6",
    "fsanet_noS_capsule_3_16_2_192_5": "fb8102bc68f9d503280c7f00c724e1a3f0397daec302831ad19c0682d6d1acc8",
    "fsanet_metric_3_16_2_21_5": "0fe040ea5986ed0b98f5731f4b9b4e5b02e3edc2de1c8590972d36d9729c3e18",
    "fsanet_var_metric_3_16_2_21_5": "47823747fb90f1e444502036cec1ea61c762ac44476adcf8536e4659f3285068",
    "fsanet_noS_metric_3_16_2_192_5": "0a5e89d3b9769e7e4a0c81c5799c7b9ea0084bac37f9271b4c2add7e51f027a1",
    "fsanet_netvlad_3_16_2_21_5": "dd1c65e4b9f072e8aa3017bec0db6c67c3df855aab86e24748e68a13a278e9b9",
    "fsanet_var_netvlad_3_16_2_21_5": "d871545a88e963146ae4278db1952fa4726cec6b0cc9fca1863a8658593d7ab6",
    "fsanet_noS_netvlad_3_16_2_192_5": "76758e94023a8856954ed4c4c0bbdfa2db5079d3bcda56f3574dfa89435fc61e",
    "ssrnet_mt": "9e723a9bd6f9c0be5a0e58488e5d3e38f20993827835bd70213d51f327b44ab1",
}

# SHA-256 by the file's name in commands; it is in a folder of its own name.
RELEASED = {
    **{f"300W_LP_models/{stem}": digest for stem, digest in _LARGE_POSE_SHA256.items()},
    **{f"BIWI_models/{stem}": digest for stem, digest in _BIWI_SHA256.items()},
}


def released_url(name: str, base_url: str = BASE_URL) -> str:
    """Return the address of a released file, such as `300W_LP_models/ssrnet_mt`."""
    return f"{base_url.rstrip('/')}/{name}/{Path(name).name}.h5"


def download_released(name: str, output_dir: Path, base_url: str = BASE_URL, progress: bool = False) -> Path:
    """Download a released file to `output_dir/name.h5`.

    Raises:
        InputError: If it cannot be downloaded, or its content differs.
    """
    path = output_dir / f"{name}.h5"
    return download(released_url(name, base_url), path, RELEASED[name], progress=progress)


def about_released(path: str | Path) -> dict[str, Any]:
    """Return what a card says of a released file: the data of its training; nothing of another file."""
    digest = sha256(path)
    name = next((name for name, known in RELEASED.items() if known == digest), None)
    return {"training": {"data": [name.split("_models/")[0]]}} if name else {}
