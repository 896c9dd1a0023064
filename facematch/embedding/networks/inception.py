"""facenet-pytorch's InceptionResnetV1, for the published weights.

The network is that project's own class, so that its weights run as they run there. It is
imported when the network is built, because the import brings torchvision along.
"""

from __future__ import annotations

import pickle
import warnings
from typing import IO, cast

import torch
from torch import nn

from facematch.errors import ModelFormatError

# Of the classifier over the training subjects, which a template does not need.
CLASSIFIER = "logits."

# What torch.load raises for a file that is not a state dict, seen with damaged and foreign
# files: its zip reader, its restricted unpickler and the legacy format each have their own.
_LOAD_ERRORS = (
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ImportError,
)


def inception_resnet_v1() -> nn.Module:
    """The network with random weights: float32 (n, 3, 160, 160) -> (n, 512) of unit norm."""
    from facenet_pytorch import InceptionResnetV1

    return cast(nn.Module, InceptionResnetV1(pretrained=None, classify=False))


def read_published_weights(file: IO[bytes], name: str) -> nn.Module:
    """Reads a state dict as facenet-pytorch publishes it, without its classifier.

    Args:
        file: torch's format, open at its start; nothing in it is executed
            (``weights_only=True``).
        name: of the file, for messages.

    Returns:
        The network with these weights, in evaluation mode.

    Raises:
        ModelFormatError: it is not such a file, or holds the weights of another network.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of foreign formats, which then fail by themselves
            state = torch.load(file, map_location="cpu", weights_only=True)
    except _LOAD_ERRORS as error:
        raise ModelFormatError(
            f"{name}: not a torch file of plain tensors ({type(error).__name__}); "
            "fetch it again from where it is published"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise ModelFormatError(f"{name}: holds no state dict (names to tensors)")
    for key in [key for key in state if key.startswith(CLASSIFIER)]:
        del state[key]
    network = inception_resnet_v1()
    try:
        keys = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ModelFormatError(
            f"{name}: holds tensors of another shape than InceptionResnetV1"
        ) from error
    if keys.missing_keys or keys.unexpected_keys:
        example = (keys.missing_keys or keys.unexpected_keys)[0]
        raise ModelFormatError(
            f"{name}: not the weights of InceptionResnetV1 ({len(keys.missing_keys)} tensors "
            f"missing, {len(keys.unexpected_keys)} unknown, for example {example!r})"
        )
    return network.eval()
