"""Export and import, and what import refuses."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from gallery_fakes import IDENTITY, make_gallery, reference_of, same_reference, templates_of

from facematch.errors import (
    GalleryFormatError,
    GalleryModelMismatchError,
    GalleryNotFoundError,
    OutputError,
    UsageError,
)
from facematch.gallery import (
    Gallery,
    GalleryWriter,
    export_csv,
    export_gallery,
    import_templates,
    write_templates,
)


def test_export_then_import_loses_nothing(tmp_path: Path) -> None:
    make_gallery(tmp_path / "a.h5", ["Zoë", "李", "Zoë"], crops=True)
    with Gallery.open(tmp_path / "a.h5") as gallery:
        assert export_gallery(gallery, tmp_path / "t.h5") == 3
        found = import_templates(tmp_path / "t.h5", IDENTITY)
        with GalleryWriter.open(tmp_path / "b.h5", found.identity) as writer:
            writer.add(found.references, found.templates)
            writer.commit()
        with Gallery.open(tmp_path / "b.h5", IDENTITY) as copy:
            assert copy.templates.tobytes() == gallery.templates.tobytes()
            assert all(same_reference(copy.reference(i), gallery.reference(i)) for i in range(3))


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


def test_nothing_at_all_round_trips(tmp_path: Path) -> None:
    write_templates(tmp_path / "t.h5", IDENTITY, [], templates_of(0))
    found = import_templates(tmp_path / "t.h5", IDENTITY)
    assert (found.references, found.templates.shape) == ((), (0, 16))


def test_import_of_another_model(tmp_path: Path) -> None:
    write_templates(tmp_path / "t.h5", IDENTITY, [], templates_of(0))
    with pytest.raises(GalleryModelMismatchError, match="--model other"):
        import_templates(tmp_path / "t.h5", replace(IDENTITY, name="other", fingerprint="1" * 64))


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
    file.attrs.modify("version", 2)


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
        set_variable_text,
        set_bomb,
        set_short,
        set_type,
        set_version,
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
        assert export_csv(gallery, tmp_path / "out.csv") == 2
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["Zoë", "'=HYPERLINK(1)"]
    assert rows[1]["warnings"] == "blurred"
    assert float(rows[1]["left"]) == float(reference_of("x", 1).box_xyxy[0])
    assert np.array_equal(np.load(tmp_path / "out.npy"), templates)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_of_a_csv_begins_as_a_formula_does(tmp_path: Path, start: str) -> None:
    hostile = f"{start}cmd|' /C calc'!A0"
    quality = replace(reference_of("x").quality, warnings=(f"＝{hostile.strip()}",))
    reference = replace(reference_of("Ann"), source_path=hostile, quality=quality)
    with GalleryWriter.open(tmp_path / "g.h5", IDENTITY) as writer:
        writer.add([reference], templates_of(1))
        writer.commit()
    with Gallery.open(tmp_path / "g.h5") as gallery:
        export_csv(gallery, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["source_path"] == f"'{hostile}"
    assert row["warnings"].startswith("'＝")
