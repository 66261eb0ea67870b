"""Training data: the `.npz` format, the split, augmentation, input pipeline, preprocessing."""
