"""The model bundle: a folder with everything that a network needs to run and be judged.

    model.safetensors   the weights, float16 or float32: to run, and to train on
    graph.xml           the network's structure as OpenVINO IR, without weights: each weight
                        is an input named after its tensor in model.safetensors
    graph.bin           the structure's small constants (shapes, axes)
    card.json           what it is, what it was trained on and under which terms, figures;
                        false matches by groups of people, if measured (group_errors.py)
    calibration.json    its threshold (absent until it was calibrated)

Because the structure refers to the weights by name, they are on disk once, and the form to
train on and the form to run cannot drift apart.

The fingerprint is the SHA-256 over weights, architecture, preprocessing and alignment: all
that decides what a template is. The structure is not part of it, because exporters of
different versions write the same network differently; the card states the SHA-256 of each
file instead. Both are computed at every load, so a changed byte never runs under the old name.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facematch.embedding import graph
from facematch.errors import ModelFormatError, ModelHashError
from facematch.runtime import NetworkSource
from facematch.types import Alignment, ModelIdentity

CARD_SCHEMA = 1
WEIGHTS, GRAPH, CONSTANTS, CARD = "model.safetensors", "graph.xml", "graph.bin", "card.json"
NETWORK_FILES = (WEIGHTS, GRAPH, CONSTANTS)
CALIBRATION = "calibration.json"
LARGEST_CARD_BYTES = 1 << 20
LARGEST_EMBEDDING = 1 << 16


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From crop to network input: ``(pixel - mean) * scale``, RGB.

    Attributes:
        mean: grey level subtracted from each channel.
        scale: factor after it.
        mirror: whether the template is the mean over the crop and its mirror image.
    """

    mean: float
    scale: float
    mirror: bool

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean) or not math.isfinite(self.scale) or self.scale == 0:
            raise ValueError(f"mean and scale must be finite, scale not 0: {self}")


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """A checked bundle.

    Attributes:
        path: of the folder.
        identity: name, fingerprint, embedding size.
        preprocessing: of the pixels.
        alignment: how faces are cut for it.
        architecture: name in ``facematch.embedding.networks.NETWORKS``.
        files_sha256: digest over the network files, for caches of compiled forms.
        card: the whole card, for people.
    """

    path: Path
    identity: ModelIdentity
    preprocessing: Preprocessing
    alignment: Alignment
    architecture: str
    files_sha256: str
    card: dict[str, Any]

    @property
    def calibration_path(self) -> Path:
        """Where the bundle's own calibration is, or would be."""
        return self.path / CALIBRATION

    def source(self) -> NetworkSource:
        """The network: uint8 (n, size, size, 3) RGB -> float32 (n, embedding_size)."""
        return NetworkSource(
            name=self.identity.name,
            key=f"{self.identity.fingerprint} {self.files_sha256}",
            openvino_model=lambda: graph.bound_model(
                self.path / GRAPH,
                self.path / CONSTANTS,
                self.path / WEIGHTS,
                self.preprocessing.mean,
                self.preprocessing.scale,
            ),
            torch_module=lambda: graph.torch_module(
                self.architecture,
                self.path / WEIGHTS,
                self.preprocessing.mean,
                self.preprocessing.scale,
            ),
        )

    def trainable_network(self) -> Any:
        """The network in torch, to go on training: float (n, 3, s, s) -> (n, d)."""
        return graph.trainable_network(self.architecture, self.path / WEIGHTS)


def fingerprint(
    weights_sha256: str, architecture: str, preprocessing: Preprocessing, alignment: Alignment
) -> str:
    """SHA-256 over weights, architecture, preprocessing and alignment, in hexadecimal."""
    parts = {
        "weights": weights_sha256,
        "architecture": architecture,
        "preprocessing": asdict(preprocessing),
        "alignment": asdict(alignment),
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"facematch fingerprint 1\0{canonical}".encode()).hexdigest()


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each network file, in hexadecimal.

    Raises:
        ModelFormatError: a file is missing or unreadable.
    """
    hashes = {}
    for name in NETWORK_FILES:
        try:
            with (folder / name).open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelFormatError(
                f"{folder / name}: cannot be read ({error.strerror}); a model bundle needs "
                f"{', '.join((*NETWORK_FILES, CARD))}"
            ) from error
    return hashes


def load_bundle(folder: Path) -> ModelBundle:
    """Opens a bundle and checks its files against its card.

    Raises:
        ModelFormatError: a file is missing, or the card does not follow its schema.
        ModelHashError: the files are not those the card was written for.
    """
    card = _read_card(folder / CARD)
    try:
        if card["schema"] != CARD_SCHEMA:
            raise ModelFormatError(
                f"{folder / CARD}: schema {card['schema']}; this facematch reads {CARD_SCHEMA}"
            )
        preprocessing = Preprocessing(
            mean=float(card["preprocessing"]["mean"]),
            scale=float(card["preprocessing"]["scale"]),
            mirror=_boolean(card["preprocessing"]["mirror"]),
        )
        points = tuple((float(x), float(y)) for x, y in card["alignment"]["points_xy"])
        alignment = Alignment(
            str(card["alignment"]["kind"]), int(card["alignment"]["size"]), points
        )
        identity = ModelIdentity(
            str(card["name"]), str(card["fingerprint"]), int(card["embedding_size"])
        )
        architecture = str(card["architecture"])
        stated = {name: str(card["files"][name]) for name in NETWORK_FILES}
        if not 1 <= identity.embedding_size <= LARGEST_EMBEDDING:
            raise ValueError(f"embedding_size {identity.embedding_size}")
        if not all(math.isfinite(value) for point in points for value in point):
            raise ValueError(f"points_xy {points}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFormatError(
            f"{folder / CARD}: not a model card of schema {CARD_SCHEMA} ({error!r})"
        ) from error
    hashes = file_hashes(folder)
    computed = fingerprint(hashes[WEIGHTS], architecture, preprocessing, alignment)
    if hashes != stated or computed != identity.fingerprint:
        raise ModelHashError(
            f"{folder}: the files do not match the card; the bundle is damaged "
            "or was changed: install it again"
        )
    files_sha256 = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()
    return ModelBundle(folder, identity, preprocessing, alignment, architecture, files_sha256, card)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {value!r}")
    return value


def _read_card(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_CARD_BYTES + 1)
    except OSError as error:
        raise ModelFormatError(
            f"{path}: cannot be read ({error.strerror}); a model bundle is a folder with "
            f"{', '.join((*NETWORK_FILES, CARD))}"
        ) from error
    try:
        if len(content) > LARGEST_CARD_BYTES:
            raise ValueError("over 1 MiB")
        card = json.loads(content)
        if not isinstance(card, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"{path}: not a model card ({error})") from error
    return card
