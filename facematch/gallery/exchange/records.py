"""Templates outside of a gallery, and what they must be before anything believes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.errors import GalleryFormatError
from facematch.gallery.checks import unit_norm_rows
from facematch.gallery.format import SHA256_HEX
from facematch.gallery.names import name_problem
from facematch.gallery.reader import Gallery
from facematch.gallery.stored import TEXT_ERRORS
from facematch.gallery.structure import not_valid
from facematch.types import Float32Array, ModelIdentity, Reference

EXCHANGE_NAME = "facematch templates"
EXCHANGE_VERSION = 2
KIND = "file of exported templates"

# Version 1 had no list of different people, and HDF5 was its only form that could be read back.
OLDEST_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class TemplateSet:
    """Templates with what is known of each, outside of a gallery.

    Attributes:
        identity: the model that made the templates.
        references: m of them; the subject is empty where nobody was named.
        templates: float32 (m, d), unit norm.
        distinct: names of subjects that are known to be different people.
    """

    identity: ModelIdentity
    references: tuple[Reference, ...]
    templates: Float32Array
    distinct: tuple[tuple[str, str], ...] = ()


def templates_of(gallery: Gallery) -> TemplateSet:
    """All that a gallery holds.

    Raises:
        GalleryCorruptError: the gallery is damaged.
    """
    return TemplateSet(
        gallery.identity,
        tuple(gallery.reference(row) for row in range(len(gallery))),
        gallery.column("templates").checked,
        gallery.distinct_names,
    )


def refusal(path: Path, problem: str) -> GalleryFormatError:
    """The error for a file that does not follow its form."""
    return not_valid(path, KIND, problem)


def identity_of(path: Path, model: str, fingerprint: str, embedding_size: int) -> ModelIdentity:
    """The model that a file names.

    Raises:
        GalleryFormatError: it cannot be one.
    """
    try:
        return ModelIdentity(model, fingerprint, embedding_size)
    except ValueError as exc:
        raise refusal(path, str(exc)) from exc


def checked(path: Path, found: TemplateSet) -> TemplateSet:
    """A set read from a file, if it is what a writer of a gallery takes.

    Raises:
        GalleryFormatError: it is not.
    """
    identity = found.identity
    if not 1 <= identity.embedding_size <= 65536:
        raise refusal(path, f"templates of {identity.embedding_size} numbers")
    if found.templates.shape != (len(found.references), identity.embedding_size):
        raise refusal(path, f"{len(found.references)} rows and templates {found.templates.shape}")
    unsound = np.flatnonzero(~unit_norm_rows(found.templates))
    if len(unsound) > 0:
        raise refusal(path, f"template {unsound[0]} is not finite or not of unit norm")
    for row, reference in enumerate(found.references):
        problem = _problem(reference)
        if problem is not None:
            raise refusal(path, f"{problem[0]} of row {row} {problem[1]}")
    for pair in found.distinct:
        if any(name_problem(name) is not None for name in pair) or pair[0] == pair[1]:
            raise refusal(path, f"{pair[0]!r} and {pair[1]!r} are no two subjects")
    return found


def _problem(reference: Reference) -> tuple[str, str] | None:
    name = reference.subject
    if name != "" and (problem := name_problem(name)) is not None:
        return "the subject", f"cannot be one: {problem}"
    if SHA256_HEX.fullmatch(reference.source_sha256) is None:
        return "source_sha256", "is no SHA-256"
    if not _can_be_stored(reference.source_path) or "\0" in reference.source_path:
        return "source_path", "cannot be a path"
    for phrase in reference.quality.warnings:
        if not phrase or "\n" in phrase or not _can_be_stored(phrase):
            return "a warning", "is not one line of text"
    return None


def _can_be_stored(text: str) -> bool:
    try:
        text.encode("utf-8", TEXT_ERRORS)
    except UnicodeEncodeError:
        return False
    return True
