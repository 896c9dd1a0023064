"""What goes in comes out, through any sequence of changes."""

from __future__ import annotations

import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fakes import (
    IDENTITY,
    make_gallery,
    reference_of,
    same_reference,
    templates_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import UnknownSubjectError, UsageError
from facematch.gallery import Gallery, GalleryWriter, SubjectSummary
from facematch.gallery.names import name_problem
from facematch.types import Quality, Reference

names = st.text(min_size=1, max_size=12).filter(lambda text: name_problem(text) is None)
paths = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30)
any_float = st.floats(allow_nan=True, allow_infinity=True)
phrases = st.text(min_size=1, max_size=8).filter(lambda text: "\n" not in text)
qualities = st.builds(
    Quality,
    *[any_float] * 8,
    warnings=st.lists(
        phrases.filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text)), max_size=3
    ).map(tuple),
)
references = st.builds(
    Reference,
    subject=names,
    source_path=paths,
    source_sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    box_xyxy=st.lists(st.floats(width=32), min_size=4, max_size=4).map(
        lambda values: np.array(values, np.float32)
    ),
    quality=qualities,
    enrolled_at=st.floats(0, 4e9),
    crop_rgb=st.none() | st.integers(0, 255).map(lambda v: np.full((112, 112, 3), v, np.uint8)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(references, max_size=6), st.integers(0, 6))
def test_references_come_back_bit_for_bit_over_two_commits(
    wanted: list[Reference], first: int
) -> None:
    templates = templates_of(len(wanted))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.h5"
        with GalleryWriter.open(path, IDENTITY) as writer:
            writer.add(wanted[:first], templates[:first])
            writer.commit()
            writer.add(wanted[first:], templates[first:])
            writer.commit()
        with Gallery.open(path, IDENTITY) as gallery:
            assert gallery.templates.tobytes() == templates.tobytes()
            for row, reference in enumerate(wanted):
                stored = unicodedata.normalize("NFC", reference.subject)
                assert same_reference(gallery.reference(row), replace(reference, subject=stored))
            assert gallery.source_hashes() == {r.source_sha256 for r in wanted}
            assert gallery.verify().problems == ()


class Model:
    """The slow, obvious gallery: a list of (subject, template bytes)."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, bytes]] = []

    def subjects(self) -> list[str]:
        return sorted({name for name, _ in self.entries})


operations = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "remove_row", "rename", "merge", "commit"]),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(operations)
def test_any_sequence_of_changes_agrees_with_a_list(steps: list[tuple[str, int, int]]) -> None:
    model, serial = Model(), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.h5"
        with GalleryWriter.open(path, IDENTITY) as writer:
            for step, a, b in steps:
                one, other = f"s{a}", f"s{b}"
                known = model.subjects()
                if step == "add":
                    template = templates_of(1, serial)
                    writer.add([reference_of(one, serial, crop=b == 0)], template)
                    model.entries.append((one, template.tobytes()))
                    serial += 1
                elif step == "remove" and one in known:
                    gone = [entry for entry in model.entries if entry[0] == one]
                    assert writer.remove_subject(one) == len(gone)
                    model.entries = [entry for entry in model.entries if entry[0] != one]
                elif step == "rename" and one in known and other not in known:
                    writer.rename(one, other)
                    model.entries = [(other if n == one else n, t) for n, t in model.entries]
                elif step == "merge" and one in known and other in known and one != other:
                    writer.merge([one], other)
                    model.entries = [(other if n == one else n, t) for n, t in model.entries]
                elif step == "commit":
                    writer.commit()
                elif step == "remove_row":
                    writer.commit()
                    if a < len(model.entries):
                        writer.remove_reference(a)
                        del model.entries[a]
                assert len(writer) == len(model.entries)
            writer.commit()
        with Gallery.open(path) as gallery:
            stored = [
                (gallery.reference(row).subject, gallery.templates[row].tobytes())
                for row in range(len(gallery))
            ]
            assert stored == model.entries
            assert sorted(gallery.subject_names) == model.subjects()
            assert gallery.verify().problems == ()


def test_crops_stay_with_their_references(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    wanted = [reference_of(f"s{i}", i, crop=i % 2 == 0) for i in range(7)]
    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.add(wanted, templates_of(7))
        writer.commit()
        writer.remove_subject("s1")
        writer.remove_subject("s2")
        writer.add([reference_of("s7", 7, crop=True)], templates_of(1, 9))
        writer.commit()
    left = [wanted[i] for i in (0, 3, 4, 5, 6)] + [reference_of("s7", 7, crop=True)]
    with Gallery.open(path) as gallery:
        assert all(same_reference(gallery.reference(i), r) for i, r in enumerate(left))


def test_columns_longer_than_a_block_survive_removals(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    n = 3000  # 192,000 bytes of templates are 12 blocks
    templates = templates_of(n)
    with GalleryWriter.open(path, IDENTITY) as writer:
        writer.add([reference_of(f"s{i % 100}", i) for i in range(n)], templates)
        writer.commit()
        writer.remove_reference(1500)
        writer.commit()
        writer.add([reference_of("last", n)], templates_of(1, 5))
        writer.commit()
    with Gallery.open(path) as gallery:
        kept = np.delete(np.arange(n), 1500)
        assert np.array_equal(gallery.templates[:-1], templates[kept])
        assert all(
            same_reference(gallery.reference(row), reference_of(f"s{old % 100}", old))
            for row, old in list(enumerate(kept.tolist()))[::97]
        )
        assert gallery.verify().problems == ()


def test_subjects_are_listed_in_order_of_first_enrolment(tmp_path: Path) -> None:
    make_gallery(tmp_path / "g.h5", ["Zoë", "李", "Zoë", "Ångström"])
    with Gallery.open(tmp_path / "g.h5") as gallery:
        assert gallery.subjects() == (
            SubjectSummary("Zoë", 2),
            SubjectSummary("李", 1),
            SubjectSummary("Ångström", 1),
        )
        assert gallery.subject_rows("Zoë").tolist() == [0, 2]
        assert gallery.subject_rows(unicodedata.normalize("NFD", "Ångström")).tolist() == [3]


def test_unknown_subject_gets_suggestions_and_nothing_is_guessed(tmp_path: Path) -> None:
    make_gallery(tmp_path / "g.h5", ["Joan Smith", "Ann"])
    with Gallery.open(tmp_path / "g.h5") as gallery:
        with pytest.raises(UnknownSubjectError, match="did you mean 'Joan Smith'"):
            gallery.subject_rows("john smith")
        with pytest.raises(UnknownSubjectError, match="gallery list"):
            gallery.subject_rows("zzz")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\nb",
        "a\0b",
        "\x1b[31m",
        "a\u202eb",
        "ä" * 128,
        "\ud800",
    ],
)
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with GalleryWriter.open(tmp_path / "g.h5", IDENTITY) as writer:
        with pytest.raises(UsageError) as caught:
            writer.add(
                [reference_of("fine"), replace(reference_of("x"), subject=name)], templates_of(2)
            )
        assert len(str(caught.value).splitlines()) == 1
        assert len(writer) == 0


def test_decomposed_and_composed_names_are_one_subject(tmp_path: Path) -> None:
    make_gallery(tmp_path / "g.h5", ["José", unicodedata.normalize("NFD", "José")])
    with Gallery.open(tmp_path / "g.h5") as gallery:
        assert gallery.subject_names == ("José",)


def test_paths_that_are_not_utf8_come_back(tmp_path: Path) -> None:
    odd = replace(reference_of("a"), source_path="caf\udce9.jpg")
    with GalleryWriter.open(tmp_path / "g.h5", IDENTITY) as writer:
        writer.add([odd], templates_of(1))
        writer.commit()
    with Gallery.open(tmp_path / "g.h5") as gallery:
        assert gallery.reference(0).source_path == "caf\udce9.jpg"


def test_rename_and_merge_refuse_what_they_should(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a", "b", "c", "a"])
    with GalleryWriter.open(path) as writer:
        with pytest.raises(UsageError, match="gallery merge"):
            writer.rename("a", "b")
        with pytest.raises(UnknownSubjectError):
            writer.merge(["a", "nobody"], "b")
        with pytest.raises(UnknownSubjectError):
            writer.merge(["a"], "new")
        with pytest.raises(UsageError, match="not itself"):
            writer.merge(["a", "b"], "b")
        with pytest.raises(UsageError, match="not none"):
            writer.merge([], "b")
        with pytest.raises(UsageError, match="row 9 of 4"):
            writer.remove_reference(9)
        writer.rename("a", "a")
        assert writer.merge(["a", "c", "a"], "b") == 3
        with pytest.raises(UnknownSubjectError):
            writer.remove_subject("a")
        writer.commit()
    with Gallery.open(path) as gallery:
        assert gallery.subjects() == (SubjectSummary("b", 4),)


def test_writer_refuses_templates_that_are_none(tmp_path: Path) -> None:
    good = templates_of(1)
    with GalleryWriter.open(tmp_path / "g.h5", IDENTITY) as writer:
        for bad in (good * 2, good * np.nan, good.astype(np.float64), good[:, :8], good[:0]):
            with pytest.raises(ValueError, match="template"):
                writer.add([reference_of("a")], bad)
        assert len(writer) == 0
