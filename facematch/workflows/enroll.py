"""Enrol photographs into a gallery."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import ImageNotFoundError, ManifestError, UsageError
from facematch.gallery import GalleryWriter, normalize_subject
from facematch.imaging.paths import find_photographs
from facematch.pipeline import AnalyzedPhotograph, Analyzer, Failure
from facematch.types import PassedOver, Quality, Reference

LARGEST_MANIFEST_BYTES = 1 << 28
ALREADY_ENROLLED = "already enrolled (same file contents)"


@dataclass(frozen=True, slots=True)
class EnrolmentItem:
    """A photograph and whose face it shows."""

    subject: str
    path: Path


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """One new reference."""

    subject: str
    path: str
    face_index: int
    detected: int
    quality: Quality
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True, slots=True)
class SkippedPhotograph:
    """A photograph that needed no work."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class EnrolResult:
    """What happened to each photograph."""

    gallery: str
    model_name: str
    model_fingerprint: str
    references: int
    subjects: int
    enrolled: tuple[EnrolledFace, ...]
    skipped: tuple[SkippedPhotograph, ...]
    failed: tuple[Failure, ...]


def plan_enrolment(paths: Sequence[Path], subject: str | None) -> tuple[EnrolmentItem, ...]:
    """Finds out whose face each photograph shows.

    Args:
        paths: photographs and folders of one subject (with ``subject``), or folders with one
            sub-folder per subject, or CSV files with the columns ``subject`` and ``path``
            (relative to the CSV).
        subject: of all photographs; None to take it from folders and lists.

    Raises:
        ImageNotFoundError: a path does not exist.
        ManifestError: a CSV does not follow its format.
        UsageError: a single photograph without a subject, or a name that is not allowed.
    """
    items: list[EnrolmentItem] = []
    for path in paths:
        if not path.exists():
            raise ImageNotFoundError(f"{path}: no such file or folder")
        if subject is not None:
            name = normalize_subject(subject)
            items += [EnrolmentItem(name, found) for found in find_photographs([path])]
        elif path.is_dir():
            items += _from_folder(path)
        elif path.suffix.lower() == ".csv":
            items += _from_manifest(path)
        else:
            raise UsageError(
                f"{path}: whose photograph is this? add --subject NAME, or give a folder with "
                "one sub-folder per subject"
            )
    if not items:
        raise ImageNotFoundError(f"{paths[0]}: no photographs found there")
    return tuple(items)


def _from_folder(root: Path) -> Iterator[EnrolmentItem]:
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise UsageError(
            f"{root}: has no sub-folders; make one per subject, or name the one subject of "
            "this folder with --subject NAME"
        )
    for folder in folders:
        name = normalize_subject(folder.name)
        for path in find_photographs([folder]):
            yield EnrolmentItem(name, path)


def _from_manifest(path: Path) -> Iterator[EnrolmentItem]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_MANIFEST_BYTES + 1)
        if len(content) > LARGEST_MANIFEST_BYTES:
            raise ManifestError(f"{path}: larger than {LARGEST_MANIFEST_BYTES >> 20} MiB")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: is not UTF-8 text") from error
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""))
        columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
        if not {"subject", "path"} <= columns.keys():
            raise ManifestError(f"{path}: line 1 must name the columns subject,path")
        for row in rows:
            subject = (row[columns["subject"]] or "").strip()
            name = (row[columns["path"]] or "").strip()
            if not subject or not name:
                raise ManifestError(f"{path}: line {rows.line_num}: subject or path is empty")
            yield EnrolmentItem(normalize_subject(subject), path.parent / name)
    except csv.Error as error:
        raise ManifestError(f"{path}: is not CSV ({error})") from error


def enroll(
    items: Sequence[EnrolmentItem],
    analyzer: Analyzer,
    gallery: Path,
    *,
    keep_crops: bool = False,
    commit_every_s: float = 30.0,
    wait_s: float = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EnrolResult:
    """Enrols photographs, going on past those that cannot be used.

    References are committed at intervals and at the end, also when an interruption ends the
    run: what is in the gallery stays, and the same call goes on where it stopped, because
    photographs that are enrolled already (by SHA-256, for the same subject) are skipped.

    Args:
        items: what to enrol.
        analyzer: decodes, detects and embeds.
        gallery: the file; made if it does not exist.
        keep_crops: store the aligned 112x112 crops, from which another model can re-embed.
        commit_every_s: least seconds between commits.
        wait_s: how long to wait for another writer.
        progress: called with photographs done and in all.

    Raises:
        GalleryError: the gallery cannot be used with this model, or is locked.
        OutputError: it cannot be written.
    """
    enrolled: list[EnrolledFace] = []
    skipped: list[SkippedPhotograph] = []
    failed: list[Failure] = []
    with GalleryWriter.open(gallery, analyzer.identity, lock_timeout_s=wait_s) as writer:
        pending = list(_pending(items, writer.subject_by_source(), skipped, failed))
        outcomes = analyzer.stream(item.path for item in pending)
        committed_at, interval_s = time.monotonic(), commit_every_s
        try:
            for item, outcome in zip(pending, outcomes, strict=True):
                if isinstance(outcome, Failure):
                    failed.append(outcome)
                else:
                    photograph, templates = outcome
                    writer.add(_references(item.subject, photograph, keep_crops), templates)
                    enrolled += _enrolled(item.subject, photograph)
                progress(len(items) - len(pending) + len(enrolled) + len(failed), len(items))
                if time.monotonic() - committed_at > interval_s:
                    started_at = time.monotonic()
                    writer.commit()
                    committed_at = time.monotonic()
                    # A commit writes the whole file: in a large gallery, less often.
                    interval_s = max(interval_s, 20 * (committed_at - started_at))
        finally:
            if enrolled:  # a run in which everything fails makes no empty gallery
                writer.commit()
        return EnrolResult(
            str(gallery),
            analyzer.identity.name,
            analyzer.identity.fingerprint,
            len(writer),
            writer.subject_count,
            tuple(enrolled),
            tuple(skipped),
            tuple(failed),
        )


def _pending(
    items: Sequence[EnrolmentItem],
    subject_by_source: Mapping[str, str],
    skipped: list[SkippedPhotograph],
    failed: list[Failure],
) -> Iterator[EnrolmentItem]:
    """The items that need work; notes the others."""
    owners = dict(subject_by_source)
    for item in items:
        try:
            with item.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:  # the analyzer says what is wrong with it
            yield item
            continue
        owner = owners.get(digest)
        if owner is None:
            owners[digest] = item.subject
            yield item
        elif owner == item.subject:
            skipped.append(SkippedPhotograph(str(item.path), ALREADY_ENROLLED))
        else:
            # One photograph gives one face, so this would store it under a second name.
            reason = f"{item.path}: already enrolled as {owner}; remove or rename that first"
            failed.append(Failure(str(item.path), reason))


def _references(subject: str, photograph: AnalyzedPhotograph, keep_crops: bool) -> list[Reference]:
    return [
        Reference(
            subject=subject,
            source_path=photograph.path,
            source_sha256=photograph.sha256,
            box_xyxy=chosen.face.box_xyxy,
            quality=chosen.quality,
            enrolled_at=time.time(),
            crop_rgb=chosen.aligned_rgb if keep_crops else None,
        )
        for chosen in photograph.faces
    ]


def _enrolled(subject: str, photograph: AnalyzedPhotograph) -> list[EnrolledFace]:
    return [
        EnrolledFace(
            subject,
            photograph.path,
            chosen.index,
            photograph.detected,
            chosen.quality,
            photograph.passed_over,
        )
        for chosen in photograph.faces
    ]
