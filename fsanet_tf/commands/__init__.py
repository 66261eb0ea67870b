"""The command line: one module per command of `fsanet`, each a thin layer over a function."""
