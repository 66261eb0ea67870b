"""Datasets as they are distributed, turned into crops and poses."""
