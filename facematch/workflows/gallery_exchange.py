"""Write a gallery for other programs, and take templates in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from facematch.choices import DEFAULT_MODEL, ExportFormat, FaceConflict, NameConflict
from facematch.embedding.registry import find_model
from facematch.errors import EmptyGalleryError, GalleryError, GalleryNotFoundError, UsageError
from facematch.gallery import (
    Gallery,
    GalleryWriter,
    TemplateSet,
    arrays_beside,
    import_templates,
    normalize_subject,
    templates_of,
    write_json,
    write_table,
    write_templates,
)
from facematch.gallery.duplicates import KnownFaces
from facematch.gallery.keys import Keys, new_master
from facematch.gallery.state import GalleryState, state_of
from facematch.types import ModelIdentity, Reference

ALREADY_ENROLLED = "already enrolled (same face of the same photograph)"


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Files that were written, none of them encrypted.

    ``was_encrypted`` is whether the gallery is.
    """

    state: GalleryState
    files: tuple[str, ...]
    references: int
    was_encrypted: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A template that was not imported, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What happened to each template of a file.

    Attributes:
        state: of the gallery after it.
        source: the file.
        imported: templates that were added.
        skipped: those that the gallery has, for the same subject.
        failed: those that the gallery has for somebody else.
        replaced: references of the gallery that went for those of the file.
        renamed: subjects of the file with the names they got.
        distinct: pairs of different people that were noted.
        pairs_left_out: those of whom one is not in the gallery by that name, as when a name was
            changed in a table.
    """

    state: GalleryState
    source: str
    imported: int
    skipped: tuple[LeftOut, ...]
    failed: tuple[LeftOut, ...]
    replaced: int
    renamed: tuple[tuple[str, str], ...]
    distinct: int
    pairs_left_out: int


def export(
    path: Path, target: Path, form: ExportFormat, *, keys: Keys | None = None
) -> ExportResult:
    """Writes all that a gallery holds for other programs, or for another gallery.

    Args:
        path: the gallery.
        target: file to write; an older one is replaced.
        form: of the file; a table has its arrays beside it. None is encrypted.
        keys: to open the gallery if it is encrypted.

    Raises:
        GalleryError: the gallery cannot be read.
        UsageError: the gallery itself would be overwritten, or the table by its arrays.
        OutputError: a file cannot be written.
    """
    targets = (target, arrays_beside(target)) if form is ExportFormat.CSV else (target,)
    with Gallery.open(path, keys=keys) as gallery:
        if os.path.realpath(path) in map(os.path.realpath, targets):
            raise UsageError(f"{target}: would overwrite the gallery itself; give another name")
        if len(set(targets)) < len(targets):
            raise UsageError(f"{target}: is where the templates go; name the table *.csv")
        found = templates_of(gallery)
        match form:
            case ExportFormat.H5:
                write_templates(
                    target, found.identity, found.references, found.templates, found.distinct
                )
            case ExportFormat.CSV:
                write_table(target, found)
            case ExportFormat.JSON:
                write_json(target, found)
        return ExportResult(
            state_of(gallery),
            tuple(map(str, targets)),
            len(gallery),
            was_encrypted=gallery.master is not None,
        )


def import_file(
    path: Path,
    source: Path,
    *,
    subject: str | None = None,
    model: str | None = None,
    faces: FaceConflict = FaceConflict.SKIP,
    names: NameConflict = NameConflict.JOIN,
    wait_s: float = 0,
    keys: Keys | None = None,
    encrypt: bool = False,
) -> ImportResult:
    """Adds templates that ``embed`` or :func:`export` wrote, all or none of them.

    A face that the gallery has is not added again: one of the same photograph (by SHA-256)
    whose box covers the same place. Where it is not bit for bit what the file has, ``faces``
    decides. A subject of the file is somebody new if the gallery has none of its faces; where
    the gallery has a subject of that name, ``names`` decides.

    Args:
        path: the gallery; made if it does not exist.
        source: the file with the templates.
        subject: whose templates those are that carry no name.
        model: that the templates must be of; None for the gallery's own, or the default
            model if the gallery is new.
        faces: keep what the gallery has, take what the file has, or import nothing.
        names: take both for one person, give the file's another name, or import nothing.
        wait_s: how long to wait for another writer.
        keys: to open the gallery if it is encrypted.
        encrypt: if the gallery is made, make it so; then ``keys`` must be given.

    Raises:
        GalleryError: the gallery or the file cannot be used, they are of different models, or
            there is a conflict that may not be.
        ModelError: the model is unknown or unsound.
        UsageError: templates have no name and there is no ``subject``, or the reverse.
        OutputError: the gallery cannot be written.
    """
    identity = _identity(path, model, keys)
    given = None if subject is None else normalize_subject(subject)
    found = import_templates(source, identity, subject=given)
    if not found.references:
        raise EmptyGalleryError(f"{source}: holds no templates; nothing was imported")
    if given is not None and all(reference.subject != given for reference in found.references):
        raise UsageError(f"{source}: every template in it has a name; leave out --subject")
    master = new_master(path, keys, wanted=encrypt)
    with GalleryWriter.open(
        path, identity, lock_timeout_s=wait_s, keys=keys, master=master
    ) as writer:
        known = KnownFaces()
        if len(writer) > 0:
            known = KnownFaces.of(writer.gallery, found.references)
        new_names = _new_names(source, found, known, writer.subject_names, names)
        found = _with_names(found, new_names)
        plan = _plan(writer, source, found, known, faces)
        if plan.new:
            writer.add([found.references[row] for row in plan.new], found.templates[plan.new])
            # After the addition, so that a subject that keeps its name keeps all else.
            for row in sorted(plan.gone):
                writer.remove_reference(row, erase=False)
        present = writer.subject_names
        pairs = [pair for pair in found.distinct if set(pair) <= present]
        distinct = sum(writer.mark_distinct(a, b) for a, b in pairs)
        if plan.new or distinct:
            writer.commit()
        return ImportResult(
            state_of(writer.gallery),
            str(source),
            len(plan.new),
            tuple(plan.skipped),
            tuple(plan.failed),
            len(plan.gone),
            tuple(new_names.items()),
            distinct,
            len(found.distinct) - len(pairs),
        )


@dataclass(slots=True)
class _Plan:
    """Rows of the file to add, rows of the gallery to remove, and what is left out."""

    new: list[int] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    skipped: list[LeftOut] = field(default_factory=list)
    failed: list[LeftOut] = field(default_factory=list)


def _plan(
    writer: GalleryWriter, source: Path, found: TemplateSet, known: KnownFaces, policy: FaceConflict
) -> _Plan:
    plan = _Plan()
    for row, reference in enumerate(found.references):
        same = known.same(reference)
        stored = [face.row for face in same if face.row is not None]
        owner = known.owner(reference)
        if owner is None:
            known.add(reference)
            plan.new.append(row)
        elif (
            stored
            and policy is not FaceConflict.SKIP
            and not _has(writer.gallery, stored, found, row)
        ):
            if policy is FaceConflict.FAIL:
                raise GalleryError(
                    f"{writer.path} has the face of row {row} of {source} already, as {owner!r} "
                    "and with other data; nothing was imported; --on-conflict says what to do"
                )
            plan.gone.update(stored)
            known.replace(reference)
            plan.new.append(row)
        elif owner == reference.subject:
            plan.skipped.append(LeftOut(reference.source_path, ALREADY_ENROLLED))
        else:
            plan.failed.append(LeftOut(reference.source_path, f"already enrolled as {owner}"))
    return plan


def _has(gallery: Gallery, stored: Sequence[int], found: TemplateSet, row: int) -> bool:
    """Whether one of the references of the gallery is that of the file, bit for bit."""
    templates = gallery.column("templates")
    return any(
        _same(gallery.reference(old), found.references[row])
        and templates.rows(old, old + 1)[0].tobytes() == found.templates[row].tobytes()
        for old in stored
    )


def _same(a: Reference, b: Reference) -> bool:
    crops = [None if r.crop_rgb is None else r.crop_rgb.tobytes() for r in (a, b)]
    return (
        (a.subject, a.source_path, a.box_xyxy.tobytes())
        == (b.subject, b.source_path, b.box_xyxy.tobytes())
        # As text, in which NaN is like NaN.
        and repr((a.quality, a.enrolled_at)) == repr((b.quality, b.enrolled_at))
        and crops[0] == crops[1]
    )


def _new_names(
    source: Path,
    found: TemplateSet,
    known: KnownFaces,
    taken: frozenset[str],
    policy: NameConflict,
) -> Mapping[str, str]:
    """Names for people of the file who must not become those of the gallery."""
    if policy is NameConflict.JOIN:
        return {}
    subjects = [normalize_subject(reference.subject) for reference in found.references]
    acquainted = {
        subject
        for subject, reference in zip(subjects, found.references, strict=True)
        if any(face.subject == subject for face in known.same(reference))
    }
    strangers = [s for s in dict.fromkeys(subjects) if s in taken and s not in acquainted]
    if strangers and policy is NameConflict.FAIL:
        raise GalleryError(
            f"{source}: has a {strangers[0]!r} of whom the gallery has another face, which may be "
            "somebody else's; nothing was imported; --same-name says what to do"
        )
    names: dict[str, str] = {}
    for name in strangers:
        free = (f"{name} ({number})" for number in count(2))
        occupied = {*taken, *subjects, *names.values()}
        names[name] = next(other for other in free if other not in occupied)
    return names


def _with_names(found: TemplateSet, names: Mapping[str, str]) -> TemplateSet:
    """The set with names in the form in which they are stored, and new ones."""

    def named(subject: str) -> str:
        stored = normalize_subject(subject)
        return names.get(stored, stored)

    return replace(
        found,
        references=tuple(replace(r, subject=named(r.subject)) for r in found.references),
        distinct=tuple((named(a), named(b)) for a, b in found.distinct),
    )


def _identity(path: Path, model: str | None, keys: Keys | None) -> ModelIdentity:
    if model is None:
        try:
            with Gallery.open(path, keys=keys) as gallery:
                return gallery.identity
        except GalleryNotFoundError:
            model = DEFAULT_MODEL
    return find_model(model).identity
