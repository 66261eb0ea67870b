"""Data sets: the format of the project, TFRecord shards, augmentation, and the batches that train."""
