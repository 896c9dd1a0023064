"""A gallery with the templates of another model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facematch import __version__
from facematch.gallery.atomic import remove_stale
from facematch.gallery.checks import check_templates
from facematch.gallery.committing import write_version
from facematch.gallery.contents import reference_contents, subject_contents
from facematch.gallery.reader import Gallery
from facematch.gallery.snapshots import prune_snapshots
from facematch.gallery.structure import GalleryInfo
from facematch.types import Float32Array, ModelIdentity


def write_reembedded(
    path: Path,
    old: Gallery,
    identity: ModelIdentity,
    rows: Sequence[int],
    templates: Float32Array,
) -> None:
    """Replace a gallery by one of another model, whole or not at all. Call under the lock.

    Args:
        path: the gallery, no symbolic link.
        old: the same, open.
        identity: the other model.
        rows: m references that stay, rising.
        templates: float32 (m, d), unit norm, theirs by the other model.

    Raises:
        OutputError: it could not be written; the old gallery is as it was.
        GalleryCorruptError: the old gallery is damaged.
        ValueError: the templates are not what they should be.
    """
    check_templates(templates, len(rows), identity.embedding_size)
    references = [old.reference(row) for row in rows]
    subjects = old.subject_index[list(rows)].astype(np.int64)
    used = sorted(set(subjects.tolist()))
    distinct = [pair for pair in old.distinct if set(pair) <= set(used)]
    info = GalleryInfo(
        identity=identity,
        created_at=old.info.created_at,
        updated_at=time.time(),
        library_version=__version__,
        snapshots=old.info.snapshots,
    )
    contents = {
        **reference_contents(None, np.ones(0, bool), references, templates),
        **subject_contents(old.subject_names, used, subjects, distinct),
    }
    remove_stale(path)
    write_version(path, info, contents, snapshot=info.snapshots > 0, master=old.master)
    prune_snapshots(path, info.snapshots)
