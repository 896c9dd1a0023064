"""Aligned training crops, decoded once into one memory-mapped array.

A training run reads every crop dozens of times; decoding WebP takes longer than a forward
pass at low resolution. So the archives are decoded once into ``crops.npy`` (uint8, on disk,
mapped, never loaded whole) beside ``crops.json``, which says what it was made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from facematch.errors import TrainingDataError

CROP_SIZE = 128
NO_IDENTITY = -1


@dataclass(frozen=True, slots=True)
class CropSet:
    """Aligned crops with identity labels.

    Attributes:
        images: uint8 (n, 128, 128, 3), RGB; the central 112x112 is the aligned face.
        labels: int64 (n,); ``NO_IDENTITY`` where the source has no identities.
        names: the member path of each crop, for reports.
        unreadable: member paths that could not be decoded, left out of the arrays.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def _identity(member: str) -> str | None:
    """The folder of a member is its identity; a member without a folder has none."""
    folder = member.rpartition("/")[0]
    return folder or None


def _source_key(archives: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for archive in archives:
        digest.update(f"{archive.name}\0{archive.stat().st_size}\0".encode())
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                digest.update(f"{info.filename}\0{info.CRC}\0".encode())
    return digest.hexdigest()


def _decode(archive: zipfile.ZipFile, member: str) -> npt.NDArray[np.uint8] | None:
    try:
        data = archive.read(member)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except (zipfile.BadZipFile, zlib.error, cv2.error):  # damaged, or no bytes at all
        return None
    if image is None or image.shape != (CROP_SIZE, CROP_SIZE, 3):
        return None
    return np.asarray(image, np.uint8)


def load_crops(archives: Sequence[Path], cache_dir: Path) -> CropSet:
    """Opens zip archives of 128x128 crops, decoding them into ``cache_dir`` on first use.

    Args:
        archives: zip files whose members are ``identity/name.webp`` (or ``name.webp`` for
            crops without an identity). Identities of different archives are distinct.
        cache_dir: folder for the decoded array (49,152 bytes a crop).

    Returns:
        The crops of all archives in archive order. ``images`` is a read-only memory map.

    Raises:
        TrainingDataError: an archive is missing, is not a zip file or holds no crop.
    """
    for archive in archives:
        if not zipfile.is_zipfile(archive):
            raise TrainingDataError(f"{archive}: not a readable zip archive of crops")
    cache_dir.mkdir(parents=True, exist_ok=True)
    key = _source_key(archives)
    array_path = cache_dir / f"crops-{key[:16]}.npy"
    index_path = cache_dir / f"crops-{key[:16]}.json"
    if not index_path.exists():
        _decode_archives(archives, array_path, index_path)
    index = json.loads(index_path.read_text())
    return CropSet(
        images=np.load(array_path, mmap_mode="r"),
        labels=np.asarray(index["labels"], np.int64),
        names=tuple(index["names"]),
        unreadable=tuple(index["unreadable"]),
    )


def _decode_archives(archives: Sequence[Path], array_path: Path, index_path: Path) -> None:
    members: list[tuple[Path, str]] = []
    for archive in archives:
        with zipfile.ZipFile(archive) as opened:
            members += [(archive, n) for n in sorted(opened.namelist()) if not n.endswith("/")]
    if not members:
        raise TrainingDataError(f"{archives[0]}: the archive holds no crops")
    names: list[str] = []
    labels: list[int] = []
    unreadable: list[str] = []
    identities: dict[tuple[Path, str], int] = {}
    partial = array_path.with_suffix(f".partial-{os.getpid()}")
    scratch = np.lib.format.open_memmap(
        partial, mode="w+", dtype=np.uint8, shape=(len(members), CROP_SIZE, CROP_SIZE, 3)
    )
    with contextlib.ExitStack() as stack:
        opened_archives = {a: stack.enter_context(zipfile.ZipFile(a)) for a in archives}
        for archive, member in members:
            image = _decode(opened_archives[archive], member)
            if image is None:
                unreadable.append(f"{archive.name}:{member}")
                continue
            scratch[len(names)] = image
            names.append(f"{archive.name}:{member}")
            identity = _identity(member)
            labels.append(
                NO_IDENTITY
                if identity is None
                else identities.setdefault((archive, identity), len(identities))
            )
    if not names:
        partial.unlink()
        raise TrainingDataError(
            f"{archives[0]}: none of its members is a {CROP_SIZE}x{CROP_SIZE} picture"
        )
    scratch.flush()
    if unreadable:  # keep the file exactly as long as its readable crops
        np.save(array_path, scratch[: len(names)])
        partial.unlink()
    else:
        os.replace(partial, array_path)
    content = {"names": names, "labels": labels, "unreadable": unreadable}
    index_partial = index_path.with_suffix(f".partial-{os.getpid()}")
    index_partial.write_text(json.dumps(content))
    os.replace(index_partial, index_path)  # last: its presence says that the array is whole
