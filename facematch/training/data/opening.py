"""One entry for all forms of training data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from facematch.errors import TrainingDataError
from facematch.training.data.archives import ArchiveSource
from facematch.training.data.cache import Progress, cached_crops
from facematch.training.data.crops import CropSet
from facematch.training.data.folders import folder_source
from facematch.training.data.manifests import manifest_source
from facematch.training.data.source import CropCutter, CropSource


def open_crops(
    paths: Sequence[Path],
    cache_dir: Path,
    cut: CropCutter | None = None,
    progress: Progress = lambda done, total: None,
) -> CropSet:
    """Opens training data, decoding it into ``cache_dir`` on first use.

    Args:
        paths: any of these, told apart by what they are: a zip archive of aligned crops, a
            folder with one sub-folder per identity, a CSV list (see the modules beside this
            one). Identities of different paths are distinct.
        cache_dir: folder for the decoded array (49,152 bytes a crop).
        cut: makes crops of the photographs in folders and lists; None if there are none.
        progress: called after each picture that is decoded.

    Returns:
        The crops in the order of ``paths``. ``images`` is a read-only memory map.

    Raises:
        TrainingDataError: a path is missing, of no known form, or gives no crop.
        OutputError: the cache cannot be written.
    """
    if not paths:
        raise TrainingDataError("no training data was given; name a folder, archive or list")
    places = [os.path.realpath(path) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise TrainingDataError(f"{path}: given twice; name each folder or archive once")
    names = Counter(path.name for path in paths)
    with ExitStack() as stack:
        sources: list[CropSource] = []
        for path, place in zip(paths, places, strict=True):
            # Two archives may share their name: then reports need the whole path.
            name = path.name if path.name and names[path.name] == 1 else place
            sources.append(_open(path, name, cut))
            stack.callback(sources[-1].close)
        version = "" if cut is None else cut.version
        return cached_crops(sources, version, cache_dir, progress)


def _open(path: Path, name: str, cut: CropCutter | None) -> CropSource:
    if path.is_dir():
        return folder_source(path, name, cut)
    if path.suffix.lower() == ".csv":
        return manifest_source(path, name, cut)
    return ArchiveSource(path, name)
