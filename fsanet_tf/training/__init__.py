"""Resumable training: configuration, recipe, training loop."""
