"""The teacher: an embedding network in OpenVINO's form, run on the crops of each batch."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facematch.runtime.openvino_import import shared_core
from facematch.training.losses.feature_maps import on_grid

TEACHER = "face-reidentification-retail-0095"
# The columns of the aligned 112x112 crop that the teacher's input shows, stretched to a
# square: from the reference points that its publisher gives.
FIRST_COLUMN, LAST_COLUMN = 8, 104
# The linear ends of its stages (32x32x64, 16x16x128, 8x8x128) and the 8x8x512 map before the
# activation of its head, by name in its graph; and the grids of the student's own.
STAGES = ("494", "605", "652", "654")
GRIDS = ((28, 24), (14, 12), (7, 6), (7, 6))


class Teacher:
    """Answers for the very crop that the student sees (Beyer et al., CVPR 2022, arXiv 2106.05237).

    Args:
        folder: holds the network as OpenVINO IR.
        batch: crops per call.
        threads: of one call.
        maps: whether it gives the maps of its stages, or the embeddings alone.
    """

    def __init__(self, folder: Path, batch: int, threads: int, maps: bool = True) -> None:
        core = shared_core()
        model = core.read_model(folder / f"{TEACHER}.xml")
        named = {node.get_friendly_name(): node for node in model.get_ops()}
        self._grids = GRIDS if maps else ()
        if maps:
            model.add_outputs([named[name].output(0) for name in STAGES])
        model.reshape([batch, 3, 128, 128])
        self._network = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads})
        self._batch = batch

    def __call__(self, images: npt.NDArray[np.uint8]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Maps of its stages on the student's grids, if asked for, and (n, 256) embeddings.

        Args:
            images: uint8 (batch, 112, 112, 3), RGB.
        """
        pixels = np.empty((self._batch, 128, 128, 3), np.uint8)
        for row, image in enumerate(images):
            view = image[:, FIRST_COLUMN:LAST_COLUMN]
            pixels[row] = cv2.resize(view, (128, 128))[..., ::-1]  # BGR
        outputs = self._network([pixels.transpose(0, 3, 1, 2).astype(np.float32)])
        embeddings, *maps = (torch.from_numpy(np.asarray(outputs[i])) for i in range(len(outputs)))
        on_grids = tuple(on_grid(m, size) for m, size in zip(maps, self._grids, strict=True))
        return on_grids, embeddings.reshape(self._batch, -1)
