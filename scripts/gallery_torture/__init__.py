"""Parts of ``scripts/torture``: each hurts a gallery in one way and counts what became of it."""
