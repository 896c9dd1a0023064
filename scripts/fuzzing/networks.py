"""The network files of a bundle, and archives of crops."""

from __future__ import annotations

import io
import json
import random
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save

from fuzzing import pictures
from fuzzing.mutation import mutated
from fuzzing.texts import text_case

_XML_WORDS = (
    '<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    '<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    *("&a;", "&b;", "&#0;", "&#x10ffff;", "<![CDATA[", "]]>", "<!--", "<?xml version='9'?>"),
    *('offset="', 'size="', 'shape="-1"', 'shape="9999999999,9999999999"', 'element_type="f64"'),
    *("-1", "0", "2147483648", "18446744073709551615", "99999999999999999999", "u4", "string"),
    *("<layer>" * 3000, "</layers>", "<edges>", "Const", "Parameter", "Loop", "TensorIterator"),
)


@dataclass(frozen=True)
class Network:
    """Three files that fit together."""

    graph: bytes
    constants: bytes
    weights: bytes


@cache
def network() -> Network:
    """A small convolutional network as a bundle holds it."""
    import openvino as ov
    from openvino import opset13 as ops

    rng = np.random.default_rng(0)
    tensors = {
        "conv": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "head": rng.normal(size=(8, 4)).astype(np.float16),
    }
    x = ops.parameter([-1, 3, 8, 8], np.float32)
    conv = ops.parameter([4, 3, 3, 3], np.float32)
    head = ops.parameter([8, 4], np.float32)
    for parameter, name in ((x, "x"), (conv, "conv"), (head, "head")):
        parameter.set_friendly_name(name)  # by which a bundle finds its tensors
    maps = ops.relu(ops.convolution(x, conv, [1, 1], [0, 0], [0, 0], [1, 1]))
    pooled = ops.reduce_mean(maps, np.array([2, 3], np.int64), False)
    output = ops.matmul(pooled, head, False, True)
    model = ov.Model([output], [x, conv, head], "tiny")
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "graph.xml"
        ov.serialize(model, graph)
        constants = graph.with_suffix(".bin").read_bytes()
        return Network(graph.read_bytes(), constants, save(tensors))


def graph_case(rng: random.Random) -> bytes:
    """A structure with words of XML where they do not belong."""
    text = network().graph.decode()
    if rng.random() < 0.3:
        return text_case(lambda: (text,), rng)
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.5:
            start = rng.choice([i for i, c in enumerate(text) if c == '"'] or [0]) + 1
            stop = max(start, text.find('"', start))
        else:
            start = rng.randrange(len(text))
            stop = start + rng.choice((0, 1, 5, 100))
        text = text[:start] + rng.choice(_XML_WORDS) + text[stop:]
    return text.encode()


def weights_case(rng: random.Random) -> bytes:
    """A safetensors file: its JSON head changed, or any byte."""
    seed = network().weights
    if rng.random() < 0.3:
        return mutated(rng, seed, [seed])
    length = int.from_bytes(seed[:8], "little")
    head = json.dumps(json.loads(seed[8 : 8 + length])).encode()
    changed = mutated(rng, head, [head])
    if rng.random() < 0.6:
        changed = text_case(lambda: (head.decode(),), rng)
    stated = len(changed) if rng.random() < 0.8 else rng.choice((0, 1, 2**31, 2**63, 2**64 - 1))
    return struct.pack("<Q", stated) + changed + seed[8 + length :]


@cache
def _crops() -> tuple[bytes, ...]:
    image = Image.new("RGB", (112, 112), (90, 60, 30))
    return tuple(pictures.encoded(image, kind) for kind in ("PNG", "WEBP", "JPEG", "BMP"))


@cache
def _archives() -> tuple[bytes, ...]:
    return tuple(_archive(_crops()[:3], method) for method in (0, zipfile.ZIP_DEFLATED))


def _archive(crops: tuple[bytes, ...], method: int = 0) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for number, crop in enumerate(crops):
            archive.writestr(f"person{number % 2}/{number}.png", crop)
    return stream.getvalue()


def archive_case(rng: random.Random) -> bytes:
    """An archive with changed bytes, or a sound one of changed crops."""
    if rng.random() < 0.5:
        return mutated(rng, rng.choice(_archives()), _archives())
    if rng.random() < 0.3:
        return _archive((pictures.case(rng),))
    return _archive((mutated(rng, rng.choice(_crops()), _crops()),), zipfile.ZIP_DEFLATED)
