"""Reading exported templates, in whichever form they are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from facematch.errors import (
    GalleryError,
    GalleryModelMismatchError,
    GalleryNotFoundError,
    UsageError,
)
from facematch.gallery.exchange.hdf5 import read_hdf5
from facematch.gallery.exchange.json_form import read_json
from facematch.gallery.exchange.records import TemplateSet, refusal
from facematch.gallery.exchange.table import TABLE_START, read_table
from facematch.types import ModelIdentity

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ZIP_START = b"PK\x03\x04"


def import_templates(
    path: str | os.PathLike[str],
    identity: ModelIdentity | None = None,
    *,
    subject: str | None = None,
) -> TemplateSet:
    """Read a file in any of the exchange forms; nothing in it is taken on trust.

    Args:
        path: the file; of a table, the CSV.
        identity: the model of the gallery that they are for; None accepts any.
        subject: whose templates those are that carry no name.

    Raises:
        GalleryNotFoundError: there is no such file.
        GalleryFormatError: it is not in an exchange form, or a template is not finite, of
            unit norm, and of the stated size.
        GalleryModelMismatchError: the templates are of another model.
        UsageError: templates without a name, and no ``subject``.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise GalleryNotFoundError(
                f"there is no file {path}; make one with `facematch gallery export` or "
                "`facematch embed -o`"
            )
        found = _read(path)
    except OSError as exc:
        raise GalleryError(
            f"cannot read {path}: {exc.strerror or exc}; check that you may read it"
        ) from exc
    if identity is not None and found.identity.fingerprint != identity.fingerprint:
        raise GalleryModelMismatchError(
            f"{path} holds templates of model {found.identity.name} "
            f"({found.identity.fingerprint[:12]}), not of {identity.name} "
            f"({identity.fingerprint[:12]}); make them again with --model {identity.name}"
        )
    unnamed = sum(reference.subject == "" for reference in found.references)
    if unnamed == 0:
        return found
    if subject is None:
        raise UsageError(f"{path} has {unnamed} templates without a subject; give --subject NAME")
    named = tuple(r if r.subject else replace(r, subject=subject) for r in found.references)
    return replace(found, references=named)


def _read(path: Path) -> TemplateSet:
    """By what the file holds, whatever its name."""
    with path.open("rb") as file:
        start = file.read(64).removeprefix(_BYTE_ORDER_MARK)
    if start.lstrip().startswith(b"{"):
        return read_json(path)
    if start.startswith(TABLE_START):
        return read_table(path)
    if start.startswith(_ZIP_START):
        raise refusal(path, "it holds the arrays of a table; import the .csv beside it")
    return read_hdf5(path)
