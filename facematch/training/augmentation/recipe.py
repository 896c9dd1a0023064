"""Which variations, how strong, in which order: from the scene to the sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np

from facematch.training.augmentation.colour import lookup_tables, without_colour
from facematch.training.augmentation.degradation import blurred, coarsened, compressed, shaken
from facematch.training.augmentation.draws import Draws, draw
from facematch.training.augmentation.geometry import affine_maps, for_source
from facematch.training.augmentation.occlusion import cover_eyes, cover_mask, cover_rectangle
from facematch.training.data import ALIGNED_SIZE, CROP_SIZE
from facematch.types import Float64Array, Int64Array, UInt8Array

_AMOUNTS = ("shift_px", "scale", "rotation_deg", "landmark_px", "colour")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly crops are varied. Zeros give the plain aligned crop.

    Attributes:
        flip: probability of a horizontal flip.
        shift_px: largest shift in aligned pixels (uniform, each axis).
        scale: largest relative change of size.
        rotation_deg: largest rotation.
        colour: largest relative change of brightness, contrast and colour balance.
        grey: probability of dropping colour.
        coarse: probability of a loss of resolution (down to a quarter and back).
        jpeg: probability of JPEG compression (quality 30 to 90).
        occlusion: probability that a rectangle is covered by one colour.
        landmark_px: standard deviation of errors of the landmarks that the crop is aligned
            by, in aligned pixels.
        blur: probability of Gaussian blur (standard deviation 0.5 to 2 pixels).
        motion: probability of motion blur (3 to 9 pixels).
        mask: probability of a face mask over nose, mouth and chin.
        glasses: probability of a band of dark glass over the eyes.
        mix: probability of mixing in less than half of another crop, for objectives without
            labels: a teacher answers for the mixed crop as for any other.
        vertical_flip: probability of an upside-down crop; faces have an up.

    Raises:
        ValueError: a value is out of range; the message begins with its name.
    """

    flip: float = 0.5
    shift_px: float = 3.0
    scale: float = 0.06
    rotation_deg: float = 6.0
    colour: float = 0.25
    grey: float = 0.1
    coarse: float = 0.15
    jpeg: float = 0.1
    occlusion: float = 0.0
    landmark_px: float = 0.0
    blur: float = 0.0
    motion: float = 0.0
    mask: float = 0.0
    glasses: float = 0.0
    mix: float = 0.0
    vertical_flip: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in _AMOUNTS and not 0 <= value <= 1:
                raise ValueError(f"{field.name}: expected a probability, got {value}")
            if not 0 <= value < math.inf:
                raise ValueError(f"{field.name}: expected at least 0, got {value}")

    def batch(
        self,
        images: UInt8Array,
        size: int,
        rng: np.random.Generator,
        positions: Int64Array | None = None,
    ) -> UInt8Array:
        """Augments a batch, or a rank's part of one.

        What becomes of a crop depends on itself, on ``rng`` and on its place in the batch,
        and on no other crop (but for ``mix``): ranks that hold parts of a batch and generators
        in one state get what one process would.

        Args:
            images: uint8 (n, 128, 128, 3), RGB.
            size: side of the result in pixels.
            rng: the source of randomness, fresh for each batch.
            positions: int64 (n,), the places of these crops in the whole batch; by default
                they are the whole batch.

        Returns:
            uint8 (n, size, size, 3), RGB.

        Raises:
            ValueError: ``mix`` needs a crop that another rank has.
        """
        places = np.arange(len(images)) if positions is None else positions
        draws = draw(rng, places)
        maps = affine_maps(
            draws,
            size,
            flip=self.flip,
            vertical_flip=self.vertical_flip,
            shift_px=self.shift_px,
            scale=self.scale,
            rotation_deg=self.rotation_deg,
            landmark_px=self.landmark_px,
        )
        # The warp interpolates linearly: halve first where it reduces by two, or it aliases.
        side = CROP_SIZE // 2 if 2 * size <= ALIGNED_SIZE else CROP_SIZE
        maps = for_source(maps, side)
        out = np.empty((len(images), size, size, 3), np.uint8)
        for row, image in enumerate(images):
            out[row] = self._seen(self._scene(image, draws[row]), draws[row], maps[row], side, size)
        self._recolour(out, draws)
        if self.mix > 0:
            return self._mixed(out, draws, places, whole=positions is None)
        return out

    def _scene(self, image: UInt8Array, draws: np.void) -> UInt8Array:
        """The crop with what is worn."""
        if draws["mask"][0] < self.mask:
            image = cover_mask(image, draws["mask"][1:])
        if draws["glasses"][0] < self.glasses:
            image = cover_eyes(image, draws["glasses"][1:])
        return image

    def _seen(
        self, image: UInt8Array, draws: np.void, affine: Float64Array, side: int, size: int
    ) -> UInt8Array:
        """The crop through lens, distance and compression, and cut by the detector."""
        if draws["blur"][0] < self.blur:
            image = blurred(image, draws["blur"][1])
        if draws["motion"][0] < self.motion:
            image = shaken(image, draws["motion"][1:])
        if draws["coarse"][0] < self.coarse:
            image = coarsened(image, draws["coarse"][1])
        if draws["jpeg"][0] < self.jpeg:
            image = compressed(image, draws["jpeg"][1])
        if side < CROP_SIZE:
            image = np.asarray(
                cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8
            )
        seen = cv2.warpAffine(
            image, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        result = np.asarray(seen, np.uint8)
        if draws["occlusion"][0] < self.occlusion:
            cover_rectangle(result, draws["occlusion"][1:])
        return result

    def _recolour(self, images: UInt8Array, draws: Draws) -> None:
        """Colours of a whole batch, in place."""
        grey = draws["grey"] < self.grey
        for row in np.flatnonzero(grey):
            images[row] = without_colour(images[row])
        if self.colour > 0:
            for image, table in zip(
                images, lookup_tables(draws["colour"], self.colour, grey), strict=True
            ):
                cv2.LUT(image, table[None], dst=image)

    def _mixed(
        self, images: UInt8Array, draws: Draws, places: Int64Array, *, whole: bool
    ) -> UInt8Array:
        """Places 2i and 2i + 1 of a batch are partners; the last one of an odd batch has none."""
        rows = {int(place): row for row, place in enumerate(places)}
        mixed = images.copy()
        for row in np.flatnonzero(draws["mix"][:, 0] < self.mix):
            place = int(places[row])
            partner = rows.get(place ^ 1)
            if partner is not None:
                share = 0.5 + 0.5 * draws["mix"][row, 1]
                mixed[row] = cv2.addWeighted(images[row], share, images[partner], 1 - share, 0)
            elif not whole:
                raise ValueError(
                    f"mix: crop {place} of a batch lacks its partner {place ^ 1}, which another "
                    "rank has; give each rank an even number of crops"
                )
        return mixed
