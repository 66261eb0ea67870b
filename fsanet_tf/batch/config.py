"""Configuration of a labeling job, without importing pyarrow or Ray."""

from fsanet_tf.detection.detectors import list_detectors
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.options import configuration, option

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
    network: tuple[str, ...] = option(
        (DEFAULT,), "Network file, SavedModel folder, or shipped name; several are averaged."
    )
    detector: str = option("auto", "Face detector.", choices=lambda: ["auto", *list_detectors()])
    margin_ratio: float | None = option(
        None, "Share of the face box added on each side; by default the network's own.", low=0
    )
    mirror: bool = option(False, "Average with the mirrored crops: more accurate, but takes twice as long.")
    trust: bool = option(False, "Load files that could do more than compute; see docs/safety.md.")
    every_s: float = option(0.0, "Seconds between the labeled frames of a video; 0: every frame.", low=0)
    retry_failed: bool = option(False, "Retry photos and videos that could not be labeled before.")
    engine: str = option("pool", "Processes of this machine, or Ray.", choices=("pool", "ray"))
    address: str | None = option(None, "Running Ray cluster to join, which implies the engine ray.")
    workers: int = option(0, "Number of processes; 0: one per core; 1: all work is done in this one.", low=0)
    verbose: bool = option(False, "Show Ray's log.")
