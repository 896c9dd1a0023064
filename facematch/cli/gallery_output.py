"""What the commands of ``facematch gallery`` say in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from facematch.cli import options, output
from facematch.cli.foreign import escaped, finite

if TYPE_CHECKING:
    from facematch.gallery.state import GalleryState, StoredReference


def note_state(state: GalleryState, quiet: bool) -> None:
    subjects = "1 subject" if state.subjects == 1 else f"{state.subjects} subjects"
    options.note(
        f"{state.path}: {references(state.references)} of {subjects}, "
        f"model {escaped(state.model.name)} ({state.model.fingerprint[:12]})",
        quiet,
    )


def references(count: int) -> str:
    return "1 reference" if count == 1 else f"{count} references"


def about(document: Mapping[str, Any], state: GalleryState) -> dict[str, Any]:
    """A document that ends as all do that are about a gallery: with the gallery as it is now."""
    return {
        "schema_version": output.SCHEMA_VERSION,
        **document,
        "gallery": {
            "path": state.path,
            "references": state.references,
            "subjects": state.subjects,
            "updated_at": iso(state.updated_at),
        },
        "model": state.model.name,
        "model_fingerprint": state.model.fingerprint,
    }


def iso(seconds: float) -> str | None:
    """UTC; None for a number that is no time, as a file from elsewhere may hold."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None


def reference_json(stored: StoredReference) -> dict[str, Any]:
    reference = stored.reference
    document: dict[str, Any] = finite(
        {
            "row": stored.row,
            "path": reference.source_path,
            "sha256": reference.source_sha256,
            "box_xyxy": [round(float(v), 2) for v in reference.box_xyxy],
            "enrolled_at": iso(reference.enrolled_at),
            "quality": output.quality_json(reference.quality),
            "crop_kept": reference.crop_rgb is not None,
        }
    )
    return document
