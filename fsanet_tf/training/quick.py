"""The quick run: rendered heads and a small network, from nothing to a trained network in two minutes."""

from pathlib import Path

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.preprocessing.crops import preprocess
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
from fsanet_tf.data.preprocessing.synthetic import SyntheticConfig, synthesize
from fsanet_tf.training.config import TrainingConfig

NUM_HEADS = 1500


def prepare_quick_run(output_dir: Path, seed: int) -> TrainingConfig:
    """Render heads in the layout of 300W-LP, crop them, and return how to train on the crops."""
    crops = output_dir / "heads.npz"
    if not crops.exists():
        synthesize(SyntheticConfig(str(output_dir / "heads"), NUM_HEADS))
        preprocess(LandmarkPairsConfig(str(output_dir / "heads"), str(crops)))
    return TrainingConfig(
        data=(str(crops),),
        output_dir=str(output_dir),
        variant="fsanet_var_capsule",
        image_size=32,
        batch_size=32,
        epochs=10,
        learning_rate=4e-3,
        schedule="cosine",
        warmup_epochs=1,
        seed=seed,
        augmentation=AugmentationConfig(original=False, flip=0.5),
    )
