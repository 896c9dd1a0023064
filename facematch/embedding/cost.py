"""What a network costs: parameters, multiply-adds, faces a second on this machine."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from facematch.embedding.bundle import ModelBundle
from facematch.errors import UnknownModelError
from facematch.runtime.openvino_import import shared_core

TIMED_S = 1.0
FACES_PER_CALL = 32


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """The cost of one face.

    Attributes:
        input_size: side of the crop in pixels.
        embedding_size: length of the template.
        parameters: numbers that are learned; None where only the run-time form was counted.
        multiply_adds: of convolutions and matrix products for one face.
        faces_per_s: measured on this machine's CPU, in batches of 32, float32.
    """

    input_size: int
    embedding_size: int
    parameters: int | None
    multiply_adds: int
    faces_per_s: float


def cost_of_bundle(bundle: ModelBundle) -> NetworkCost:
    """Counts and times the run-time form of a bundle. Does not import torch."""
    model = bundle.source().openvino_model()
    return _cost(model, bundle.alignment.size, bundle.identity.embedding_size, None)


def cost_of_architecture(name: str) -> NetworkCost:
    """The same for a network with random weights. Imports torch.

    Raises:
        UnknownModelError: there is no such architecture.
    """
    import warnings

    import openvino as ov
    import torch

    from facematch.embedding.networks import NETWORKS

    if name not in NETWORKS:
        raise UnknownModelError(
            f"there is no network named {name!r}; there are {', '.join(NETWORKS)}"
        )
    spec = NETWORKS[name]
    network = spec.build().eval()
    example = torch.zeros(1, 3, spec.input_size, spec.input_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing, which is deprecated and goes on working
        model = ov.convert_model(network, example_input=example)
    parameters = sum(p.numel() for p in network.parameters())
    return _cost(model, spec.input_size, spec.embedding_size, parameters)


def _cost(model: Any, input_size: int, embedding_size: int, parameters: int | None) -> NetworkCost:
    shape = list(model.inputs[0].get_partial_shape())
    channels_last = shape[-1].is_static and shape[-1].get_length() == 3
    size = (input_size, input_size)

    def shaped(count: int) -> list[int]:
        return [count, *size, 3] if channels_last else [count, 3, *size]

    model.reshape(shaped(1))
    multiply_adds = count_multiply_adds(model)
    model.reshape(shaped(FACES_PER_CALL))
    return NetworkCost(input_size, embedding_size, parameters, multiply_adds, _faces_per_s(model))


def count_multiply_adds(model: Any) -> int:
    """Of the convolutions and matrix products of an OpenVINO model with static shapes."""
    total = 0
    for node in model.get_ops():
        kind = node.get_type_name()
        if kind not in ("Convolution", "GroupConvolution", "MatMul"):
            continue
        outputs = math.prod(node.get_output_shape(0))
        weights = tuple(node.get_input_shape(1))
        if kind == "MatMul":
            transposed = node.get_attributes().get("transpose_b", False)
            each = weights[-1] if transposed else weights[-2]
        else:  # (out, in, kh, kw), or (groups, out, in, kh, kw)
            each = math.prod(weights[-3:])
        total += outputs * each
    return total


def _faces_per_s(model: Any) -> float:
    compiled = shared_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    port = compiled.inputs[0]
    crops = np.zeros(tuple(port.get_shape()), port.get_element_type().to_dtype())
    request = compiled.create_infer_request()
    for _ in range(2):
        request.infer([crops], share_inputs=True)
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < TIMED_S:
        request.infer([crops], share_inputs=True)
        calls += 1
    return calls * FACES_PER_CALL / (time.perf_counter() - started)
