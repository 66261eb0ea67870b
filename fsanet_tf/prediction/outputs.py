"""Paths of drawings: named after the source, in folders of its structure."""

from pathlib import Path

from fsanet_tf.prediction.sources import is_live

DRAWN_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def default_output(source: str, photos: list[Path] | None) -> Path:
    """Name the output after the source, in the current folder; `photos` is None for a video or camera."""
    if photos is None:
        return Path(f"{'camera' if is_live(source) else Path(source).stem}_poses.mp4")
    return Path(f"{Path(source).stem}_poses{'' if Path(source).is_dir() else '.png'}")


def drawing_path(source: str, photo: Path, output: Path) -> Path:
    """Return where a photo is drawn to: a folder keeps its structure, in formats that can be written."""
    is_folder = Path(source).is_dir()
    if not (is_folder or output.is_dir()):
        return output
    path = output / (photo.relative_to(source) if is_folder else photo.name)
    return path if path.suffix.lower() in DRAWN_SUFFIXES else path.with_name(f"{path.name}.png")
