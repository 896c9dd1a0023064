"""Write a model in a form that other programs run, and show that it decides the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facematch.calibration import load_calibration
from facematch.choices import Metric, NetworkForm
from facematch.embedding import Embedder, ModelBundle, find_model
from facematch.errors import (
    MissingExtraError,
    ModelFormatError,
    OutputError,
    TrainingDataError,
    UsageError,
)
from facematch.imaging.decode import load_photograph
from facematch.imaging.paths import find_photographs
from facematch.metrics.decision import accepts
from facematch.metrics.distances import pairwise
from facematch.runtime import Device, open_engine
from facematch.runtime.openvino_import import shared_core
from facematch.types import Float32Array, UInt8Array

# Cosine between the bundle's and the exported form's template below which an export is refused.
LEAST_PARITY = 0.9999
NOISE_FACES = 64
MOST_CROPS = 1000


@dataclass(frozen=True, slots=True)
class ExportResult:
    """An exported network beside the bundle that it was made from.

    Attributes:
        path: what was written.
        form: of the network.
        faces: crops that both forms were compared on.
        least_cosine: smallest cosine between their templates.
        threshold: at which decisions were compared; None without a calibration.
        pairs: comparisons among those crops.
        changed_decisions: how many of them the exported form decides otherwise.
        accuracy: share of the comparisons that bundle and exported form decide rightly; None
            unless the crops lie in a folder per person and there is a threshold.
    """

    path: Path
    form: NetworkForm
    faces: int
    least_cosine: float
    threshold: float | None
    pairs: int
    changed_decisions: int
    accuracy: tuple[float, float] | None = None


def export_model(
    model: str, output: Path | None, form: NetworkForm, crops: Path | None
) -> ExportResult:
    """Exports a model by name, comparing decisions at its own threshold.

    Args:
        model: name, or folder of a bundle.
        output: file to write; None for the model's name in the working folder.
        form: of the network.
        crops: folder of aligned faces.

    Raises:
        FacematchError: as :func:`export_network`, and if the model or the crops cannot be used.
    """
    bundle = find_model(model)
    suffix = ".onnx" if form is NetworkForm.ONNX else ".xml"
    if output is None:
        output = Path(f"{bundle.identity.name}{suffix}")
    if output.suffix.lower() != suffix:
        raise UsageError(f"{output}: {form} is written to a file that ends in {suffix}")
    images, people = (None, None)
    if crops is not None:
        images, people = _read_crops(crops, bundle.alignment.size)
    threshold = None
    if bundle.calibration_path.exists():
        calibration = load_calibration(bundle.calibration_path)
        threshold = calibration.threshold if calibration.metric is Metric.COSINE else None
    return export_network(
        bundle, output, form, crops_rgb=images, people=people, threshold=threshold
    )


def _read_crops(folder: Path, size: int) -> tuple[UInt8Array, tuple[str, ...] | None]:
    """Aligned faces of a folder, uint8 (n, size, size, 3), and whose they are.

    Whose is None unless they lie in folders of their own, one for each person.
    """
    crops, people = [], []
    for path in find_photographs([folder])[:MOST_CROPS]:
        image = load_photograph(path).image_rgb
        if image.shape != (size, size, 3):
            raise TrainingDataError(
                f"{path}: is {image.shape[1]}x{image.shape[0]} pixels, not {size}x{size}; cut "
                "faces with facematch align"
            )
        crops.append(image)
        people.append(path.relative_to(folder).parent.as_posix())
    if not crops:
        raise TrainingDataError(f"{folder}: holds no pictures; cut faces with facematch align")
    return np.stack(crops), None if "." in people else tuple(people)


def export_network(
    bundle: ModelBundle,
    output: Path,
    form: NetworkForm,
    *,
    crops_rgb: UInt8Array | None = None,
    people: Sequence[str] | None = None,
    threshold: float | None = None,
) -> ExportResult:
    """Writes the network of a bundle and compares both forms.

    The exported network takes uint8 pixels, (n, size, size, 3) RGB, and gives float32
    (n, d) embeddings that are not normalised. Preprocessing is inside it.

    Args:
        bundle: the model.
        output: ``.onnx``, or ``.xml`` for OpenVINO, which writes a ``.bin`` beside it.
        form: of the network; int8 is quantised after training on ``crops_rgb``.
        crops_rgb: uint8 (n, size, size, 3) aligned faces to compare on, and to calibrate int8
            with; noise with the statistics of pictures if None.
        people: whose face each crop is, if that is known.
        threshold: cosine distance at which decisions are compared.

    Raises:
        MissingExtraError: the package for the form is not installed.
        ModelFormatError: the exported form gives other templates.
        TrainingDataError: int8 without crops.
        OutputError: the file cannot be written.
    """
    size = bundle.alignment.size
    if crops_rgb is None:
        if form is NetworkForm.INT8:
            raise TrainingDataError("int8 needs aligned faces to calibrate with; give --crops DIR")
        seed = int.from_bytes(hashlib.sha256(bundle.identity.name.encode()).digest()[:4], "little")
        noise = np.random.default_rng(seed)
        crops_rgb = noise.integers(0, 256, (NOISE_FACES, size, size, 3), np.uint8)
    wanted = Embedder(bundle, open_engine(Device.CPU)).embed(crops_rgb)
    with tempfile.TemporaryDirectory(prefix="facematch-export-") as folder:
        partial = Path(folder) / output.name
        write, run = _FORMS[form]
        write(bundle, partial, crops_rgb)
        found = run(partial, crops_rgb)
        cosines = np.einsum("ij,ij->i", wanted, found)
        if form is not NetworkForm.INT8 and not cosines.min() >= LEAST_PARITY:
            raise ModelFormatError(
                f"{output}: the exported network gives other templates than {bundle.path} "
                f"(cosine {cosines.min():.5f}); nothing was written"
            )
        _move(Path(folder), output)
    first, second = np.triu_indices(len(wanted), 1)
    changed, accuracy = 0, None
    if threshold is not None:
        as_bundle, as_exported = (
            accepts(pairwise(t, t, Metric.COSINE)[first, second], threshold)
            for t in (wanted, found)
        )
        changed = int((as_bundle != as_exported).sum())
        if people is not None:
            names = np.array(people)
            same = names[first] == names[second]
            accuracy = (float((as_bundle == same).mean()), float((as_exported == same).mean()))
    return ExportResult(
        output,
        form,
        len(crops_rgb),
        float(cosines.min()),
        threshold,
        len(first),
        changed,
        accuracy,
    )


def _move(folder: Path, output: Path) -> None:
    """Moves all files of a folder beside ``output``, the named one last."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir(), key=lambda path: path.name == output.name):
            shutil.move(path, output.parent / path.name)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror})") from error


def _write_openvino(bundle: ModelBundle, path: Path, crops_rgb: UInt8Array) -> None:
    import openvino as ov

    ov.save_model(bundle.source().openvino_model(), path, compress_to_fp16=False)


def _run_openvino(path: Path, crops_rgb: UInt8Array) -> Float32Array:
    compiled = shared_core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return _unit(lambda batch: compiled([batch])[0], crops_rgb)


def _write_onnx(bundle: ModelBundle, path: Path, crops_rgb: UInt8Array) -> None:
    import warnings

    import torch

    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "ONNX needs the package onnx: pip install 'facematch[export]'"
        ) from error
    module = bundle.source().torch_module()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter by tracing, which needs no onnxscript
        torch.onnx.export(
            module,
            (torch.from_numpy(crops_rgb[:2]),),
            str(path),
            dynamo=False,
            input_names=["pixels"],
            output_names=["embedding"],
            dynamic_axes={"pixels": {0: "n"}, "embedding": {0: "n"}},
            opset_version=17,
        )
    model = onnx.load(str(path))
    card = {"name": bundle.identity.name, "fingerprint": bundle.identity.fingerprint}
    model.metadata_props.append(
        onnx.StringStringEntryProto(key="facematch", value=json.dumps(card))
    )
    onnx.save(model, str(path))


def _write_int8(bundle: ModelBundle, path: Path, crops_rgb: UInt8Array) -> None:
    try:
        import nncf
    except ImportError as error:
        raise MissingExtraError(
            "int8 needs the package nncf: pip install 'facematch[export]'"
        ) from error
    import openvino as ov

    crops = [crops_rgb[row : row + 1] for row in range(len(crops_rgb))]
    with contextlib.redirect_stdout(sys.stderr):  # where it draws its progress bars
        quantised = nncf.quantize(
            bundle.source().openvino_model(), nncf.Dataset(crops), subset_size=len(crops)
        )
    ov.save_model(quantised, path)


def _unit(run: Callable[[UInt8Array], Any], crops_rgb: UInt8Array) -> Float32Array:
    parts = [
        np.asarray(run(crops_rgb[i : i + 32]), np.float32) for i in range(0, len(crops_rgb), 32)
    ]
    raw = np.concatenate(parts)
    return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), np.float32)


_FORMS = {
    NetworkForm.ONNX: (_write_onnx, _run_openvino),
    NetworkForm.OPENVINO: (_write_openvino, _run_openvino),
    NetworkForm.INT8: (_write_int8, _run_openvino),
}
