"""Packaging; tool settings live in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "fsanet_tf/__init__.py").read_text())[1]

EXPORT = ["ai-edge-quantizer", "onnx", "onnxruntime", "tensorflow-serving-api", "tf2onnx"]
DEMO = ["gradio"]

setup(
    name="fsanet_tf",
    version=VERSION,
    description="FSA-Net head pose estimation from one image, for Keras 3 and TensorFlow 2",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["fsanet_tf", "fsanet_tf.*", "preprocessing", "demo"]),
    py_modules=["train", "evaluate", "export"],
    package_data={"fsanet_tf.pretrained": ["*.json", "*.keras", "*.tflite"]},
    install_requires=[
        "absl-py",
        "ai-edge-litert",
        "h5py",
        "keras>=3.15",  # what wrote the shipped .keras files; 3.12 cannot read them
        "matplotlib",
        "mtcnn>=1.0",
        "numpy",
        "opencv-python>=4.8,<5",  # 5 has no CascadeClassifier
        "scikit-image",
        "scipy",
        "tensorboard",
        "tensorflow>=2.18",
        "tqdm",
    ],
    extras_require={
        "export": EXPORT,
        "demo": DEMO,
        "dev": [
            *EXPORT,
            *DEMO,
            "hypothesis",
            "mypy",
            "playwright",
            "psutil",
            "pytest",
            "pytest-cov",
            "pytest-xdist",
            "ruff",
        ],
    },
)
