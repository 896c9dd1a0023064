"""Parts of ``scripts/fuzz``: files that are wrong in every way, and what reads them."""
