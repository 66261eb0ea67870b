"""Training data: the `.npz` format, TFRecord shards, augmentation, input pipeline, preprocessing."""
