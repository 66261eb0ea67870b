"""Drawing of poses, plots and heatmaps; nothing here predicts."""
