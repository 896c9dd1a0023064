"""The envelope: what is in it comes out again or not at all."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from gallery_fakes import cheap, keys_with
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch.errors import (
    ConfigurationError,
    GalleryCorruptError,
    GalleryFormatError,
    GalleryKeyError,
    UsageError,
)
from facematch.gallery import envelope
from facematch.gallery.envelope import (
    CHUNK_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    Header,
    MasterKey,
    Method,
    Stretch,
    decrypt,
    decrypt_damaged,
    encrypt,
    read_header,
)
from facematch.gallery.keys import Keys, Secret, make_key, passphrase, read_key, read_passphrase

PATH = Path("g.h5")
MASTER = Stretch(Method.KEY_FILE, (0, 0, 0), bytes(16)).derive(bytes(range(32)))
STEP = CHUNK_BYTES + TAG_BYTES


def sealed(plain: bytes, master: MasterKey = MASTER) -> bytes:
    file = io.BytesIO()
    encrypt(io.BytesIO(plain), master, file)
    return file.getvalue()


def opened(content: bytes, master: MasterKey = MASTER) -> bytes:
    header = read_header(content[:HEADER_BYTES], PATH)
    return decrypt(io.BytesIO(content), header, master, PATH).getvalue()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])
def test_what_goes_in_comes_out(size: int) -> None:
    plain = (bytes(range(256)) * (size // 256 + 1))[:size]
    content = sealed(plain)
    assert len(content) == HEADER_BYTES + size + TAG_BYTES * max(1, -(-size // CHUNK_BYTES))
    assert opened(content) == plain
    assert sealed(plain)[HEADER_BYTES:] != content[HEADER_BYTES:]  # each file has a key of its own


def test_the_layout_is_the_documented_one() -> None:
    """Opened again by hand, with nothing but the words of the specification."""
    stretch = Stretch(Method.SCRYPT, (4, 8, 1), b"0123456789abcdef")
    plain = bytes(CHUNK_BYTES) + b"the end"
    content = sealed(plain, stretch.derive(b"correct horse"))
    assert content[:8] == b"FACECRPT"
    assert content[8:32] == b"".join(n.to_bytes(4, "little") for n in (1, 2, 4, 8, 1, 0))
    assert content[32:48] == stretch.salt
    assert content[112:128] == hashlib.sha256(content[:112]).digest()[:16]
    master = Scrypt(salt=content[32:48], length=32, n=16, r=8, p=1).derive(b"correct horse")
    key = HKDF(SHA256(), 32, content[48:80], b"facematch gallery chunks").derive(master)
    first = AESGCM(key).decrypt(bytes(12), content[128 : 128 + STEP], None)
    last = AESGCM(key).decrypt(bytes(10) + b"\1\1", content[128 + STEP :], None)
    assert first + last == plain


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bit_can_be_turned(data: st.DataObject) -> None:
    content = bytearray(CONTENT)
    offset = data.draw(st.integers(0, len(content) - 1))
    content[offset] ^= 1 << data.draw(st.integers(0, 7))
    header = bytes(content[:HEADER_BYTES])
    if offset < 8:
        assert not envelope.is_encrypted(header)
        return
    with pytest.raises(GalleryCorruptError, match=r"g\.h5 is damaged"):
        opened(bytes(content))


CONTENT = sealed(bytes(3 * CHUNK_BYTES + 99))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c[: HEADER_BYTES + 3 * STEP], id="last chunk cut off"),
        pytest.param(lambda c: c[: HEADER_BYTES + STEP], id="three cut off"),
        pytest.param(lambda c: c[:HEADER_BYTES], id="all cut off"),
        pytest.param(lambda c: c[:-1], id="a byte cut off"),
        pytest.param(lambda c: c + b"\0", id="a byte more"),
        pytest.param(lambda c: c + c[-115:], id="the last twice"),
        pytest.param(lambda c: c[:128] + c[128 + STEP :], id="the first left out"),
        pytest.param(
            lambda c: c[:128] + c[128 + STEP : 128 + 2 * STEP] + c[128 : 128 + STEP]
            + c[128 + 2 * STEP :],
            id="two exchanged",
        ),
        pytest.param(lambda c: c[:-115] + sealed(bytes(3 * CHUNK_BYTES + 99))[-115:], id="mixed"),
    ],
)  # fmt: skip
def test_chunks_cannot_be_moved(change: object) -> None:
    assert callable(change)
    with pytest.raises(GalleryCorruptError, match="gallery repair"):
        opened(change(CONTENT))


def test_a_repair_gets_what_is_sound_and_zeros() -> None:
    plain = bytes([1]) * CHUNK_BYTES + bytes([2]) * CHUNK_BYTES + bytes([3]) * 99
    content = bytearray(sealed(plain))
    header = read_header(bytes(content[:HEADER_BYTES]), PATH)
    content[HEADER_BYTES + 5] ^= 1
    found = decrypt_damaged(io.BytesIO(content), header, MASTER).getvalue()
    assert found == bytes(CHUNK_BYTES) + plain[CHUNK_BYTES:]
    cut = io.BytesIO(content[: HEADER_BYTES + 2 * STEP])
    assert decrypt_damaged(cut, header, MASTER).getvalue() == found[: 2 * CHUNK_BYTES]
    cut = io.BytesIO(content[: HEADER_BYTES + 2 * STEP - 1])
    zeros = bytes(CHUNK_BYTES - 1)
    assert decrypt_damaged(cut, header, MASTER).getvalue() == bytes(CHUNK_BYTES) + zeros


@pytest.mark.parametrize(
    ("method", "cost"),
    [
        (Method.ARGON2ID, (3, 4, 1 << 22)),
        (Method.ARGON2ID, (1 << 31, 4, 1 << 16)),
        (Method.ARGON2ID, (0, 4, 1 << 16)),
        (Method.ARGON2ID, (3, 1 << 20, 1 << 16)),
        (Method.ARGON2ID, (3, 4, 31)),
        (Method.SCRYPT, (31, 1, 1)),
        (Method.SCRYPT, (24, 16, 1)),
        (Method.SCRYPT, (4, 8, 1 << 31)),
        (Method.SCRYPT, (0, 8, 1)),
        (Method.KEY_FILE, (1, 0, 0)),
    ],
)
def test_no_file_can_ask_for_endless_work(method: Method, cost: tuple[int, int, int]) -> None:
    hostile = Header(Stretch(method, cost, bytes(16)), bytes(32), bytes(32))
    with pytest.raises(GalleryFormatError, match="does not pay"):
        read_header(hostile.pack(), PATH)


def test_newer_envelopes_are_refused_as_such() -> None:
    header = bytearray(CONTENT[:112])
    for offset in (8, 12):
        newer = header.copy()
        newer[offset] = 9
        newer += hashlib.sha256(newer).digest()[:16]
        with pytest.raises(GalleryFormatError, match="a newer one"):
            read_header(bytes(newer), PATH)


def test_what_facematch_chooses_is_affordable_and_strong() -> None:
    chosen = Stretch.of_passphrase()
    assert (chosen.method, chosen.cost) == (Method.ARGON2ID, (3, 4, 65536))
    assert chosen.affordable
    assert Stretch.of_passphrase().salt != chosen.salt
    assert Stretch(Method.SCRYPT, (17, 8, 1), bytes(16)).affordable
    assert Stretch.of_key_file().affordable


def test_without_argon2id_there_is_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm

    def missing(stretch: Stretch, secret: bytes) -> bytes:
        raise UnsupportedAlgorithm("no Argon2id")

    monkeypatch.setattr(envelope, "_argon2id", missing)
    assert Stretch.of_passphrase().method is Method.SCRYPT
    with pytest.raises(ConfigurationError, match="has no ARGON2ID"):
        cheap().derive(b"x")


def test_a_secret_is_in_no_text() -> None:
    keys = keys_with("correct horse")
    master = keys.new_master(PATH)
    for shown in (repr(keys), repr(master), repr(passphrase("correct horse")), str(vars(keys))):
        assert "horse" not in shown
        assert repr(master.key) not in shown


def test_the_right_secret_is_told_from_the_wrong_one() -> None:
    keys = keys_with("Zoë’s horse")
    content = sealed(b"x", keys.new_master(PATH))
    header = read_header(content[:HEADER_BYTES], PATH)
    decomposed = keys_with("Zoe\u0308’s horse")
    assert opened(content, decomposed.master(header, PATH)) == b"x"
    for wrong, words in (
        (keys_with("Zoe’s horse"), "this is not its passphrase"),
        (Keys(), "give --passphrase-file, or run this on a terminal"),
        (Keys(Secret(bytes(32), is_key=True)), "encrypted with a passphrase, not a key file"),
    ):
        with pytest.raises(GalleryKeyError, match=words):
            wrong.master(header, PATH)
    content = sealed(b"x")
    header = read_header(content[:HEADER_BYTES], PATH)
    for wrong, words in (
        (keys_with(), "encrypted with a key file; give --key-file"),
        (Keys(ask=lambda question: pytest.fail("asked")), "give --key-file"),
        (Keys(Secret(bytes(32), is_key=True)), "this is not its key in the key file"),
    ):
        with pytest.raises(GalleryKeyError, match=words):
            wrong.master(header, PATH)


def test_a_person_is_asked_once() -> None:
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(question)
        return "correct horse"

    keys = Keys(ask=answer, new_stretch=cheap)
    master = keys.new_master(PATH)
    assert questions == ["New passphrase of g.h5: ", "The same again: "]
    content = sealed(b"x", master)
    header = read_header(content[:HEADER_BYTES], PATH)
    assert keys.master(header, PATH) == master
    other = Keys(ask=answer)
    assert other.master(header, PATH) == other.master(header, PATH) == master
    assert questions[2:] == ["Passphrase of g.h5: "]


def test_new_passphrases_that_cannot_be() -> None:
    answers = iter(["correct horse", "correct house"])
    with pytest.raises(UsageError, match="differ"):
        Keys(ask=lambda question: next(answers)).new_master(PATH)
    with pytest.raises(UsageError, match="at least 8"):
        keys_with("ëëëëëëë").new_master(PATH)
    with pytest.raises(GalleryKeyError, match="or run this on a terminal"):
        Keys().new_master(PATH)


def test_files_of_secrets(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for content in (b"correct horse", b"correct horse\n\n", b"correct horse\r\n"):
        path.write_bytes(content)
        assert read_passphrase(path) == passphrase("correct horse")
    for content, words in (
        (b"", "empty"),
        (b"\n", "empty"),
        (b"a\nb", "one line"),
        (b"a" * 5000, "one line"),
        (b"\xff", "UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=words):
            read_passphrase(path)
    with pytest.raises(GalleryKeyError, match="cannot read"):
        read_passphrase(tmp_path / "none")
    key = tmp_path / "key"
    make_key(key)
    assert key.stat().st_mode & 0o777 == 0o600
    assert read_key(key).is_key
    assert len(read_key(key).content) == 32
    path.write_bytes(key.read_bytes()[:-2])
    with pytest.raises(GalleryKeyError, match="is not a key file"):
        read_key(path)
