"""A training run: its configuration, recipe, working directory, and the run itself."""
