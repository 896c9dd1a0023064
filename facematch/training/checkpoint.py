"""Checkpoints: one file of plain tensors and numbers, replaced whole."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facematch.errors import TrainingError

FORMAT = 3


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes the file beside the old one, then replaces it.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is still there.
    """
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
    except RuntimeError as error:  # how torch's zip writer says that the disk is full
        raise OSError(f"{partial}: cannot be written ({str(error).splitlines()[0]})") from error
    os.replace(partial, path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint without unpickling anything but tensors and plain types.

    Raises:
        TrainingError: it cannot be read, or is of another format.
    """
    try:
        # torch.save writes zip files; of anything else torch.load makes any error at all.
        if not zipfile.is_zipfile(path):
            raise pickle.UnpicklingError("not a zip file")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{path}: not a readable checkpoint; delete it to start over, or restore a copy"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise TrainingError(
            f"{path}: not a checkpoint of format {FORMAT}; start in an empty folder"
        )
    return state
