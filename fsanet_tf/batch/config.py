"""Configuration of a labeling job, without importing pyarrow or Ray."""

import dataclasses
from collections.abc import Sequence

__all__ = ["LabelConfig", "LabelerConfig"]

ENGINES = ("pool", "ray")


@dataclasses.dataclass(frozen=True)
class LabelerConfig:
    """How images are labeled.

    Attributes:
        network: Path of a network, or one of `list_networks()`.
        detector: One of `list_detectors()`, or `auto`.
        margin_ratio: Share of the landmark box added on each side; None: the network's own.
        mirror: Whether to average with the predictions for mirrored crops.
        trust: Whether to load a network that could do more than compute.
        every_s: Seconds between the labeled frames of a video; 0: every frame.

    Example:
        >>> fsanet_tf.LabelerConfig(network="var", detector="haar").every_s
        0.0
    """

    network: str = "fusion"
    detector: str = "auto"
    margin_ratio: float | None = None
    mirror: bool = False
    trust: bool = False
    every_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class LabelConfig:
    """What to label, how, and with what.

    Attributes:
        source: A folder (searched recursively), a photo, a video, a `.txt` with a path per line, a `.csv` or
            `.parquet` with a column `path` (or `file`, `source`) or, in Parquet, `bytes`; a pattern or an
            address of a file system that pyarrow knows (`s3://…`); or several paths.
        output: Folder to write, or such an address; by convention it ends in `.parquet`.
        labeler: Network, detector and the like.
        engine: `pool`, processes of this machine, or `ray`.
        address: Of a running Ray cluster to join, which implies `ray`; None: Ray starts on this machine.
        workers: Processes; 0: one per core.
        verbose: Whether Ray may log.

    Raises:
        ValueError: If the engine is unknown.

    Example:
        >>> fsanet_tf.LabelConfig("photos", "poses.parquet").engine
        'pool'
    """

    source: str | Sequence[str]
    output: str
    labeler: LabelerConfig = LabelerConfig()
    engine: str = "pool"
    address: str | None = None
    workers: int = 0
    verbose: bool = False

    def __post_init__(self):
        if self.engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}. Received: {self.engine}")
