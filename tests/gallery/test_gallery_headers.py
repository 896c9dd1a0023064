"""The structures of HDF5 that a gallery has, read without the library that writes them."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from forging import Forgery
from gallery_fakes import IDENTITY, keys_with, make_gallery, templates_of

from facematch.errors import GalleryCorruptError, GalleryError, GalleryFormatError
from facematch.gallery import Gallery
from facematch.gallery.format import COLUMNS, Count
from facematch.gallery.headers import is_hdf5
from facematch.gallery.keys import new_master
from facematch.gallery.lookup3 import lookup3
from facematch.gallery.skeleton import create_skeleton
from facematch.gallery.structure import GalleryInfo, Structure, read_structure
from facematch.gallery.unlocking import write_locked
from facematch.types import Metric

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "g.h5"
    make_gallery(path, ["a", "b", "a", "c"])
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "g.h5").write_bytes(content)
    return tmp_path / "g.h5"


def test_the_checksum_is_that_of_its_inventor() -> None:
    # What driver5() of lookup3.c prints.
    assert lookup3(b"") == 0xDEADBEEF
    assert lookup3(b"Four score and seven years ago") == 0x17770551


def require_as_hdf5_reads_it(file: io.BytesIO, found: Structure) -> None:
    with h5py.File(file, "r") as opened:
        attributes = opened.attrs
        assert attributes["model"].decode() == found.info.identity.name
        assert attributes["fingerprint"].decode() == found.info.identity.fingerprint
        assert attributes["embedding_size"] == found.info.identity.embedding_size
        assert attributes["created_at"] == found.info.created_at
        assert attributes["updated_at"] == found.info.updated_at
        assert attributes["library_version"].decode() == found.info.library_version
        assert attributes.get("snapshots", 0) == found.info.snapshots
        for name, extent in found.extents.items():
            dataset = opened[name]
            assert (dataset.shape[0], dataset.nbytes) == (found.rows[name], extent.nbytes)
            if extent.nbytes > 0:
                assert dataset.id.get_offset() == extent.offset


@pytest.mark.parametrize("version", [1, 2])
def test_older_layouts_are_read_as_hdf5_reads_them(version: int) -> None:
    content = (GOLDEN / f"version-{version}.h5").read_bytes()
    found = read_structure(io.BytesIO(content), Path("g.h5"), len(content))
    assert found.version == version
    require_as_hdf5_reads_it(io.BytesIO(content), found)


@pytest.mark.parametrize("references", [0, 1, 1000, 10**6])
@pytest.mark.parametrize("name", ["c", "m" * 255, "ü" * 255, "人" * 255])
@pytest.mark.parametrize("size", [1, 512])
def test_what_is_written_is_read_as_hdf5_reads_it(references: int, name: str, size: int) -> None:
    counts = {
        Count.REFERENCES: references,
        Count.REFERENCES_AND_END: references + 1,
        Count.SUBJECTS_AND_END: 1 + references // 2,
        Count.CROPS: min(2, references),
        Count.PAIRS: references // 3,
        Count.BYTES: 7 * references,
    }
    identity = replace(IDENTITY, name=name, embedding_size=size)
    info = GalleryInfo(identity, 1.7e9, 1.75e9, "1.2.3", 5)
    file = Sparse()
    written = create_skeleton(file, info, {c.name: counts[c.count] for c in COLUMNS})
    found = read_structure(file, Path("g.h5"), file.seek(0, io.SEEK_END))
    assert found == written
    require_as_hdf5_reads_it(file, found)


class Sparse(io.BytesIO):
    """A file in memory that keeps the first MiB, and zeros after it."""

    _KEPT = 1 << 20

    def __init__(self) -> None:
        super().__init__()
        self._size = 0
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, data: object) -> int:
        content = bytes(memoryview(data).cast("B"))  # type: ignore[arg-type]
        if self._position < self._KEPT:
            super().seek(self._position)
            super().write(content[: self._KEPT - self._position])
        self._position += len(content)
        self._size = max(self._size, self._position)
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size >= 0
        count = max(0, min(size, self._size - self._position))
        super().seek(self._position)
        found = super().read(count).ljust(count, b"\0")
        self._position += count
        return found

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        return self._size


def test_a_gallery_is_read_without_the_hdf5_library(path: Path) -> None:
    program = (
        "import sys; from facematch.gallery import Gallery\n"
        f"with Gallery.open({str(path)!r}) as gallery:\n"
        "    assert gallery.verify().sound and len(gallery) == 4\n"
        "print('h5py' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def write_at(offset: int, content: bytes) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[offset : offset + len(content)] = content

    return change


# What HDF5 2.0.0 dies of, found by scripts/fuzz: (structure, offset in it, what is put there).
DEADLY = {
    "attribute as if it were shared": (b"BTLF", 6 + 3 * 17 + 8, b"\x02"),
    "long attribute as if it were shared": (b"BTLF", 6 + 4 * 17 + 6, b"\x00\x27\x03"),
    "list of another kind": (b"BTHD", 5, b"\x00"),
}


@pytest.mark.parametrize("deadly", DEADLY.values(), ids=DEADLY.keys())
@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("verify",),
        ("repair", "-o", "{folder}/saved.h5"),
        ("rename", "a", "d"),
    ],
    ids=lambda command: str(command[0]),
)
def test_a_file_that_the_library_dies_of_is_one_line_and_exit_code_4(
    path: Path, tmp_path: Path, deadly: tuple[bytes, int, bytes], command: tuple[str, ...]
) -> None:
    forgery = Forgery(path)
    signature, offset, content = deadly
    path.write_bytes(forgery.forge(write_at(forgery.at(signature) + offset, content)))
    words = [word.format(folder=tmp_path) for word in command]
    done = subprocess.run(
        [sys.executable, "-m", "facematch", "gallery", *words, "-g", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert len(done.stderr.splitlines()) == 1
    assert "g.h5 is" in done.stderr


def test_a_snapshot_that_the_library_dies_of_is_listed_and_not_gone_back_to(path: Path) -> None:
    forgery = Forgery(path)
    signature, offset, put = DEADLY["list of another kind"]
    snapshot = path.with_name("g.h5.snapshot-000001")
    snapshot.write_bytes(forgery.forge(write_at(forgery.at(signature) + offset, put)))
    content = path.read_bytes()
    for command, code, words in (
        (["snapshots"], 0, "1"),
        (["rollback", "--to", "1", "-y"], 4, "snapshot-000001 is"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "facematch", "gallery", *command, "-g", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert re.search(words, done.stdout + done.stderr)
    assert path.read_bytes() == content


def test_an_encrypted_gallery_is_read_as_strictly(path: Path) -> None:
    forgery = Forgery(path)
    signature, offset, put = DEADLY["attribute as if it were shared"]
    plain = io.BytesIO(forgery.forge(write_at(forgery.at(signature) + offset, put)))
    keys = keys_with()
    path.unlink()
    master = new_master(path, keys, wanted=True)
    path.touch()
    write_locked(plain, path, master)
    with pytest.raises(GalleryFormatError, match="attributes are shared"):
        Gallery.open(path, IDENTITY, keys=keys)


def test_no_forged_byte_does_more_than_be_refused(path: Path) -> None:
    forgery = Forgery(path)
    rng = random.Random(1)
    places = [at for start, n in forgery.structures() for at in range(start, start + n)]
    heap = forgery.at(b"FHDB")
    places += [at for at in range(heap, heap + 600) for _ in range(5)]
    probe = templates_of(1, 3)
    read = 0
    for _ in range(400):
        at = rng.choice(places)
        value = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        path.write_bytes(forgery.forge(write_at(at, bytes([value] * rng.choice([1, 1, 2, 8])))))
        with suppress(GalleryError):
            with Gallery.open(path, IDENTITY) as gallery:
                gallery.verify()
                gallery.search(probe, 2, Metric.COSINE)
            read += 1
    assert 50 < read < 380


SUPERBLOCK, OHDR, HEAP, TREE, LEAF = b"\x89HDF\r\n\x1a\n", b"OHDR", b"FRHP", b"BTHD", b"BTLF"
ROOT, TEMPLATES, REFERENCES = 0, 1, 2


@pytest.mark.parametrize(
    ("signature", "number", "offset", "put", "words"),
    [
        pytest.param(SUPERBLOCK, 0, 8, b"\x02", "no superblock of version 3", id="superblock"),
        pytest.param(SUPERBLOCK, 0, 12, bytes(8), "superblock is elsewhere", id="base"),
        pytest.param(SUPERBLOCK, 0, 36, b"\xff" * 7, "outside the file", id="root outside"),
        pytest.param(SUPERBLOCK, 0, 37, b"\x20", "a group has a header message", id="no root"),
        pytest.param(OHDR, ROOT, 41, b"\x08\x01\x05", "link to elsewhere", id="soft link"),
        pytest.param(OHDR, ROOT, 14, bytes(8), "too many members", id="links in a heap"),
        pytest.param(OHDR, ROOT, 12, b"\x01", "of another form", id="link info"),
        pytest.param(OHDR, ROOT, 156, b"\x01", "attributes are of another form", id="info"),
        pytest.param(OHDR, ROOT, 158, b"\xff" * 8, "no attribute format", id="no heap"),
        pytest.param(OHDR, ROOT, 43, b"x", "members of group", id="other member"),
        pytest.param(OHDR, ROOT, 53, b"\x30", "plain dataset has a header", id="group as dataset"),
        pytest.param(OHDR, REFERENCES, 58, b"quality", "two members are named", id="one name"),
        pytest.param(OHDR, TEMPLATES, 32, bytes(8), "another size than its shape", id="no rows"),
        pytest.param(OHDR, TEMPLATES, 32, b"\xff" * 8, "another size than its", id="many rows"),
        pytest.param(OHDR, TEMPLATES, 31, b"\x02", "dataspace is of another form", id="null"),
        pytest.param(OHDR, TEMPLATES, 29, b"\x20", "a structure is too short", id="rank"),
        pytest.param(OHDR, TEMPLATES, 69, b"\x21", "is not <f4", id="big endian"),
        pytest.param(OHDR, TEMPLATES, 68, b"\x10", "is not <f4", id="integers"),
        pytest.param(OHDR, TEMPLATES, 99, b"\x02", "not stored in one piece", id="chunked"),
        pytest.param(OHDR, TEMPLATES, 99, b"\x00", "not stored in one piece", id="compact"),
        pytest.param(OHDR, TEMPLATES, 99, b"\x03", "not stored in one piece", id="virtual"),
        pytest.param(OHDR, TEMPLATES, 100, b"\xff" * 8, "no bytes in the file", id="nowhere"),
        pytest.param(OHDR, TEMPLATES, 104, b"\xf0", "exceeds the file", id="elsewhere"),
        pytest.param(OHDR, TEMPLATES, 88, b"\x0b", "header message of kind 11", id="filtered"),
        pytest.param(OHDR, TEMPLATES, 88, b"\x07", "header message of kind 7", id="external"),
        pytest.param(OHDR, TEMPLATES, 27, b"\x02", "share parts of their", id="shared"),
        pytest.param(OHDR, TEMPLATES, 24, b"\x03", "described twice", id="two types"),
        pytest.param(OHDR, TEMPLATES, 24, b"\x00", "an object is no dataset", id="no shape"),
        pytest.param(OHDR, TEMPLATES, 25, b"\xff\xff", "too short", id="message too long"),
        pytest.param(HEAP, 0, 5, b"\x09", "heap of attributes is of another", id="heap names"),
        pytest.param(HEAP, 0, 112, bytes(8), "heap of attributes is of another", id="blocks"),
        pytest.param(HEAP, 0, 140, b"\x01", "no FHIB where one should be", id="rows"),
        pytest.param(HEAP, 0, 140, b"\xff\xff", "heap of attributes is of", id="many rows heap"),
        pytest.param(LEAF, 0, 14, b"\x02", "attributes are shared", id="shared attribute"),
        pytest.param(TREE, 0, 12, b"\x01", "list of attributes is of another", id="depth"),
        pytest.param(TREE, 0, 24, b"\xff\xff", "65535 attributes", id="many attributes"),
        pytest.param(LEAF, 0, 6, b"\x10", "an attribute is too large", id="huge attribute"),
        pytest.param(LEAF, 0, 9, b"\xff", "an attribute lies outside its heap", id="outside"),
    ],
)
def test_other_forms_are_told(
    path: Path, signature: bytes, number: int, offset: int, put: bytes, words: str
) -> None:
    forgery = Forgery(path)
    path.write_bytes(forgery.forge(write_at(forgery.at(signature, number) + offset, put)))
    with pytest.raises(GalleryFormatError, match=words) as caught:
        Gallery.open(path, IDENTITY)
    assert len(str(caught.value).splitlines()) == 1


def test_two_names_of_one_dataset_are_refused(path: Path) -> None:
    forgery = Forgery(path)
    at = {name: forgery.at(b"\x07offsets", number) + 8 for number, name in enumerate("pws")}
    place = bytes(forgery.data[at["p"] : at["p"] + 8])
    path.write_bytes(forgery.forge(write_at(at["w"], place)))
    with pytest.raises(GalleryCorruptError, match="structure fails its checksum"):
        Gallery.open(path, IDENTITY)


def test_a_header_that_goes_on_for_ever_ends(path: Path) -> None:
    forgery = Forgery(path)
    root = forgery.at(OHDR)
    further = root + 300 - 4096
    message = b"\x10\x10\0\0" + further.to_bytes(8, "little") + (28).to_bytes(8, "little")
    piece = b"OCHK" + message
    piece += lookup3(piece).to_bytes(4, "little")

    def change(data: bytearray) -> None:
        write_at(root + 174, message)(data)
        # What is left of the empty message that was there.
        write_at(root + 194, b"\0" + (605 - 186 - 4).to_bytes(2, "little") + b"\0")(data)
        write_at(root + 300, piece)(data)

    path.write_bytes(forgery.forge(change))
    with pytest.raises(GalleryFormatError, match="too many or too large"):
        Gallery.open(path, IDENTITY)


@pytest.mark.parametrize("length", [256, 70_000])
def test_a_model_name_that_no_folder_can_have_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ValueError, match=f"a model name of {length} characters"):
        replace(IDENTITY, name="m" * length)


@pytest.mark.parametrize("block", [0, 512, 4096, 1 << 16])
def test_hdf5_is_known_by_its_signature(tmp_path: Path, block: int) -> None:
    with h5py.File(tmp_path / "x.h5", "w", userblock_size=block):
        pass
    content = (tmp_path / "x.h5").read_bytes()
    assert is_hdf5(io.BytesIO(content))
    assert not is_hdf5(io.BytesIO(content.replace(b"HDF", b"HDG")))
    assert not is_hdf5(io.BytesIO(content[: block + 4]))
    assert not is_hdf5(io.BytesIO(os.urandom(3000)))
