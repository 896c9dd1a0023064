"""Enrol photographs into a gallery."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from facematch.errors import ManifestError, UsageError
from facematch.gallery import Gallery, GalleryWriter, normalize_subject
from facematch.gallery.keys import Keys, new_master
from facematch.imaging.decode import DEFAULT_LIMITS
from facematch.imaging.paths import (
    gather_photographs,
    is_photograph,
    nothing_found,
    path_problem,
)
from facematch.imaging.reading import file_sha256, open_patiently
from facematch.pipeline import AnalyzedPhotograph, Analyzer
from facematch.types import Failure, PassedOver, Quality, Reference

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


@dataclass(frozen=True, slots=True)
class EnrolmentPlan:
    """Whose face each photograph shows.

    Attributes:
        items: what can be enrolled.
        failures: paths that cannot be found or read, and photographs of nobody knows whom.
    """

    items: tuple[EnrolmentItem, ...]
    failures: tuple[Failure, ...]


def plan_enrolment(paths: Sequence[Path], subject: str | None) -> EnrolmentPlan:
    """Finds out whose face each photograph shows.

    Args:
        paths: photographs and folders of one subject (with ``subject``), or folders with one
            sub-folder per subject, or CSV files with the columns ``subject`` and ``path``
            (relative to the CSV).
        subject: of all photographs; None to take it from folders and lists.

    Raises:
        InputError: there is no photograph to enrol.
        ManifestError: a CSV does not follow its format.
        UsageError: a single photograph without a subject, a list with one, or a name that is
            not allowed.
    """
    items: list[EnrolmentItem] = []
    failures: list[Failure] = []
    for path in paths:
        problem = path_problem(path)
        if problem is not None:
            failures.append(Failure(str(path), str(problem)))
        elif subject is not None:
            if path.suffix.lower() == ".csv":
                raise UsageError(f"{path}: a list names its own subjects; leave --subject out")
            items += _of_subject(normalize_subject(subject), path, failures)
        elif path.is_dir():
            items += _from_folder(path, failures)
        elif path.suffix.lower() == ".csv":
            items += _from_manifest(path)
        else:
            raise UsageError(
                f"{path}: whose photograph is this? add --subject NAME, or give a folder with "
                "one sub-folder per subject"
            )
    if not items:
        raise nothing_found(paths, failures)
    return EnrolmentPlan(tuple(items), tuple(failures))


def _of_subject(name: str, path: Path, failures: list[Failure]) -> list[EnrolmentItem]:
    found = gather_photographs([path])
    failures += found.failures
    return [EnrolmentItem(name, photograph) for photograph in found.paths]


def _from_folder(root: Path, failures: list[Failure]) -> Iterator[EnrolmentItem]:
    try:
        entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        reason = f"{root}: cannot be read ({error.strerror}); check its permissions"
        failures.append(Failure(str(root), reason))
        return
    folders = [path for path in entries if path.is_dir()]
    strays = [path for path in entries if is_photograph(path)]
    if strays and not folders:
        raise UsageError(
            f"{root}: has no sub-folders; make one per subject, or name the one subject of "
            "this folder with --subject NAME"
        )
    for folder in folders:
        try:
            name = normalize_subject(folder.name)
        except UsageError as error:
            failures.append(Failure(str(folder), f"{folder}: {error}"))
            continue
        yield from _of_subject(name, folder, failures)
    for stray in strays:
        reason = (
            f"{stray}: whose is it? move it into the sub-folder of its subject, or enroll it "
            "with --subject NAME"
        )
        failures.append(Failure(str(stray), reason))


def _from_manifest(path: Path) -> Iterator[EnrolmentItem]:
    try:
        with open_patiently(path) as file:
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


class EnrolmentInterrupted(KeyboardInterrupt):
    """Ctrl-C during an enrolment; what was done until then is in the gallery."""


def enroll(
    items: Sequence[EnrolmentItem],
    analyzer: Analyzer,
    gallery: Path,
    *,
    unusable: Sequence[Failure] = (),
    keep_crops: bool = False,
    commit_every_s: float = 30.0,
    wait_s: float = 0,
    keys: Keys | None = None,
    encrypt: bool = False,
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
        unusable: failures of the plan, to be listed with the others.
        keep_crops: store the aligned 112x112 crops, from which another model can re-embed.
        commit_every_s: least seconds between commits.
        wait_s: how long to wait for another writer.
        keys: to open the gallery if it is encrypted.
        encrypt: if the gallery is made, make it so; then ``keys`` must be given.
        progress: called with photographs done and in all.

    Raises:
        GalleryError: the gallery cannot be used with this model, or is locked.
        OutputError: it cannot be written.
        EnrolmentInterrupted: by Ctrl-C; says how much was enrolled.
    """
    enrolled: list[EnrolledFace] = []
    skipped: list[SkippedPhotograph] = []
    failed = list(unusable)
    if gallery.exists():  # before the lock, which leaves a file beside what is no gallery
        Gallery.open(gallery, analyzer.identity, keys=keys).close()
    master = new_master(gallery, keys, wanted=encrypt)
    with GalleryWriter.open(
        gallery, analyzer.identity, lock_timeout_s=wait_s, keys=keys, master=master
    ) as writer:
        tasks = _tasks(items, writer.subject_by_source(), skipped, failed)
        waiting = sum(1 + len(task.copies) for task in tasks)
        committed_at, interval_s = time.monotonic(), commit_every_s
        try:
            with closing(analyzer.stream(task.item.path for task in tasks)) as outcomes:
                for task, outcome in zip(tasks, outcomes, strict=True):
                    if isinstance(outcome, Failure):
                        failed += [outcome, *(_same_failure(outcome, copy) for copy in task.copies)]
                    else:
                        photograph, templates = outcome
                        writer.add(
                            _references(task.item.subject, photograph, keep_crops), templates
                        )
                        enrolled += _enrolled(task.item.subject, photograph)
                        for copy in task.copies:
                            _note_copy(copy, task.item.subject, skipped, failed)
                    waiting -= 1 + len(task.copies)
                    progress(len(items) - waiting, len(items))
                    if time.monotonic() - committed_at > interval_s:
                        started_at = time.monotonic()
                        writer.commit()
                        committed_at = time.monotonic()
                        # A commit writes the whole file: in a large gallery, less often.
                        interval_s = max(interval_s, 20 * (committed_at - started_at))
        except KeyboardInterrupt as stop:
            _commit(writer, enrolled)
            raise EnrolmentInterrupted(
                f"interrupted with {len(enrolled)} of {len(items)} photographs newly enrolled; "
                "the same command goes on with the rest"
            ) from stop
        finally:
            _commit(writer, enrolled)
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


def _commit(writer: GalleryWriter, enrolled: Sequence[EnrolledFace]) -> None:
    """A run in which everything fails makes no empty gallery. May be called again."""
    if enrolled:
        writer.commit()


@dataclass(frozen=True, slots=True)
class _Task:
    """A photograph that needs work, and others with the same bytes that wait for it."""

    item: EnrolmentItem
    copies: list[EnrolmentItem]


def _tasks(
    items: Sequence[EnrolmentItem],
    owners: Mapping[str, str],
    skipped: list[SkippedPhotograph],
    failed: list[Failure],
) -> list[_Task]:
    """What needs work; notes the photographs that are in the gallery."""
    tasks: list[_Task] = []
    task_by_sha256: dict[str, _Task] = {}
    for item in items:
        digest = file_sha256(item.path, DEFAULT_LIMITS.max_bytes)
        if digest is None:  # the analyzer says what is wrong with it
            tasks.append(_Task(item, []))
        elif digest in owners:
            _note_copy(item, owners[digest], skipped, failed)
        elif digest in task_by_sha256:
            task_by_sha256[digest].copies.append(item)
        else:
            tasks.append(_Task(item, []))
            task_by_sha256[digest] = tasks[-1]
    return tasks


def _note_copy(
    item: EnrolmentItem, owner: str, skipped: list[SkippedPhotograph], failed: list[Failure]
) -> None:
    """Notes a photograph whose bytes are enrolled for ``owner``."""
    if owner == item.subject:
        skipped.append(SkippedPhotograph(str(item.path), ALREADY_ENROLLED))
    else:
        # One photograph gives one face, so this would store it under a second name.
        reason = f"{item.path}: already enrolled as {owner}; remove or rename that first"
        failed.append(Failure(str(item.path), reason))


def _same_failure(failure: Failure, copy: EnrolmentItem) -> Failure:
    return Failure(str(copy.path), failure.reason.replace(failure.path, str(copy.path)))


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
