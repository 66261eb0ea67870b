"""The networks that come with the package, by name: `1x1`, `var`, `noS`, and `fusion`, their mean."""

from collections.abc import Sequence
from pathlib import Path

FUSION = "fusion"
FOLDER = Path(__file__).parent


def shipped_networks() -> dict[str, Path]:
    """The `.tflite` files by name; a `.keras` file and a card stand beside each."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.tflite"))}


def network_file(source: str | Path) -> Path:
    """The file that a path means, or one of the names."""
    return shipped_networks().get(str(source), Path(source))


def keras_file(source: str | Path) -> Path:
    """The Keras file that a path means, or one of the names."""
    shipped = shipped_networks().get(str(source))
    return shipped.with_suffix(".keras") if shipped else Path(source)


def keras_files(sources: Sequence[str]) -> list[Path]:
    """The Keras files that paths and names mean; `fusion` means three."""
    names = [name for source in sources for name in (shipped_networks() if source == FUSION else [source])]
    return [keras_file(name) for name in names]
