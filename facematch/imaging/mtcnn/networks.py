"""P-, R- and O-Net as network sources (Zhang et al., SPL 2016, arXiv 1604.02878).

Each takes a float32 (n, h, w, 3) batch of RGB pixels in [0, 255]; normalisation is part of
the network. Outputs:

    pnet: (n, 5, h', w') probability of a face and four box offsets; any h, w >= 12
    rnet: (n, 2), (n, 4) for 24x24 crops
    onet: (n, 2), (n, 4), (n, 10) landmark offsets (five x, then five y) for 48x48 crops

P-Net's pooling takes the last row and column of a picture of odd size by themselves. Where
many pictures share a canvas, the row and column after such a picture hold the value
``OUTSIDE``, and P-Net does the same there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from facematch.imaging.mtcnn.weights import SHA256, Weights, load_state, load_weights
from facematch.runtime import NetworkSource

# Raise it when the graph below changes, so that cached compiled forms are made again.
GRAPH_VERSION = 2

OUTSIDE = -1.0
# Times OUTSIDE, added to what a 3x3 window that ends there gives: no maximum is as low.
_NEVER_POOLED = 1e9


@dataclass(frozen=True, slots=True)
class _Layout:
    """What differs between the nets.

    Attributes:
        side: of the square input; None if it may vary.
        pools: window of the max pooling after each convolution; 0 for none.
        dense: name of the hidden dense layer and of its PReLU; None if convolutional.
        heads: the output layers; the first gives the two class scores.
    """

    side: int | None
    pools: tuple[int, ...]
    dense: tuple[str, str] | None
    heads: tuple[str, ...]


_LAYOUTS = {
    "pnet": _Layout(None, (2, 0, 0), None, ("conv4_1", "conv4_2")),
    "rnet": _Layout(24, (3, 3, 0), ("dense4", "prelu4"), ("dense5_1", "dense5_2")),
    "onet": _Layout(48, (3, 3, 2, 0), ("dense5", "prelu5"), ("dense6_1", "dense6_2", "dense6_3")),
}


def source(net: str, shape: tuple[int, int, int, int] | None = None) -> NetworkSource:
    """The network source of ``pnet``, ``rnet`` or ``onet``.

    Args:
        net: which.
        shape: the one shape of all batches, which then run side by side. An engine prepares
            itself for each shape that it meets, which takes longer than the work on a small
            batch; with one shape it does so once. None for batches of any shape.
    """
    return NetworkSource(
        name=f"MTCNN {net}",
        key=hashlib.sha256(f"{SHA256[net]} graph {GRAPH_VERSION} {shape}".encode()).hexdigest(),
        openvino_model=lambda: _openvino_model(net, load_weights(net), shape),
        torch_module=lambda: _torch_module(net),
        side_by_side=shape is not None,
    )


def _openvino_model(net: str, weights: Weights, shape: tuple[int, int, int, int] | None) -> Any:
    import numpy as np
    import openvino as ov
    from openvino import opset13 as ops

    layout = _LAYOUTS[net]
    side = -1 if layout.side is None else layout.side
    batch = [-1, side, side, 3] if shape is None else list(shape)

    def per_channel(name: str) -> Any:
        return ops.constant(weights[name].reshape(1, -1, 1, 1))

    def convolution(x: Any, kernel: Any, bias: Any) -> Any:
        y = ops.convolution(x, ops.constant(kernel), [1, 1], [0, 0], [0, 0], [1, 1])
        return ops.add(y, ops.constant(bias.reshape(1, -1, 1, 1)))

    def of(name: str) -> tuple[Any, Any]:
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    def dense(x: Any, name: str) -> Any:
        kernel = ops.constant(weights[f"{name}.weight"])
        return ops.add(ops.matmul(x, kernel, False, True), ops.constant(weights[f"{name}.bias"]))

    pixels = ops.parameter(ov.PartialShape(batch), np.float32, name="pixels")
    x = ops.transpose(pixels, ops.constant(np.array([0, 3, 1, 2])))
    x = ops.multiply(
        ops.subtract(x, ops.constant(np.float32(127.5))), ops.constant(np.float32(1 / 128))
    )
    for index, pool in enumerate(layout.pools, start=1):
        x = convolution(x, *of(f"conv{index}"))
        x = ops.prelu(x, per_channel(f"prelu{index}.weight"))
        if net == "pnet" and index == 1:
            x = ops.add(x, _outside(pixels))
        if pool:
            x = ops.max_pool(
                x, [2, 2], [1, 1], [0, 0], [0, 0], [pool, pool], rounding_type="ceil"
            ).output(0)
    if layout.dense is None:
        # One convolution for both heads, because one with few outputs costs as much; and of the
        # two class scores the difference, because that is all that their softmax knows.
        scores, offsets = (of(head) for head in layout.heads)
        joined = [np.concatenate([a[1:] - a[:1], b]) for a, b in zip(scores, offsets, strict=True)]
        y = convolution(x, *joined)
        first = ops.constant(np.array([1, 0, 0, 0, 0], np.float32).reshape(1, 5, 1, 1))
        share = ops.multiply(ops.sigmoid(y), first)
        rest = ops.multiply(y, ops.subtract(ops.constant(np.float32(1)), first))
        outputs = [ops.add(share, rest).output(0)]
    else:
        # The dense weights expect Caffe's order: width before height before channels.
        x = ops.transpose(x, ops.constant(np.array([0, 3, 2, 1])))
        x = ops.reshape(x, ops.constant(np.array([0, -1])), special_zero=True)
        x = dense(x, layout.dense[0])
        x = ops.prelu(x, ops.constant(weights[f"{layout.dense[1]}.weight"]))
        outputs = [dense(x, head).output(0) for head in layout.heads]
        outputs[0] = ops.softmax(outputs[0], 1).output(0)
    return ov.Model(outputs, [pixels], net)


def _outside(pixels: Any) -> Any:
    """What keeps 3x3 windows that end outside their picture from being a maximum."""
    import numpy as np
    from openvino import opset13 as ops

    darkest = ops.reduce_min(pixels, ops.constant(np.array([3])), keep_dims=False)
    below = ops.minimum(darkest, ops.constant(np.float32(0)))
    # A window is named by its first pixel and ends with its last.
    edges = ((2, 2), (1 << 30, 1 << 30), (1, 1), (1, 2))
    below = ops.slice(below, *(ops.constant(np.array(edge)) for edge in edges))
    below = ops.unsqueeze(below, ops.constant(np.array([1])))
    return ops.multiply(below, ops.constant(np.float32(_NEVER_POOLED)))


def _torch_module(net: str) -> Any:
    import torch
    from facenet_pytorch.models import mtcnn
    from torch import Tensor, nn

    class PixelInput(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = {"pnet": mtcnn.PNet, "rnet": mtcnn.RNet, "onet": mtcnn.ONet}[net](
                pretrained=False
            )
            self.net.load_state_dict(load_state(net))

        def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
            if net == "pnet":
                outside = pixels[:, None, 2:, 2:, 0].clamp(max=0) * _NEVER_POOLED
                hook = self.net.prelu1.register_forward_hook(lambda *args: args[2] + outside)
            outputs = self.net((pixels.permute(0, 3, 1, 2) - 127.5) / 128)
            if net == "pnet":
                hook.remove()
                return (torch.cat([outputs[1][:, 1:], outputs[0]], 1),)
            # facenet-pytorch returns the class probabilities last.
            return (outputs[-1], *outputs[:-1])

    return PixelInput().eval()
