"""The weights that the original FSA-Net released: download, load, convert."""
