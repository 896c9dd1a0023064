"""The teacher's embeddings of the training crops, computed once and cached."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import facematch.runtime  # noqa: F401  (before OpenVINO: keeps its telemetry out)

import openvino as ov  # isort: skip

TEACHER = "face-reidentification-retail-0095"
BORDER = 8
# The columns of the aligned 112x112 crop that the teacher's input shows, stretched to a
# square: from the reference points that its publisher gives.
FIRST_COLUMN, LAST_COLUMN = 8, 104


def teacher_targets(
    images: npt.NDArray[np.uint8], teacher_dir: Path, cache_dir: Path, batch: int = 32
) -> npt.NDArray[np.float32]:
    """Unit-norm float32 (n, 256): the teacher on each crop and its mirror, averaged.

    The mean of both views is what the teacher verifies best with, and it teaches the
    student that a face and its mirror image are the same.

    Args:
        images: uint8 (n, 128, 128, 3), RGB.
        teacher_dir: holds the network as OpenVINO IR.
        cache_dir: holds the result for the next run.
        batch: crops per inference.
    """
    weights = (teacher_dir / f"{TEACHER}.bin").read_bytes()
    key = hashlib.sha256(weights + str(images.shape).encode() + images[::997].tobytes())
    path = cache_dir / f"teacher-{key.hexdigest()[:16]}.npy"
    if path.exists():
        return np.asarray(np.load(path), np.float32)
    core = ov.Core()
    model = core.read_model(teacher_dir / f"{TEACHER}.xml")
    model.reshape([2 * batch, 3, 128, 128])
    network = core.compile_model(model, "CPU")
    targets = np.zeros((len(images), 256), np.float32)
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        pixels = np.zeros((2 * batch, 128, 128, 3), np.uint8)
        for row, image in enumerate(part):
            aligned = image[BORDER:-BORDER, BORDER:-BORDER][:, FIRST_COLUMN:LAST_COLUMN]
            pixels[row] = cv2.resize(aligned, (128, 128))[..., ::-1]  # BGR
        pixels[batch:] = pixels[:batch, :, ::-1]
        raw = network([pixels.transpose(0, 3, 1, 2).astype(np.float32)])[0].reshape(2 * batch, -1)
        unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        both = unit[:batch] + unit[batch:]
        both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)
        targets[start : start + len(part)] = both[: len(part)]
    partial = path.with_suffix(f".partial-{os.getpid()}")
    with partial.open("wb") as file:
        np.save(file, targets)
    os.replace(partial, path)
    return targets
