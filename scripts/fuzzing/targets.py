"""What is read, by which part of facematch, and how often."""

from __future__ import annotations

import contextlib
import hashlib
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gallery_torture.world import IDENTITY, Entry

from facematch.calibration import load_calibration, load_pairs
from facematch.embedding import graph as networks
from facematch.embedding.bundle import load_bundle
from facematch.errors import FacematchError, InputError, UnknownSubjectError
from facematch.gallery import Gallery, import_templates
from facematch.gallery.exchange.hdf5 import read_described
from facematch.gallery.exchange.inspection import describe
from facematch.gallery.opening import open_damaged
from facematch.imaging.decode import DEFAULT_LIMITS, decode_image
from facematch.training.data.archives import ArchiveSource
from facematch.training.data.manifests import manifest_source
from facematch.training.recipe import recipe_from
from facematch.types import Metric
from facematch.workflows.enroll import plan_enrolment
from facematch.workflows.evaluate.store import is_result, load_system
from fuzzing import hdf5, pictures, texts
from fuzzing import networks as network_files

# Exported templates are described by a process of their own, which takes as long as hundreds of
# other cases: so most are described in the one that tries the cases.
_DESCRIBED_APART_EVERY = 200


class WrongAnswerError(Exception):
    """What was read is not what the reader promises."""


@dataclass(frozen=True)
class Target:
    """One kind of file.

    Attributes:
        name: of it.
        share: of the cases, relative to the other targets'.
        case: makes the content of one file.
        read: reads a file with this content; the folder is the process's own.
        suffix: of the file's name.
        silent: whether the codecs must be; OpenCV's say what is wrong with a training crop, and
            nobody hears what a child process says.
        apart: whether facematch reads it in a child process, whose end by a signal is a refusal.
    """

    name: str
    share: int
    case: Callable[[random.Random], bytes]
    read: Callable[[bytes, Path], None]
    suffix: str
    silent: bool = True
    apart: bool = False


def _written(content: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _read_picture(content: bytes, folder: Path) -> None:
    image = decode_image(content, "hostile")
    sound = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if not sound or not 0 < image.size <= 3 * DEFAULT_LIMITS.max_pixels:
        raise WrongAnswerError(f"{image.dtype} {image.shape}")


def _read_pairs(content: bytes, folder: Path) -> None:
    load_pairs(_written(content, folder, "pairs.csv"))


def _read_gallery(content: bytes, folder: Path) -> None:
    path = _written(content, folder, "g.h5")
    try:
        with Gallery.open(path, IDENTITY) as gallery:
            gallery.verify()
            gallery.search(Entry("Ada", 1).template()[None], 3, Metric.COSINE)
            for row in range(len(gallery)):
                gallery.reference(row)
            with contextlib.suppress(UnknownSubjectError):
                gallery.find_subject("Ada")
            _ = gallery.distinct
    finally:
        with path.open("rb") as file:
            open_damaged(file, path)  # as a repair does


def _read_templates(content: bytes, folder: Path) -> None:
    path = _written(content, folder, "t.h5")
    if zlib.crc32(content) % _DESCRIBED_APART_EVERY == 0:
        import_templates(path, IDENTITY, subject="Ada")
        return
    with path.open("rb") as file:
        read_described(file, path, describe(file))


def _bundle(folder: Path) -> tuple[Path, dict[str, str]]:
    """A folder with the network files in it."""
    place = folder / "bundle"
    files = network_files.network()
    contents = {
        "model.safetensors": files.weights,
        "graph.xml": files.graph,
        "graph.bin": files.constants,
    }
    if not place.exists():
        place.mkdir()
        for name, content in contents.items():
            (place / name).write_bytes(content)
    return place, {name: hashlib.sha256(c).hexdigest() for name, c in contents.items()}


def _read_card(content: bytes, folder: Path) -> None:
    place, hashes = _bundle(folder)
    (place / "card.json").write_bytes(texts.stamped_card(content, hashes))
    load_bundle(place)


def _read_graph(content: bytes, folder: Path) -> None:
    place, _ = _bundle(folder)
    path = _written(content, folder, "graph.xml")
    networks.bound_model(path, place / "graph.bin", place / "model.safetensors", 127.5, 1 / 128)


def _read_weights(content: bytes, folder: Path) -> None:
    place, _ = _bundle(folder)
    path = _written(content, folder, "model.safetensors")
    networks.bound_model(place / "graph.xml", place / "graph.bin", path, 127.5, 1 / 128)


def _read_calibration(content: bytes, folder: Path) -> None:
    calibration = load_calibration(_written(content, folder, "c.json"))
    for distance in (-1.0, 0.0, 0.5, 2.0, 1e300):
        probability = calibration.probability(distance)
        if probability is not None and not 0 < probability < 1:
            raise WrongAnswerError(f"probability {probability}")


def _read_recipe(content: bytes, folder: Path) -> None:
    recipe_from({}, _written(content, folder, "r.toml"))


def _read_manifest(content: bytes, folder: Path) -> None:
    path = _written(content, folder, "list.csv")
    try:
        plan_enrolment([path], None)
    finally:
        manifest_source(path, "list.csv", None)


def _read_archive(content: bytes, folder: Path) -> None:
    source = ArchiveSource(_written(content, folder, "crops.zip"), "crops.zip")
    try:
        for picture in source.pictures[:8]:
            try:
                source.read(picture)
            except InputError as error:
                require_one_line(error)
    finally:
        source.close()


def _read_result(content: bytes, folder: Path) -> None:
    path = _written(content, folder, "r.json")
    is_result(path)
    load_system(path)


def require_one_line(error: FacematchError) -> None:
    """A refusal is one line.

    Raises:
        WrongAnswerError: it is none or several.
    """
    if len(str(error).splitlines()) != 1:
        raise WrongAnswerError(f"a refusal of several lines: {str(error)[:300]!r}")


TARGETS = (
    Target("pictures", 47, pictures.case, _read_picture, ".picture"),
    Target("pairs", 10, texts.pairs_case, _read_pairs, ".csv"),
    Target("gallery", 3, hdf5.gallery_case, _read_gallery, ".h5"),
    Target("templates", 5, hdf5.templates_case, _read_templates, ".h5", silent=False, apart=True),
    Target("card", 8, texts.card_case, _read_card, ".json"),
    Target("graph", 3, network_files.graph_case, _read_graph, ".xml"),
    Target("weights", 3, network_files.weights_case, _read_weights, ".safetensors"),
    Target("calibration", 8, texts.calibration_case, _read_calibration, ".json"),
    Target("recipe", 4, texts.recipe_case, _read_recipe, ".toml"),
    Target("manifest", 4, texts.manifest_case, _read_manifest, ".csv"),
    Target("archive", 3, network_files.archive_case, _read_archive, ".zip", silent=False),
    Target("result", 2, texts.result_case, _read_result, ".json"),
)
