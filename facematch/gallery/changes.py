"""Changes to a gallery that gather in memory until they are committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from facematch.errors import UsageError
from facematch.gallery.checks import check_reference, check_templates
from facematch.gallery.contents import Content, reference_contents, subject_contents
from facematch.gallery.names import normalize_subject
from facematch.gallery.reader import Gallery, not_found, unknown_subject
from facematch.gallery.search import Int32Array
from facematch.types import BoolArray, Float32Array, ModelIdentity, Reference

_PENDING = ("_keep", "_subject", "_names", "_rows", "_distinct")


@dataclass(frozen=True, slots=True, eq=False)
class _Addition:
    """A reference to be appended; ``subject`` is a row of the writer's table of names."""

    subject: int
    reference: Reference
    template: Float32Array


class PendingChanges:
    """A gallery, and what is to become of it.

    Rows are those of the gallery as it is; removals do not shift them.

    Attributes:
        path: of the gallery.
        identity: the model of its templates.
    """

    _additions: list[_Addition]

    def __init__(
        self, path: Path, base: Gallery | None, identity: ModelIdentity, *, snapshot_due: bool
    ) -> None:
        self.path = path
        self.identity = identity
        # One for all commits of a writer, since enrolment commits every half minute; none of
        # a version that holds what is being removed.
        self._snapshot_due = snapshot_due
        self._load(base)
        # What is damaged says so at once.
        for name in _PENDING:
            getattr(self, name)

    @property
    def gallery(self) -> Gallery:
        """The gallery as of opening or of the last commit, open until the next one.

        Raises:
            GalleryNotFoundError: there is none yet.
        """
        if self._base is None:
            raise not_found(self.path)
        return self._base

    def __len__(self) -> int:
        """Number of references, as a commit would leave it."""
        return int(self._keep.sum()) + len(self._additions)

    def subject_by_source(self) -> dict[str, str]:
        """Subject of every photograph by its hexadecimal SHA-256, as a commit would leave it."""
        owners: dict[str, str] = {}
        if self._base is not None:
            stored = self._base.column("references/source_sha256").checked
            for row in np.flatnonzero(self._keep).tolist():
                owners[stored[row].tobytes().hex()] = self._names[int(self._subject[row])]
        for addition in self._additions:
            owners[addition.reference.source_sha256.lower()] = self._names[addition.subject]
        return owners

    @property
    def subject_count(self) -> int:
        """Number of subjects, as a commit would leave it."""
        return len(self._rows)

    @property
    def subject_names(self) -> frozenset[str]:
        """All subjects, as a commit would leave them."""
        return frozenset(self._rows)

    def add(self, references: Sequence[Reference], templates: Float32Array) -> None:
        """Append references. Subjects that are new are made.

        Args:
            references: m of them.
            templates: float32 (m, d), unit norm.

        Raises:
            UsageError: a subject name is not allowed.
            ValueError: the arrays are not what they should be. Nothing was added.
        """
        check_templates(templates, len(references), self.identity.embedding_size)
        for reference in references:
            check_reference(reference)
        names = [normalize_subject(reference.subject) for reference in references]
        copied = np.array(templates, "<f4")
        self._additions += [
            _Addition(self._find_or_make(name), reference, template)
            for name, reference, template in zip(names, references, copied, strict=True)
        ]

    def remove_subject(self, name: str) -> int:
        """Remove a subject with all references; returns how many.

        Raises:
            UnknownSubjectError: there is none of that name.
        """
        before = len(self)
        subject = self._find(name)
        self._keep &= self._subject != subject
        self._snapshot_due = False
        self._additions = [a for a in self._additions if a.subject != subject]
        self._forget(subject)
        return before - len(self)

    def remove_reference(self, row: int, *, erase: bool = True) -> None:
        """Remove one reference, and its subject with the last one.

        Args:
            row: of the reference.
            erase: take no snapshot of what holds it.

        Raises:
            UsageError: there is no such row, or it has been removed already.
        """
        self._check_row(row)
        self._keep[row] = False
        if erase:
            self._snapshot_due = False
        self._forget_if_empty(int(self._subject[row]))

    def rename(self, old: str, new: str) -> None:
        """Give a subject another name.

        Raises:
            UnknownSubjectError: there is no subject ``old``.
            UsageError: ``new`` is not allowed, or is the name of another subject.
        """
        subject = self._find(old)
        new = normalize_subject(new)
        if self._rows.get(new, subject) != subject:
            raise UsageError(
                f"{self.path} has a subject {new!r} already; "
                "use `facematch gallery merge` if they are the same person"
            )
        del self._rows[self._names[subject]]
        self._names[subject] = new
        self._rows[new] = subject

    def merge(self, sources: Sequence[str], into: str) -> int:
        """Give the references of some subjects to another one; returns how many.

        Raises:
            UnknownSubjectError: one of the subjects does not exist.
            UsageError: there is no source, or a subject is to be merged into itself.
        """
        target = self._find(into)
        merged_rows = sorted({self._find(source) for source in sources})
        if len(merged_rows) == 0 or target in merged_rows:
            raise UsageError(f"merge other subjects into {into!r}, not none and not itself")
        for a, b in sorted(self._distinct):
            if {a, b} <= {target, *merged_rows}:
                raise UsageError(
                    f"{self._names[a]!r} and {self._names[b]!r} are marked as different people; "
                    "take that back with `facematch gallery distinct --undo` first"
                )
        moving = np.isin(self._subject, merged_rows)
        self._subject[moving] = target
        moved = int((moving & self._keep).sum())
        for i, addition in enumerate(self._additions):
            if addition.subject in merged_rows:
                self._additions[i] = _Addition(target, addition.reference, addition.template)
                moved += 1
        self._distinct |= {
            (min(target, other), max(target, other))
            for pair in self._distinct
            for source, other in (pair, pair[::-1])
            if source in merged_rows
        }
        for subject in merged_rows:
            self._forget(subject)
        return moved

    def move(self, rows: Sequence[int], to: str) -> int:
        """Give single references to another subject, made if it does not exist.

        Subjects that lose their last reference are no more.

        Returns:
            How many references changed hands.

        Raises:
            UsageError: there is no such row, or the name is not allowed.
        """
        name = normalize_subject(to)
        for row in rows:
            self._check_row(row)
        target = self._find_or_make(name)
        moving = [row for row in rows if self._subject[row] != target]
        losing = sorted({int(self._subject[row]) for row in moving})
        self._subject[moving] = target
        for subject in losing:
            self._forget_if_empty(subject)
        return len(moving)

    def mark_distinct(self, a: str, b: str, *, distinct: bool = True) -> bool:
        """Note that two subjects are different people however alike, or take that back.

        Returns:
            Whether this was new.

        Raises:
            UnknownSubjectError: one of the subjects does not exist.
            UsageError: they are one subject.
        """
        first, second = sorted((self._find(a), self._find(b)))
        if first == second:
            raise UsageError(f"{a!r} and {b!r} are one subject; name two")
        before, pair = len(self._distinct), {(first, second)}
        self._distinct = self._distinct | pair if distinct else self._distinct - pair
        return len(self._distinct) != before

    def keep_snapshots(self, count: int) -> None:
        """From the next commit on, keep this many older versions beside the gallery."""
        self._snapshots = count
        self._snapshot_due = False

    def _load(self, base: Gallery | None) -> None:
        """Start from a gallery. What it holds is read when needed: after a last commit, never."""
        self._base = base
        for name in _PENDING:
            self.__dict__.pop(name, None)
        self._additions = []
        self._snapshots = 0 if base is None else base.info.snapshots

    @cached_property
    def _keep(self) -> BoolArray:
        return np.ones(0 if self._base is None else len(self._base), bool)

    @cached_property
    def _subject(self) -> Int32Array:
        return np.zeros(0, np.int32) if self._base is None else self._base.subject_index.copy()

    @cached_property
    def _names(self) -> list[str]:
        """Those of removed subjects stay in the list; only those in ``_rows`` are written."""
        return [] if self._base is None else list(self._base.subject_names)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self._names)}

    @cached_property
    def _distinct(self) -> frozenset[tuple[int, int]]:
        return frozenset() if self._base is None else self._base.distinct

    def _is_changed(self, base: Gallery) -> bool:
        return (
            len(self._additions) > 0
            or not bool(self._keep.all())
            or not np.array_equal(self._subject, base.subject_index)
            or self._names != list(base.subject_names)
            or self._distinct != base.distinct
            or self._snapshots != base.info.snapshots
        )

    def _find(self, name: str) -> int:
        row = self._rows.get(normalize_subject(name))
        if row is None:
            raise unknown_subject(self.path, name, self._rows)
        return row

    def _find_or_make(self, name: str) -> int:
        row = self._rows.get(name)
        if row is None:
            row = self._rows[name] = len(self._names)
            self._names.append(name)
        return row

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self._keep) or not self._keep[row]:
            raise UsageError(
                f"{self.path} has no reference in row {row} of {len(self._keep)}; "
                "`facematch gallery show` lists the rows"
            )

    def _forget_if_empty(self, subject: int) -> None:
        added = any(a.subject == subject for a in self._additions)
        if not added and not np.any(self._subject[self._keep] == subject):
            self._forget(subject)

    def _forget(self, subject: int) -> None:
        """A subject without references is no more; the commit closes the gap in the rows."""
        del self._rows[self._names[subject]]
        self._distinct = frozenset(pair for pair in self._distinct if subject not in pair)

    def _contents(self) -> dict[str, Content]:
        keep, base = self._keep, self._base
        references = [a.reference for a in self._additions]
        size = self.identity.embedding_size
        templates = np.array([a.template for a in self._additions], "<f4").reshape(-1, size)
        added = np.array([a.subject for a in self._additions], np.int64)
        subjects = np.concatenate([self._subject[keep], added])
        return {
            **reference_contents(base, keep, references, templates),
            **subject_contents(self._names, self._rows.values(), subjects, self._distinct),
        }
