"""Boxes, crops, angles and rotations."""
