"""P-, R- and O-Net as network sources (Zhang et al., SPL 2016, arXiv 1604.02878).

Each takes a float32 (n, h, w, 3) batch of RGB pixels in [0, 255]; normalisation is part of
the network. Outputs:

    pnet: (n, 2, h', w') probabilities, (n, 4, h', w') box offsets; any h, w >= 12
    rnet: (n, 2), (n, 4) for 24x24 crops
    onet: (n, 2), (n, 4), (n, 10) landmark offsets (five x, then five y) for 48x48 crops

P-Net's pooling takes the last row and column of a picture of odd size by themselves. Where
many pictures share a canvas, a fourth channel tells it so: 1 where a pixel is none of the
picture beside it, else 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from facematch.imaging.mtcnn.weights import SHA256, Weights, load_state, load_weights
from facematch.runtime import NetworkSource

# Raise it when the graph below changes, so that cached compiled forms are made again.
GRAPH_VERSION = 1

# Added to what a 3x3 window with a pixel outside its picture gives; no maximum is lower.
NEVER_POOLED = -1e9
_END = 1 << 30


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
        shape: the one shape of all batches, which then run side by side; P-Net's may have
            the fourth channel. An engine prepares itself for each shape that it meets, which
            takes longer than the work on a small batch; with one shape it does so once. None
            for batches of any shape.
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

    def convolution(x: Any, name: str) -> Any:
        kernel = ops.constant(weights[f"{name}.weight"])
        y = ops.convolution(x, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
        return ops.add(y, per_channel(f"{name}.bias"))

    def dense(x: Any, name: str) -> Any:
        kernel = ops.constant(weights[f"{name}.weight"])
        return ops.add(ops.matmul(x, kernel, False, True), ops.constant(weights[f"{name}.bias"]))

    pixels = ops.parameter(ov.PartialShape(batch), np.float32, name="pixels")
    x = ops.transpose(pixels, ops.constant(np.array([0, 3, 1, 2])))
    outside = None
    if batch[3] == 4:
        outside = _part(x, (3, 2, 2), (4, _END, _END))
        x = _part(x, (0, 0, 0), (3, _END, _END))
    x = ops.multiply(
        ops.subtract(x, ops.constant(np.float32(127.5))), ops.constant(np.float32(1 / 128))
    )
    for index, pool in enumerate(layout.pools, start=1):
        x = convolution(x, f"conv{index}")
        x = ops.prelu(x, per_channel(f"prelu{index}.weight"))
        if outside is not None:
            x = ops.add(x, ops.multiply(outside, ops.constant(np.float32(NEVER_POOLED))))
            outside = None
        if pool:
            x = ops.max_pool(
                x, [2, 2], [1, 1], [0, 0], [0, 0], [pool, pool], rounding_type="ceil"
            ).output(0)
    if layout.dense is None:
        outputs = [convolution(x, head) for head in layout.heads]
    else:
        # The dense weights expect Caffe's order: width before height before channels.
        x = ops.transpose(x, ops.constant(np.array([0, 3, 2, 1])))
        x = ops.reshape(x, ops.constant(np.array([0, -1])), special_zero=True)
        x = dense(x, layout.dense[0])
        x = ops.prelu(x, ops.constant(weights[f"{layout.dense[1]}.weight"]))
        outputs = [dense(x, head) for head in layout.heads]
    outputs[0] = ops.softmax(outputs[0], 1)
    return ov.Model(outputs, [pixels], net)


def _part(x: Any, starts: tuple[int, int, int], stops: tuple[int, int, int]) -> Any:
    """Channels, rows and columns of a (n, c, h, w) tensor."""
    import numpy as np
    from openvino import opset13 as ops

    steps, axes = np.ones(3, np.int64), np.array([1, 2, 3])
    return ops.slice(x, *(ops.constant(np.array(edge)) for edge in (starts, stops, steps, axes)))


def _torch_module(net: str) -> Any:
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
            if pixels.shape[3] == 4:
                outside = pixels[:, None, 2:, 2:, 3] * NEVER_POOLED
                handle = self.net.prelu1.register_forward_hook(lambda *args: args[2] + outside)
                outputs = self.net((pixels[..., :3].permute(0, 3, 1, 2) - 127.5) / 128)
                handle.remove()
            else:
                outputs = self.net((pixels.permute(0, 3, 1, 2) - 127.5) / 128)
            # facenet-pytorch returns the class probabilities last.
            return (outputs[-1], *outputs[:-1])

    return PixelInput().eval()
