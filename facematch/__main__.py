"""``python -m facematch``, which torchrun needs."""

from facematch.cli import main

main()
