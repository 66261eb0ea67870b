"""Face detectors and the tracking of their boxes."""
