"""The P-, R- and O-Net weights inside the facenet-pytorch distribution.

The files are found without importing that package (which would import torch and
torchvision), and are loaded only when no compiled form is cached.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facematch.errors import ModelFormatError, ModelHashError

SHA256 = {
    "pnet": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
    "rnet": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
    "onet": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
}

Weights = dict[str, npt.NDArray[np.float32]]


def weights_path(net: str) -> Path:
    """Path of ``pnet.pt``, ``rnet.pt`` or ``onet.pt``.

    Raises:
        ModelFormatError: facenet-pytorch is not installed.
    """
    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or not spec.submodule_search_locations:
        raise ModelFormatError(
            "the face detector's weights come with facenet-pytorch, which is not installed; "
            "run: pip install facenet-pytorch==2.5.3"
        )
    return Path(spec.submodule_search_locations[0]) / "data" / f"{net}.pt"


def load_state(net: str) -> dict[str, Any]:
    """The checked state dict of one net, as torch tensors. Imports torch.

    Raises:
        ModelHashError: the file is not the one that facematch was tested with.
        ModelFormatError: the file is missing.
    """
    path = weights_path(net)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFormatError(
            f"{path}: cannot be read ({error.strerror}); reinstall facenet-pytorch==2.5.3"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256[net]:
        raise ModelHashError(
            f"{path}: SHA-256 differs from the pinned one; reinstall facenet-pytorch==2.5.3"
        )
    import io

    import torch

    state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    return state


def load_weights(net: str) -> Weights:
    """The checked weights of one net as float32 arrays. Imports torch."""
    return {name: value.numpy().astype(np.float32) for name, value in load_state(net).items()}
