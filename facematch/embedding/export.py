"""Writing a bundle from a torch network. Imports torch when called."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facematch.embedding.bundle import (
    CARD,
    CARD_SCHEMA,
    CONSTANTS,
    GRAPH,
    NETWORK_FILES,
    WEIGHTS,
    ModelBundle,
    Preprocessing,
    file_hashes,
    fingerprint,
    load_bundle,
)
from facematch.errors import ModelFormatError, OutputError
from facematch.types import Alignment

_COUNTED_NAME = re.compile(r"[A-Za-z0-9]+_\d+")
# Cosine between torch's and the exported network's output below which an export is refused.
LEAST_PARITY = 0.9999


def export_bundle(
    network: Any,
    folder: Path,
    *,
    name: str,
    architecture: str,
    embedding_size: int,
    preprocessing: Preprocessing,
    alignment: Alignment,
    about: Mapping[str, Any],
    half: bool = True,
) -> ModelBundle:
    """Writes a bundle, checks that it runs as the torch network does, and opens it.

    Args:
        network: ``torch.nn.Module``, float (n, 3, s, s) -> (n, d). It is left in evaluation
            mode with the stored (rounded) weights.
        folder: to write; a bundle that is there is replaced, anything else is not.
        name: of the model.
        architecture: its name in ``facematch.embedding.networks.NETWORKS``.
        embedding_size: d.
        preprocessing: of the pixels.
        alignment: of the faces.
        about: further entries of the card: training, terms, results.
        half: store the weights in float16.

    Raises:
        ModelFormatError: the network cannot be exported, or the exported form differs.
        OutputError: the folder cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    refuse_foreign(folder)
    network.eval()
    state = {key: value.detach().clone() for key, value in network.state_dict().items()}
    stored = {
        key: value.half() if half and value.is_floating_point() else value
        for key, value in state.items()
    }
    network.load_state_dict({key: stored[key].to(value.dtype) for key, value in state.items()})
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        save_file({k: v.contiguous() for k, v in stored.items()}, partial / WEIGHTS)
        (partial / WEIGHTS).chmod(0o644)  # safetensors writes it for the owner alone
        _write_graph(network, partial, alignment.size)
        hashes = file_hashes(partial)
        card = {
            "schema": CARD_SCHEMA,
            "name": name,
            "architecture": architecture,
            "embedding_size": embedding_size,
            "preprocessing": asdict(preprocessing),
            "alignment": asdict(alignment),
            "fingerprint": fingerprint(hashes[WEIGHTS], architecture, preprocessing, alignment),
            "files": hashes,
            **about,
        }
        (partial / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")
        _check_parity(network, load_bundle(partial))
        _move_into_place(partial, folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    except SafetensorError as error:  # wraps the system's error when the disk is full
        raise OutputError(f"{folder}: cannot be written ({error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return load_bundle(folder)


def refuse_foreign(folder: Path) -> None:
    """Only a bundle, whole or damaged, is ever replaced.

    Raises:
        OutputError: something else is there.
    """
    parts = [folder / name for name in (CARD, *NETWORK_FILES)]
    if folder.is_dir() and any(folder.iterdir()) and not any(part.exists() for part in parts):
        raise OutputError(
            f"{folder}: holds something that is not a model bundle; move it, or choose another name"
        )


def _move_into_place(partial: Path, folder: Path) -> None:
    """Renames. An old bundle is moved aside first and deleted last, so it is never half there."""
    partial.chmod(0o755)
    if not folder.is_dir():
        partial.replace(folder)
        return
    old = partial.with_name(f"{partial.name}.old")
    folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old)


def _write_graph(network: Any, folder: Path, size: int) -> None:
    """Traces the network and saves its structure with weights turned into named inputs.

    Raises:
        ModelFormatError: the network does not fit the graph.
        OutputError: the graph cannot be written.
    """
    import openvino as ov
    import torch
    from openvino import opset13 as ops
    from openvino.frontend import FrontEndManager, GeneralFailure, OpConversionFailure
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    # The front end alone, without ov.convert_model's passes: those fold normalisation into
    # convolutions, after which the constants are no longer the tensors of the state dict.
    example = torch.zeros(2, 3, size, size)
    try:
        with warnings.catch_warnings():
            # Tracing warns of each shape that becomes a constant, and that it is deprecated.
            # The size of crops is to be one; the parity check runs another batch size.
            warnings.simplefilter("ignore")
            decoder = TorchScriptPythonDecoder(
                network,
                example_input=example,
                trace_kwargs={"check_trace": False},  # the parity check is the stricter one
            )
        front_end = FrontEndManager().load_by_framework("pytorch")
        model = front_end.convert(front_end.load(decoder))
    except (RuntimeError, GeneralFailure, OpConversionFailure) as error:
        reason = str(error).strip().splitlines()[-1].lstrip("- ")
        raise ModelFormatError(f"export: the network cannot be converted ({reason})") from error
    model.inputs[0].get_node().set_friendly_name("x")
    model.reshape({model.inputs[0]: ov.PartialShape([-1, 3, size, size])})
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = []
    for node in model.get_ops():
        key = node.get_friendly_name().removeprefix("self.")
        if node.get_type_name() != "Constant" or key not in shapes:
            continue
        if tuple(node.get_output_shape(0)) != shapes[key]:
            raise ModelFormatError(f"export: tensor {key} changed its shape in the graph")
        parameter = ops.parameter(shapes[key], np.float32, name=key)
        node.output(0).replace(parameter.output(0))
        weights.append(parameter)
    model.add_parameters(weights)
    _name_by_position(model)
    try:
        ov.serialize(model, folder / GRAPH, folder / CONSTANTS)
    except RuntimeError as error:
        raise OutputError(f"{folder / GRAPH}: cannot be written") from error


def _name_by_position(model: Any) -> None:
    """Replaces names that OpenVINO counts up through the life of a process.

    The same network then has the same structure file, and with it the same fingerprint, at
    every export by the same versions of torch and OpenVINO.
    """
    model.set_friendly_name("network")
    for index, node in enumerate(model.get_ordered_ops()):
        kind = node.get_type_name()
        if kind != "Parameter" and _COUNTED_NAME.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{kind}_at_{index}")
            with contextlib.suppress(KeyError):
                del node.get_rt_info()["fused_names_0"]


def _check_parity(network: Any, bundle: ModelBundle) -> None:
    """Runs both forms on noise with the statistics of pictures.

    Raises:
        ModelFormatError: they differ.
    """
    import torch

    from facematch.runtime import Device, open_engine

    size = bundle.alignment.size
    seed = int.from_bytes(hashlib.sha256(bundle.identity.name.encode()).digest()[:4], "little")
    pixels = np.random.default_rng(seed).integers(0, 256, (4, size, size, 3), np.uint8)
    (exported,) = open_engine(Device.CPU).load(bundle.source())(pixels)
    normal = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - bundle.preprocessing.mean
    with torch.no_grad():
        wanted = network(normal * bundle.preprocessing.scale)
    cosine = torch.nn.functional.cosine_similarity(torch.from_numpy(exported), wanted)
    if not bool((cosine > LEAST_PARITY).all()):
        raise ModelFormatError(
            f"export: the runtime form differs from the torch network (cosine {cosine.min():.5f})"
        )
