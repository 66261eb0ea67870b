"""Files: images, atomic writes, downloads."""
