"""Configuration of a labeling job, without importing pyarrow or Ray."""

from fsanet_tf.options import configuration, option, same_option
from fsanet_tf.prediction.config import PredictionConfig

__all__ = ["LabelConfig"]


@configuration
class LabelConfig:
    """Options of `label` and `label_dataset`.

    Example:
        >>> fsanet_tf.LabelConfig("photos", "poses.parquet").engine
        'pool'
    """

    source: tuple[str, ...] = option(
        (),
        "Folders (searched recursively), photos, videos, lists (.txt) with one path per line, tables (.csv, "
        ".parquet) with a column path, file or source or, in Parquet, bytes; patterns such as "
        "photos/**/*.jpg, or addresses of a file system that pyarrow supports (s3://…).",
    )
    output: str = option("", "Folder of the Parquet table to write, or such an address.")
    network: tuple[str, ...] = same_option(PredictionConfig, "network")
    detector: str = same_option(PredictionConfig, "detector")
    margin_ratio: float | None = same_option(PredictionConfig, "margin_ratio")
    mirror: bool = same_option(PredictionConfig, "mirror")
    trust: bool = same_option(PredictionConfig, "trust")
    every_s: float = option(0.0, "Seconds between the labeled frames of a video; 0: every frame.", low=0)
    retry_failed: bool = option(False, "Retry photos and videos that could not be labeled before.")
    engine: str = option("pool", "Processes of this machine, or Ray.", choices=("pool", "ray"))
    address: str | None = option(None, "Running Ray cluster to join, which implies the engine ray.")
    workers: int = option(0, "Number of processes; 0: one per core; 1: all work is done in this one.", low=0)
    verbose: bool = option(False, "Show Ray's log.")
