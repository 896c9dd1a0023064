"""A bundle's network in the two forms that the engines take, both reading pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from facematch.errors import ModelFormatError
from facematch.runtime.openvino_import import shared_core


def bound_model(graph: Path, constants: Path, weights: Path, mean: float, scale: float) -> Any:
    """The OpenVINO model with its weights bound and pixel preprocessing built in.

    Args:
        graph: structure, whose inputs are ``x`` (float NCHW) and one per weight tensor.
        constants: the structure's own constants.
        weights: safetensors file.
        mean: subtracted from pixels.
        scale: multiplied after it.

    Raises:
        ModelFormatError: the files do not fit together or cannot be parsed.
    """
    import numpy as np
    import openvino as ov
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(weights)
        blob = np.fromfile(constants, np.uint8)
        model = shared_core().read_model(graph.read_bytes(), ov.Tensor(blob))
        _bind(model, tensors, weights)
        return _read_pixels(model, mean, scale)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise ModelFormatError(f"{graph.parent}: cannot be read as a network ({reason})") from error


def _bind(model: Any, tensors: Mapping[str, npt.NDArray[Any]], weights: Path) -> None:
    """Turns the inputs that are weights into constants, in place."""
    import numpy as np
    from openvino import opset13 as ops

    for parameter in model.get_parameters():
        name = parameter.get_friendly_name()
        if name == "x":
            continue
        wanted = tuple(parameter.get_output_shape(0))
        if name not in tensors or tensors[name].shape != wanted:
            raise ModelFormatError(
                f"{weights}: the graph wants the tensor {name} of shape {wanted}"
            )
        value = ops.constant(tensors[name].astype(np.float32))
        parameter.output(0).replace(value.output(0))
        model.remove_parameter(parameter)


def _read_pixels(model: Any, mean: float, scale: float) -> Any:
    """The model behind an input of uint8 NHWC pixels."""
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    processor = PrePostProcessor(model)
    processor.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    processor.input().tensor().set_color_format(ColorFormat.RGB)
    processor.input().model().set_layout(ov.Layout("NCHW"))
    processor.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(1 / scale)
    return processor.build()


def trainable_network(architecture: str, weights: Path) -> Any:
    """The network of a bundle to go on training: float (n, 3, s, s) -> (n, d). Imports torch.

    Raises:
        ModelFormatError: the architecture is unknown or the weights are not its.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from facematch.embedding.networks import NETWORKS

    if architecture not in NETWORKS:
        raise ModelFormatError(
            f"{weights.parent}: unknown architecture {architecture!r}; "
            f"this facematch knows {', '.join(sorted(NETWORKS))}"
        )
    network = NETWORKS[architecture].build()
    try:
        network.load_state_dict({name: t.float() for name, t in load_file(weights).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelFormatError(f"{weights}: not weights of {architecture}") from error
    return network


def torch_module(architecture: str, weights: Path, mean: float, scale: float) -> Any:
    """The torch form: uint8 (n, h, w, 3) -> float32 (n, d). Imports torch.

    Raises:
        ModelFormatError: the architecture is unknown or the weights are not its.
    """
    from torch import Tensor, nn

    network = trainable_network(architecture, weights)

    class PixelInput(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: Tensor) -> Tensor:
            embedding: Tensor = self.network((pixels.permute(0, 3, 1, 2).float() - mean) * scale)
            return embedding

    return PixelInput().eval()
