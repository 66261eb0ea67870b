"""Data sets as they are distributed, into crops and poses."""
