"""Our cascade against facenet-pytorch's own, on photographs and on noise.

Same settings, same pictures: nearly all of its faces must be ours, at the same place and with
the same landmarks, and nearly none may be new. "Nearly", because candidates at a threshold
tip over with the last bit of a sum.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from facenet_pytorch import MTCNN
from PIL import Image

from facematch.imaging.mtcnn import DetectorSettings, FaceDetector
from facematch.runtime import Device, open_engine
from facematch.types import Face, Float32Array, UInt8Array

LFW_PHOTOGRAPHS, WILD_PHOTOGRAPHS = 500, 60
LEAST_IOU = 0.95
LARGEST_LANDMARK_ERROR_PX = 1.5  # in a photograph 250 pixels wide


@dataclass
class Tally:
    """What was compared so far.

    Attributes:
        photographs: pictures.
        theirs: faces that facenet-pytorch found.
        found: of those, the ones that facematch found at the same place.
        extra: faces of facematch that are none of facenet-pytorch's.
        worst_iou, worst_landmark_px: over the faces found.
    """

    photographs: int = 0
    theirs: int = 0
    found: int = 0
    extra: int = 0
    worst_iou: float = 1.0
    worst_landmark_px: float = 0.0

    def compare(self, image_rgb: UInt8Array, detector: FaceDetector, reference: MTCNN) -> None:
        theirs = reference.detect(image_rgb, landmarks=True)
        boxes, landmarks = (np.zeros(0) if v is None else np.float32(v) for v in theirs[::2])
        unmatched = detector.detect(image_rgb)
        self.photographs += 1
        scale = max(1.0, image_rgb.shape[1] / 250)
        for box, points in zip(boxes, landmarks, strict=True):
            self.theirs += 1
            ours = max(unmatched, key=lambda face: iou(face.box_xyxy, box), default=None)
            if ours is None or not self._same(ours, box, points, scale):
                continue
            self.found += 1
            unmatched = [face for face in unmatched if face is not ours]
        self.extra += len(unmatched)

    def _same(self, face: Face, box: Float32Array, points: Float32Array, scale: float) -> bool:
        overlap = iou(face.box_xyxy, box)
        error_px = float(np.linalg.norm(face.landmarks_xy - points, axis=1).max()) / scale
        if overlap < LEAST_IOU or error_px > LARGEST_LANDMARK_ERROR_PX:
            return False
        self.worst_iou = min(self.worst_iou, overlap)
        self.worst_landmark_px = max(self.worst_landmark_px, error_px)
        return True

    def __str__(self) -> str:
        return (
            f"{self.photographs} pictures: {self.found} of {self.theirs} faces of "
            f"facenet-pytorch found, {self.extra} extra; worst IoU {self.worst_iou:.6f}, "
            f"worst landmark {self.worst_landmark_px:.1e} px of 250"
        )


def iou(a: Float32Array, b: Float32Array) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(0, high - low)))
    return shared / (float(np.prod(a[2:] - a[:2])) + float(np.prod(b[2:] - b[:2])) - shared)


def decoded(data: bytes) -> UInt8Array:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def sampled(archive: Path, count: int, seed: int) -> Iterator[UInt8Array]:
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".jpg"))
        for name in np.random.default_rng(seed).choice(names, count, replace=False):
            yield decoded(opened.read(str(name)))


@pytest.mark.photos
@pytest.mark.slow
def test_parity_on_photographs(data_pack: Path) -> None:
    detector = FaceDetector(open_engine(Device.CPU))
    reference = MTCNN(keep_all=True, device="cpu")
    groups = sorted((data_pack / "groups").glob("*.jpg"))
    sources: dict[str, Iterator[UInt8Array]] = {
        "LFW View 1": sampled(data_pack / "lfw-view1" / "images.zip", LFW_PHOTOGRAPHS, seed=0),
        "groups": (decoded(path.read_bytes()) for path in groups),
        "wild": sampled(data_pack / "wild" / "photos.zip", WILD_PHOTOGRAPHS, seed=0),
    }
    tallies = {}
    print()
    for name, pictures in sources.items():
        tallies[name] = Tally()
        for picture in pictures:
            tallies[name].compare(picture, detector, reference)
        print(f"{name}: {tallies[name]}")
    assert tallies["LFW View 1"].photographs == LFW_PHOTOGRAPHS
    assert tallies["groups"].photographs == len(groups) > 0
    theirs = sum(tally.theirs for tally in tallies.values())
    found = sum(tally.found for tally in tallies.values())
    extra = sum(tally.extra for tally in tallies.values())
    assert theirs >= LFW_PHOTOGRAPHS
    assert found >= 0.995 * theirs
    assert extra <= 0.005 * theirs


@pytest.mark.parametrize(
    ("size_wh", "settings"),
    [
        pytest.param((180, 240), DetectorSettings(thresholds=(0.4, 0.05, 0.001)), id="tall"),
        pytest.param((301, 127), DetectorSettings(thresholds=(0.4, 0.05, 0.001)), id="wide"),
        pytest.param((160, 160), DetectorSettings(15, (0.3, 0.02, 0.0005), 0.8), id="settings"),
    ],
)
def test_parity_on_noise(size_wh: tuple[int, int], settings: DetectorSettings) -> None:
    """Thresholds at which noise has faces make many of them, without a photograph."""
    detector = FaceDetector(open_engine(Device.CPU), settings)
    reference = MTCNN(
        keep_all=True,
        device="cpu",
        min_face_size=settings.min_face_size,
        thresholds=list(settings.thresholds),
        factor=settings.factor,
    )
    tally = Tally()
    width, height = size_wh
    for seed in range(6):
        coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3))
        picture = cv2.resize(coarse.astype(np.uint8), size_wh, interpolation=cv2.INTER_CUBIC)
        tally.compare(np.asarray(picture, np.uint8), detector, reference)
    print(f"\n{tally}")
    assert tally.theirs >= 30
    assert tally.found >= 0.98 * tally.theirs
    assert tally.extra <= 0.02 * tally.theirs
