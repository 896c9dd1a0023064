"""Making a bundle of a published file, once somebody answers for its hash."""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

from facematch.embedding.bundle import ModelBundle
from facematch.embedding.pins import write_pin
from facematch.embedding.published import LARGEST_FILE_BYTES, PublishedModel
from facematch.errors import ModelFormatError, ModelHashError

SOURCE_SHA256 = "source_sha256"
"""Entry of the card: the published file that the bundle was made from."""


def install_published(
    model: PublishedModel,
    file_path: Path,
    root: Path,
    *,
    source_url: str,
    expected_sha256: str | None,
    confirm: Callable[[str], bool] | None,
) -> ModelBundle:
    """Checks a published file, pins its hash if that was not known, and writes the bundle.

    Args:
        model: what the file should be.
        file_path: the file.
        root: folder of models, whose lock the caller holds.
        source_url: where it came from, for the card.
        expected_sha256: hash that the file must have; None if nobody said so yet.
        confirm: asked with the file's hash then; None if nobody can be.

    Raises:
        ModelHashError: it is not the expected file, or nobody vouched for it.
        ModelFormatError: it cannot be read, or holds no such network.
        OutputError: the bundle cannot be written.
    """
    # Late, because they import torch.
    from facematch.embedding.export import export_bundle
    from facematch.embedding.networks.inception import read_published_weights

    # What is read is what was hashed: the file stays open between the two.
    with _opened(file_path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        _accept(sha256, file_path, model.name, expected_sha256, confirm)
        file.seek(0)
        network = read_published_weights(file, str(file_path))
    if model.sha256 is None:
        write_pin(root, model.name, sha256)
    return export_bundle(
        network,
        root / model.name,
        name=model.name,
        architecture=model.architecture,
        embedding_size=model.embedding_size,
        preprocessing=model.preprocessing,
        alignment=model.alignment,
        about={
            "description": model.description,
            "licence": model.licence,
            "training_data": model.training_data,
            "terms": model.terms,
            "reported_accuracy": model.reported_accuracy,
            "source_url": source_url,
            SOURCE_SHA256: sha256,
        },
        half=False,  # what its authors report is of the weights as they published them
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE_BYTES:
            raise ModelFormatError(
                f"{path}: not a file of up to {LARGEST_FILE_BYTES >> 20} MiB; --from takes the "
                "published file as it was downloaded"
            )
        file = path.open("rb")
    except OSError as error:
        raise ModelFormatError(
            f"{path}: cannot be read ({error.strerror}); --from takes the published file"
        ) from error
    with file:
        yield file


def _accept(
    sha256: str,
    path: Path,
    name: str,
    expected: str | None,
    confirm: Callable[[str], bool] | None,
) -> None:
    if expected is not None:
        if sha256 != expected:
            raise ModelHashError(
                f"{path}: its SHA-256 is {sha256} and not {expected}, as the file of {name} must "
                "have; fetch it again from where it is published"
            )
    elif confirm is None:
        raise ModelHashError(
            f"{path}: no hash is known for the file of {name}; compare its SHA-256 with a source "
            f"that you trust, then run the command again with --trust {sha256}"
        )
    elif not confirm(sha256):
        raise ModelHashError(f"{path}: not trusted (SHA-256 {sha256}); nothing was installed")
