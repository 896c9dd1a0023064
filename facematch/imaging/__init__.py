"""Pixels: decode a file, find faces, align them, measure quality, draw.

The modules are imported by name (``from facematch.imaging.decode import load_photograph``),
so that a command loads only what it uses.
"""
