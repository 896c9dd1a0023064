"""Installing, listing, showing and checking models."""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.choices import DEFAULT_MODEL, Architecture
from facematch.embedding.bundle import CARD, WEIGHTS, ModelBundle, load_bundle
from facematch.embedding.cost import NetworkCost as NetworkCost
from facematch.embedding.cost import cost_of_architecture, cost_of_bundle
from facematch.embedding.download import Progress, download
from facematch.embedding.embedder import Embedder
from facematch.embedding.group_errors import ErrorRatesByGroup, error_rates_by_group
from facematch.embedding.install import SOURCE_SHA256, install_published
from facematch.embedding.pins import PINS, is_sha256, read_pins
from facematch.embedding.published import LARGEST_FILE_BYTES, PUBLISHED, PublishedModel
from facematch.embedding.registry import find_model, installed_models, models_dir
from facematch.errors import (
    DownloadError,
    ModelError,
    ModelFormatError,
    ModelHashError,
    OutputError,
    UnknownModelError,
    UsageError,
)
from facematch.runtime import Device, open_engine

DOWNLOADS = ".downloads"
LOCK = ".lock"
# Of a template's norm, in float32.
LARGEST_NORM_ERROR = 1e-5
# State that batch normalisation keeps beside what was learned.
_BUFFERS = (".running_mean", ".running_var", ".num_batches_tracked")


@dataclass(frozen=True, slots=True)
class PullResult:
    """A published model that is now installed.

    Attributes:
        bundle: the model.
        sha256: of the published file that it was made from.
        already_installed: whether it was here before, sound, and nothing was done.
    """

    bundle: ModelBundle
    sha256: str
    already_installed: bool


@dataclass(frozen=True, slots=True)
class ModelListing:
    """A model that is installed or can be pulled.

    Attributes:
        name: as ``--model`` takes it.
        description: one line; empty if the card has none.
        default: whether commands use it without ``--model``.
        path: of the bundle, None if it is not installed.
        size_bytes: of the bundle on disk.
        fingerprint: of the files as they are, None if not installed or unsound.
        calibrated: whether the bundle has a calibration of its own.
        problem: why an installed bundle cannot be used, else None.
    """

    name: str
    description: str
    default: bool
    path: Path | None = None
    size_bytes: int | None = None
    fingerprint: str | None = None
    calibrated: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file of a bundle."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """What ``models show`` tells.

    Attributes:
        bundle: the model with its card.
        parameters: how many numbers were learned.
        files: of the bundle, by name.
        calibrated: whether the bundle has a calibration of its own.
        cost: of one face, if it was measured.
        groups: false matches within groups of people, if the card states them.
    """

    bundle: ModelBundle
    parameters: int
    files: tuple[BundleFile, ...]
    calibrated: bool
    cost: NetworkCost | None = None
    groups: ErrorRatesByGroup | None = None


@dataclass(frozen=True, slots=True)
class NetworkDetails:
    """What ``models show`` tells of a network that can be trained.

    Attributes:
        name: as ``train --network`` takes it.
        description: one line, with the paper.
        cost: of one face.
    """

    name: str
    description: str
    cost: NetworkCost


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """A model whose files are those of its card and whose network runs.

    Attributes:
        bundle: the model.
        device: where the network ran, for a person.
        norm_error: largest ``|norm - 1|`` of the templates of noise.
        elapsed_s: of loading and running the network.
    """

    bundle: ModelBundle
    device: str
    norm_error: float
    elapsed_s: float


def pull_model(
    name: str,
    *,
    from_file: Path | None = None,
    trust: str | None = None,
    confirm: Callable[[str], bool] | None = None,
    progress: Progress | None = None,
    url: str | None = None,
) -> PullResult:
    """Installs a published model, unless it is installed and sound.

    A file whose SHA-256 is pinned, by facematch or by an earlier pull, must have it. Any
    other is accepted if ``trust`` is its hash or ``confirm`` agrees, and pinned then.

    Args:
        name: a key of ``PUBLISHED``.
        from_file: the published file, fetched by other means; None to download it.
        trust: hexadecimal SHA-256 that the user vouches for.
        confirm: asked with the file's SHA-256 when none is known; None if nobody can be.
        progress: of the download.
        url: where to download it instead of from where it is published.

    Raises:
        UnknownModelError: no such model is published.
        UsageError: ``trust`` is not a SHA-256.
        DownloadError: it cannot be fetched, or another pull is running.
        ModelHashError: it is not the pinned file, or not one that anybody vouched for.
        ModelFormatError: it holds no such network, or the name is taken by another model.
        OutputError: the folder of models cannot be written.
    """
    if name not in PUBLISHED:
        raise UnknownModelError(
            f"there is no published model {name!r}; choose from {', '.join(sorted(PUBLISHED))}"
        )
    published = PUBLISHED[name]
    root = models_dir()
    with _only_writer(root):
        expected = _expected_sha256(published, root, trust)
        present = _present(root / name, expected)
        if present is not None:
            return PullResult(present, str(present.card[SOURCE_SHA256]), already_installed=True)
        address = published.url if url is None else url
        file = root / DOWNLOADS / published.file_name if from_file is None else from_file
        if from_file is None and (expected is None or not _is_file_of(file, expected)):
            download(
                address, file, largest_bytes=LARGEST_FILE_BYTES, sha256=expected, progress=progress
            )
        try:
            bundle = install_published(
                published,
                file,
                root,
                source_url=address,
                expected_sha256=expected,
                confirm=confirm,
            )
        except (ModelFormatError, ModelHashError):
            # With nobody to ask, the download stays for the next run with --trust.
            if from_file is None and not (expected is None and confirm is None):
                _discard(file)
            raise
        if from_file is None:
            _discard(file)
        return PullResult(bundle, str(bundle.card[SOURCE_SHA256]), already_installed=False)


def list_models() -> tuple[ModelListing, ...]:
    """Every installed model, the bundled ones first, then those that can be pulled."""
    installed = installed_models()
    listings = [_listing(name, folder) for name, folder in installed.items()]
    listings += [
        ModelListing(name, model.description, default=False)
        for name, model in PUBLISHED.items()
        if name not in installed
    ]
    return tuple(listings)


def show_model(name: str = DEFAULT_MODEL, *, measure: bool = False) -> ModelDetails:
    """Opens a model and says what it is made of.

    Args:
        name: of the model, or the folder of a bundle.
        measure: whether to count and time its network, which takes two seconds.

    Raises:
        UnknownModelError: there is no such model.
        ModelFormatError, ModelHashError: it is unsound.
    """
    bundle = find_model(name)
    return ModelDetails(
        bundle,
        _count_parameters(bundle.path / WEIGHTS),
        _files(bundle.path),
        bundle.calibration_path.is_file(),
        cost_of_bundle(bundle) if measure else None,
        error_rates_by_group(bundle.card),
    )


def is_network(name: str) -> bool:
    """Whether the name is that of a network to train, and of no installed model."""
    return name in set(Architecture) and name not in installed_models()


def show_network(name: str) -> NetworkDetails:
    """Builds a network that can be trained and says what it costs. Imports torch."""
    from facematch.embedding.networks import NETWORKS

    return NetworkDetails(name, NETWORKS[name].description, cost_of_architecture(name))


def verify_model(name: str = DEFAULT_MODEL, *, device: Device = Device.CPU) -> ModelCheck:
    """Checks a model's files against its card and runs its network once, on noise.

    Raises:
        UnknownModelError: there is no such model.
        ModelHashError: the files are not those the card was written for.
        ModelFormatError: the network cannot be run or gives no templates.
        DeviceUnavailableError: the explicit device is missing.
    """
    bundle = find_model(name)
    engine = open_engine(device)
    started = time.perf_counter()
    size = bundle.alignment.size
    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    templates = Embedder(bundle, engine).embed(noise)
    elapsed_s = time.perf_counter() - started
    norm_error = float(np.abs(np.linalg.norm(templates.astype(np.float64), axis=1) - 1).max())
    if not norm_error <= LARGEST_NORM_ERROR:
        raise ModelFormatError(
            f"{bundle.path}: templates are {norm_error:g} away from unit norm; install it again"
        )
    return ModelCheck(bundle, engine.device, norm_error, elapsed_s)


@contextlib.contextmanager
def _only_writer(root: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / LOCK, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise DownloadError(
            f"{root}: another facematch models pull is running; wait until it has finished"
        ) from error
    except OSError as error:
        raise OutputError(
            f"{root}: cannot be written ({error.strerror}); set FACEMATCH_MODELS_DIR to a "
            "folder that can"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _expected_sha256(published: PublishedModel, root: Path, trust: str | None) -> str | None:
    """The hash that the file must have, None if nobody said so yet."""
    trusted = None if trust is None else trust.strip().lower()
    if trusted is not None and not is_sha256(trusted):
        raise UsageError(f"--trust {trust}: a SHA-256 is 64 hexadecimal digits")
    pinned, where = published.sha256, "by facematch"
    if pinned is None:
        pinned, where = read_pins(root).get(published.name), f"in {root / PINS}"
    if trusted is not None and pinned is not None and trusted != pinned:
        raise ModelHashError(
            f"--trust {trusted}: the file of {published.name} is pinned {where} to {pinned}"
        )
    return pinned if trusted is None else trusted


def _present(folder: Path, expected: str | None) -> ModelBundle | None:
    """The installed model, None if there is none or it is damaged and to be replaced."""
    if not (folder / CARD).is_file():
        return None
    try:
        bundle = load_bundle(folder)
    except ModelError:
        return None
    source = bundle.card.get(SOURCE_SHA256)
    if not is_sha256(source):
        raise ModelFormatError(
            f"{folder}: another model has this name; move it to another folder to pull this one"
        )
    if expected is not None and source != expected:
        raise ModelHashError(
            f"{folder}: was made from a file with the SHA-256 {source} and not {expected}; "
            "delete the folder to pull it again"
        )
    return bundle


def _is_file_of(path: Path, sha256: str) -> bool:
    """Whether an earlier run left the wanted file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _discard(file: Path) -> None:
    """A download that is not needed any more; a leftover does no harm."""
    with contextlib.suppress(OSError):
        file.unlink()


def _listing(name: str, folder: Path) -> ModelListing:
    size_bytes = sum(file.size_bytes for file in _files(folder))
    default = name == DEFAULT_MODEL
    try:
        bundle = load_bundle(folder)
    except ModelError as error:
        return ModelListing(name, "", default, folder, size_bytes, problem=str(error))
    return ModelListing(
        name,
        str(bundle.card.get("description", "")),
        default,
        folder,
        size_bytes,
        bundle.identity.fingerprint,
        bundle.calibration_path.is_file(),
    )


def _files(folder: Path) -> tuple[BundleFile, ...]:
    return tuple(
        BundleFile(path.name, path.stat().st_size)
        for path in sorted(folder.iterdir())
        if path.is_file()
    )


def _count_parameters(weights: Path) -> int:
    """From the header of the file; no tensor is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as tensors:
            return sum(
                math.prod(tensors.get_slice(key).get_shape())
                for key in tensors.keys()  # noqa: SIM118 (not a dict: it cannot be iterated)
                if not key.endswith(_BUFFERS)
            )
    except (OSError, SafetensorError) as error:
        raise ModelFormatError(f"{weights}: not a safetensors file ({error})") from error
