"""Weight files: `.keras`, and the original's released `.h5`, fetched, mapped by name, converted."""
