"""Export and import, and what import refuses."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gallery_fakes import IDENTITY, make_gallery, reference_of, same_reference, templates_of
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import (
    FacematchError,
    GalleryFormatError,
    GalleryModelMismatchError,
    GalleryNotFoundError,
    OutputError,
    UsageError,
)
from facematch.gallery import (
    Gallery,
    GalleryWriter,
    TemplateSet,
    import_templates,
    write_json,
    write_table,
    write_templates,
)
from facematch.gallery import (
    templates_of as set_of,
)
from facematch.gallery.exchange import json_form
from facematch.types import Quality, Reference


def write_hdf5(path: Path, found: TemplateSet) -> None:
    write_templates(path, found.identity, found.references, found.templates, found.distinct)


FORMS = [
    pytest.param(write_hdf5, "t.h5", id="h5"),
    pytest.param(write_table, "t.csv", id="csv"),
    pytest.param(write_json, "t.json", id="json"),
]
Write = Callable[[Path, TemplateSet], None]


@pytest.mark.parametrize(("write", "name"), FORMS)
def test_export_then_import_loses_nothing(tmp_path: Path, write: Write, name: str) -> None:
    make_gallery(tmp_path / "a.h5", ["Zoë", "李", "Zoë", "'=x"], crops=True)
    with GalleryWriter.open(tmp_path / "a.h5") as writer:
        writer.mark_distinct("Zoë", "李")
        writer.commit()
    with Gallery.open(tmp_path / "a.h5") as gallery:
        write(tmp_path / name, set_of(gallery))
        found = import_templates(tmp_path / name, IDENTITY)
        assert found.identity == IDENTITY
        assert found.distinct == (("Zoë", "李"),)
        with GalleryWriter.open(tmp_path / "b.h5", found.identity) as writer:
            writer.add(found.references, found.templates)
            writer.commit()
        with Gallery.open(tmp_path / "b.h5", IDENTITY) as copy:
            assert copy.templates.tobytes() == gallery.templates.tobytes()
            assert all(same_reference(copy.reference(i), gallery.reference(i)) for i in range(4))


FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 1e308, 0.1])
LINES = st.text(st.characters(exclude_characters="\n\0", codec="utf-8"), min_size=1, max_size=9)
PATHS = st.binary(max_size=12).map(
    lambda raw: raw.replace(b"\0", b"=").decode("utf-8", "surrogateescape")
) | st.sampled_from(["=1", "'=1", "''", "-", "\r\n", '"', ",", "\ufeffa", "＝x", " a "])


@pytest.mark.parametrize(("write", "name"), FORMS)
@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(PATHS, st.lists(FLOATS, min_size=9, max_size=9), st.lists(LINES, max_size=3)),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.floats(width=32), min_size=4, max_size=4),
)
def test_every_field_comes_back_bit_for_bit(
    write: Write, name: str, rows: list[tuple[str, list[float], list[str]]], box: list[float]
) -> None:
    references = tuple(
        Reference(
            subject=f"s{i}" if i else "",
            source_path=path,
            source_sha256=hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest(),
            # NaN is written as one: of its many bits patterns none means anything here.
            box_xyxy=np.where(np.isnan(box), np.nan, box).astype(np.float32),
            quality=Quality(*numbers[:8], warnings=tuple(warnings)),
            enrolled_at=numbers[8],
            crop_rgb=np.full((112, 112, 3), i, np.uint8) if i % 2 else None,
        )
        for i, (path, numbers, warnings) in enumerate(rows)
    )
    templates = templates_of(len(rows), len(rows))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name, TemplateSet(IDENTITY, references, templates, (("a", "b"),)))
        found = import_templates(Path(folder) / name, IDENTITY, subject="nobody")
    assert found.templates.tobytes() == templates.tobytes()
    assert found.distinct == (("a", "b"),)
    for old, new in zip(references, found.references, strict=True):
        assert same_reference(replace(old, subject=old.subject or "nobody"), new)


def test_any_hdf5_tool_reads_the_exchange_form(tmp_path: Path) -> None:
    templates = templates_of(2)
    references = [replace(reference_of("", i), source_path=f"fotos/ä{i}.jpg") for i in range(2)]
    write_templates(tmp_path / "t.h5", IDENTITY, references, templates)
    with h5py.File(tmp_path / "t.h5", "r") as file:
        assert np.array_equal(file["templates"][...], templates)
        assert list(file["source_path"].asstr()[...]) == ["fotos/ä0.jpg", "fotos/ä1.jpg"]
        assert list(file["source_sha256"].asstr()[...]) == [r.source_sha256 for r in references]
        assert file["box_xyxy"].shape == (2, 4)
        assert file.attrs["fingerprint"].decode() == IDENTITY.fingerprint


def test_templates_without_names_need_one(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    write_templates(path, IDENTITY, [reference_of(""), reference_of("Ann", 1)], templates_of(2))
    with pytest.raises(UsageError, match="1 templates without a subject; give --subject"):
        import_templates(path, IDENTITY)
    found = import_templates(path, IDENTITY, subject="Bob")
    assert [r.subject for r in found.references] == ["Bob", "Ann"]


@pytest.mark.parametrize(("write", "name"), FORMS)
def test_nothing_at_all_round_trips(tmp_path: Path, write: Write, name: str) -> None:
    write(tmp_path / name, TemplateSet(IDENTITY, (), templates_of(0)))
    found = import_templates(tmp_path / name, IDENTITY)
    assert (found.references, found.templates.shape, found.distinct) == ((), (0, 16), ())


def test_exports_without_a_list_of_different_people_are_read(tmp_path: Path) -> None:
    write_templates(tmp_path / "t.h5", IDENTITY, [reference_of("Ann")], templates_of(1))
    with h5py.File(tmp_path / "t.h5", "r+") as file:  # as version 1 was
        del file["distinct"]
        file.attrs.modify("version", 1)
    found = import_templates(tmp_path / "t.h5", IDENTITY)
    assert ([r.subject for r in found.references], found.distinct) == (["Ann"], ())


@pytest.mark.parametrize(("write", "name"), FORMS)
def test_import_of_another_model(tmp_path: Path, write: Write, name: str) -> None:
    write(tmp_path / name, TemplateSet(IDENTITY, (), templates_of(0)))
    with pytest.raises(GalleryModelMismatchError, match="--model other"):
        import_templates(tmp_path / name, replace(IDENTITY, name="other", fingerprint="1" * 64))


def set_nan(file: h5py.File) -> None:
    file["templates"][1, 3] = np.nan


def set_long(file: h5py.File) -> None:
    file["templates"][1] *= 2


def set_path_name(file: h5py.File) -> None:
    file["subject"][0] = b"../x"


def set_digest(file: h5py.File) -> None:
    file["source_sha256"][0] = b"zz"


def set_crop_row(file: h5py.File) -> None:
    file["crop_row"][0] = 7


def set_external(file: h5py.File) -> None:
    del file["subject"]
    file["subject"] = h5py.ExternalLink("elsewhere.h5", "subject")


def set_external_storage(file: h5py.File) -> None:
    raw = Path(file.filename).with_name("raw")
    raw.write_bytes(bytes(128))
    del file["templates"]
    file.create_dataset("templates", (2, 16), "<f4", external=[(str(raw), 0, 128)])


def set_virtual(file: h5py.File) -> None:
    source = Path(file.filename).with_name("source.h5")
    with h5py.File(source, "w") as other:
        other["x"] = file["templates"][...]
    layout = h5py.VirtualLayout((2, 16), "<f4")
    layout[...] = h5py.VirtualSource(source, "x", (2, 16))
    del file["templates"]
    file.create_virtual_dataset("templates", layout)


def set_references(file: h5py.File) -> None:
    target = file["crop_rgb"].ref
    del file["enrolled_at"]
    file.create_dataset("enrolled_at", data=[target] * 2, dtype=h5py.ref_dtype)


def set_recursive(file: h5py.File) -> None:
    del file["templates"]
    file["templates"] = file["/"]


def set_variable_text(file: h5py.File) -> None:
    del file["subject"]
    file["subject"] = ["a", "b"]


def set_bomb(file: h5py.File) -> None:
    del file["templates"]
    file.create_dataset("templates", (2**36, 16), "<f4", compression="gzip")


def set_short(file: h5py.File) -> None:
    del file["box_xyxy"]
    file["box_xyxy"] = np.zeros((1, 4), "<f4")


def set_type(file: h5py.File) -> None:
    del file["quality"]
    file["quality"] = np.zeros((2, 8), "<f4")


def set_version(file: h5py.File) -> None:
    file.attrs.modify("version", 3)


def set_pair(file: h5py.File) -> None:
    del file["distinct"]
    file["distinct"] = np.array([[b"a", b"../b"]])


def set_path_nul(file: h5py.File) -> None:
    file["source_path"][0] = b"a\0b"


def drop_path(file: h5py.File) -> None:
    del file["source_path"]


@pytest.mark.parametrize(
    "forge",
    [
        set_nan,
        set_long,
        set_path_name,
        set_digest,
        set_crop_row,
        set_external,
        set_external_storage,
        set_virtual,
        set_references,
        set_recursive,
        set_variable_text,
        set_bomb,
        set_short,
        set_type,
        set_version,
        set_pair,
        set_path_nul,
        drop_path,
    ],
)
def test_import_takes_nothing_on_trust(tmp_path: Path, forge: Callable[[h5py.File], None]) -> None:
    path = tmp_path / "t.h5"
    references = [reference_of("long enough", i, crop=True) for i in range(2)]
    write_templates(path, IDENTITY, references, templates_of(2))
    with h5py.File(path, "r+") as file:
        forge(file)
    with pytest.raises(
        GalleryFormatError, match=r"t\.h5 is not a valid file of exported"
    ) as caught:
        import_templates(path, IDENTITY)
    assert len(str(caught.value).splitlines()) == 1


def test_import_of_what_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(GalleryNotFoundError, match="gallery export"):
        import_templates(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(GalleryFormatError, match="export it again"):
        import_templates(tmp_path / "text.h5")
    make_gallery(tmp_path / "g.h5", ["a"])
    with pytest.raises(GalleryFormatError, match="facematch templates"):
        import_templates(tmp_path / "g.h5")


def test_export_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="check that the folder exists"):
        write_templates(tmp_path / "no" / "t.h5", IDENTITY, [], templates_of(0))
    with pytest.raises(ValueError, match="1 references"):
        write_templates(tmp_path / "t.h5", IDENTITY, [reference_of("a")], templates_of(2))
    assert list(tmp_path.iterdir()) == []


def test_csv_has_a_row_per_template_and_no_formula(tmp_path: Path) -> None:
    templates = make_gallery(tmp_path / "g.h5", ["Zoë", "=HYPERLINK(1)"])
    with Gallery.open(tmp_path / "g.h5") as gallery:
        write_table(tmp_path / "out.csv", set_of(gallery))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["Zoë", "'=HYPERLINK(1)"]
    assert rows[1]["warnings"] == "blurred"
    assert float(rows[1]["left"]) == float(reference_of("x", 1).box_xyxy[0])
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["templates"], templates)


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'"]
)
def test_no_cell_of_a_csv_begins_as_a_formula_does(tmp_path: Path, start: str) -> None:
    hostile = f"{start}cmd|' /C calc'!A0"
    quality = replace(reference_of("x").quality, warnings=(f"＝{hostile.strip()}",))
    reference = replace(reference_of("Ann"), source_path=hostile, quality=quality)
    found = TemplateSet(IDENTITY, (reference,), templates_of(1))
    write_table(tmp_path / "out.csv", found)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["source_path"] == f"'{hostile}"
    assert row["warnings"].startswith("'＝")
    (read,) = import_templates(tmp_path / "out.csv").references
    assert same_reference(read, reference)


def table(folder: Path, count: int = 3) -> Path:
    """A table of people s0, s1, …"""
    references = tuple(reference_of(f"s{i}", i, crop=i == 1) for i in range(count))
    write_table(folder / "t.csv", TemplateSet(IDENTITY, references, templates_of(count)))
    return folder / "t.csv"


def test_a_table_may_be_sorted_cut_and_given_names(tmp_path: Path) -> None:
    path = table(tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        head, _, second, third = csv.reader(file)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([head, third, [second[0], "Ann", *second[2:]]])
    found = import_templates(path, IDENTITY)
    assert [r.subject for r in found.references] == ["s2", "Ann"]
    assert found.templates.tobytes() == templates_of(3)[[2, 1]].tobytes()
    assert [r.crop_rgb is None for r in found.references] == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("\n1,s1", "\n0,s1", "not one of 3, or twice"),
        ("\n1,s1", "\n3,s1", "not one of 3"),
        ("\n1,s1", "\n-1,s1", "not one of 3"),
        ("\n1,s1", "\nx,s1", "line 3: invalid literal"),
        ("\n1,s1", "\n1,a/b", "the subject of row 1 cannot be one"),
        ("\n1,s1", '\n1,"s1', "line"),
        ("\n1,s1,", "\n1,s1,,", "cells"),
        ("row,subject", "row,name", "readable"),
        (reference_of("s1", 1).source_sha256, "0" * 64, "not of the same export"),
        ("blurred", "a" * 200_000, "field larger"),
    ],
)
def test_a_table_is_not_taken_on_trust(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = table(tmp_path)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(GalleryFormatError, match=words) as caught:
        import_templates(path, IDENTITY)
    assert len(str(caught.value).splitlines()) == 1


def test_a_table_of_another_export_is_known(tmp_path: Path) -> None:
    path = table(tmp_path)
    old = path.read_bytes()
    table(tmp_path, 2)
    path.write_bytes(old)
    with pytest.raises(GalleryFormatError, match="row 2 is not one of 2"):
        import_templates(path, IDENTITY)
    path.with_suffix(".npz").unlink()
    with pytest.raises(GalleryFormatError, match=r"should be in .*t\.npz, which is not there"):
        import_templates(path, IDENTITY)


class Thing:
    """What pickle would make of an array of objects; making it is the attack."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("it was unpickled",)


def lying_shape(folder: Path) -> bytes:
    """An array that claims a terabyte."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f4", "fortran_order": False, "shape": (2**34, 16)}
    )
    return buffer.getvalue() + bytes(64)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("templates", np.full((3, 16), np.nan, "<f4"), "template 0 is not finite"),
        ("templates", np.full((3, 16), 1e38, "<f4"), "not of unit norm"),
        ("templates", templates_of(3).astype("<f8"), "templates is float64"),
        ("templates", templates_of(2), "source_sha256 has the shape"),
        ("templates", np.asfortranarray(templates_of(3)), "not float32"),
        ("templates", np.array([Thing()] * 3, object), "objects"),
        ("templates", lying_shape, "not float32"),
        ("crop_row", np.array([7], "<i8"), "a crop belongs to no template"),
        ("crop_rgb", np.zeros((1, 112, 3), "|u1"), "crop_rgb has the shape"),
        ("distinct", np.array([[b"a", b"a"]]), "no two subjects"),
        ("distinct", np.array([b"a"]), "distinct has the shape"),
        ("distinct", np.array([[b"\xff", b"a"]]), "not UTF-8"),
        ("version", np.array(1, "<i4"), "of version 2"),
        ("embedding_size", np.array(-1, "<i4"), "templates has the shape"),
        ("model", np.array([b"a", b"b"]), "single values"),
        ("other", np.zeros(1), "members"),
        ("../../outside", np.zeros(1), "members"),
        ("model", None, "members"),
    ],
)
def test_arrays_are_not_taken_on_trust(
    tmp_path: Path, name: str, value: object, words: str
) -> None:
    path = table(tmp_path).with_suffix(".npz")
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    if callable(value):
        members[f"{name}.npy"] = value(tmp_path)
    elif value is None:
        del members[f"{name}.npy"]
    else:
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=True)
        members[f"{name}.npy"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(GalleryFormatError, match=words) as caught:
        import_templates(path.with_suffix(".csv"), IDENTITY)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path.parent.parent / "outside.npy").exists()


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = table(tmp_path).with_suffix(".npz")
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content if member != "templates.npy" else bytes(1 << 26))
    with pytest.raises(GalleryFormatError, match=r"compressed; write it with numpy\.savez"):
        import_templates(path.with_suffix(".csv"), IDENTITY)
    path.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(GalleryFormatError, match=r"t\.npz is not a valid .*cannot be read"):
        import_templates(path.with_suffix(".csv"), IDENTITY)
    with pytest.raises(GalleryFormatError, match=r"import the \.csv beside it"):
        import_templates(path, IDENTITY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["references"][1].update(subject="../x"), "subject of row 1 cannot be one"),
        (lambda d: d["references"][0].update(template=[0.5] * 15), "template is missing or not"),
        (lambda d: d["references"][0].update(template=[0.5] * 16), "not of unit norm"),
        (lambda d: d["references"][0].update(template=[True] * 16), "template is missing or not"),
        (lambda d: d["references"][0].update(template=["NaN"] * 16), "not finite"),
        (lambda d: d["references"][0].update(template=[10**400] * 16), "template is missing"),
        (lambda d: d["references"][0].update(template=[1e300] * 16), "not finite"),
        (lambda d: d["references"][0].update(box_xyxy=None), "box_xyxy is missing"),
        (lambda d: d["references"][0].update(source_sha256="x"), "is no SHA-256"),
        (lambda d: d["references"][0].update(source_path="a\0b"), "cannot be a path"),
        (lambda d: d["references"][0].update(source_path="\ud800"), "cannot be a path"),
        (lambda d: d["references"][0].update(warnings=["a\nb"]), "not one line of text"),
        (lambda d: d["references"][0].update(warnings=[1]), "warnings is missing"),
        (lambda d: d["references"][0].update(crop_rgb="AAAA"), "crop_rgb is missing or not"),
        (lambda d: d["references"][0].update(crop_rgb="?"), "crop_rgb is missing or not"),
        (lambda d: d["references"][0]["quality"].pop("score"), "quality is missing or not"),
        (lambda d: d["references"].append(3), "references is missing or not"),
        (lambda d: d.update(distinct=[["a"]]), "distinct is missing or not"),
        (lambda d: d.update(embedding_size=10**9), "embedding_size is missing or not"),
        (lambda d: d.update(version=1), "of version 2"),
        (lambda d: d.pop("fingerprint"), "fingerprint is missing or not"),
    ],
)
def test_json_is_not_taken_on_trust(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    path = tmp_path / "t.json"
    references = tuple(reference_of(f"s{i}", i, crop=i == 0) for i in range(2))
    write_json(path, TemplateSet(IDENTITY, references, templates_of(2)))
    document = json.loads(path.read_text("ascii"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(GalleryFormatError, match=words) as caught:
        import_templates(path, IDENTITY)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": ' + b"[" * 100_000, "no JSON"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "no JSON"),
        (b"{}", "is not 'facematch templates'"),
        (b"{\xff}", "no JSON"),
    ],
)
def test_what_is_no_document(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(GalleryFormatError, match=words):
        import_templates(tmp_path / "t.json")


def test_json_of_any_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = TemplateSet(IDENTITY, (reference_of("Ann"),), templates_of(1))
    write_json(tmp_path / "t.json", found)
    monkeypatch.setattr(json_form, "LARGEST_JSON_BYTES", 1 << 8)
    with pytest.raises(GalleryFormatError, match="it has more than"):
        import_templates(tmp_path / "t.json")
    with pytest.raises(OutputError, match="--format h5"):
        write_json(tmp_path / "new.json", found)
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize(("write", "name"), FORMS)
def test_an_export_replaces_exports_only(tmp_path: Path, write: Write, name: str) -> None:
    found = TemplateSet(IDENTITY, (reference_of("Ann"),), templates_of(1))
    for _ in range(2):
        write(tmp_path / name, found)
    made = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in made)
    for path in made:
        path.write_bytes(b"something else")
        with pytest.raises(OutputError, match="not replaced"):
            write(tmp_path / name, found)
        assert path.read_bytes() == b"something else"
        path.write_bytes(made[path])


@pytest.mark.parametrize(("write", "name"), FORMS)
def test_any_damage_is_refused_in_one_line_or_harmless(
    tmp_path: Path, write: Write, name: str
) -> None:
    references = tuple(reference_of(f"s{i}", i, crop=i == 0) for i in range(3))
    write(tmp_path / name, TemplateSet(IDENTITY, references, templates_of(3), (("s0", "s1"),)))
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    rng = np.random.default_rng(3)
    refused = 0
    for path, content in files.items():
        for case in range(40):
            damaged = bytearray(content)
            # Most of it is the crop, in which damage of other forms than HDF5 is no error.
            for offset in rng.integers(0, min(len(damaged), 4000), 1 + case % 3).tolist():
                damaged[offset] = int(rng.integers(256))
            path.write_bytes(damaged[: rng.integers(len(damaged))] if case % 4 == 0 else damaged)
            try:
                import_templates(tmp_path / name, IDENTITY, subject="nobody")
            except FacematchError as error:
                refused += 1
                assert len(str(error).splitlines()) == 1, case  # noqa: PT017
        path.write_bytes(content)
    assert refused > 20
