"""Lists of pairs in all their forms, and every way to get one wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facematch.calibration import load_pairs
from facematch.calibration import pairs as pairs_module
from facematch.errors import FacematchError, InputError, OneClassError, PairsFormatError

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "lfw-view1"


def listed(folder: Path, content: str | bytes, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def read(path: Path, images: Path | None = None) -> list[tuple[str, str, bool, int]]:
    root = path.parent if images is None else images
    return [
        (str(p.a.relative_to(root)), str(p.b.relative_to(root)), p.same, p.line)
        for p in load_pairs(path, images).pairs
    ]


TWO = [("x.jpg", "y.jpg", True, 2), ("x.jpg", "z.jpg", False, 3)]


@pytest.mark.parametrize(
    "content",
    [
        "a,b,same\nx.jpg,y.jpg,1\nx.jpg,z.jpg,0\n",
        "a,b,same\nx.jpg,y.jpg,1\nx.jpg,z.jpg,0",  # no final line end
        "a,b,same\r\nx.jpg,y.jpg,TRUE\r\nx.jpg,z.jpg,False\r\n",
        "\ufeffa,b,same\nx.jpg,y.jpg,yes\nx.jpg,z.jpg,NO\n",  # byte order mark
        "same,note,b,a\n1,hello,y.jpg,x.jpg\n0,,z.jpg,x.jpg\n",  # any order, extra columns
        " A , B , Same \nx.jpg, y.jpg, 1\nx.jpg, z.jpg , 0 \n".replace(" , 0", ", 0"),
        'a,b,same\n"x.jpg","y.jpg",1\n"x.jpg","z.jpg",0\n',
        "a,b,same\nx.jpg,y.jpg,1\nx.jpg,z.jpg,0\n\n\n",  # blank lines at the end
    ],
)
def test_csv(tmp_path: Path, content: str) -> None:
    assert read(listed(tmp_path, content)) == TWO


def test_csv_paths(tmp_path: Path) -> None:
    content = 'a,b,same\nFotos/Jürgen Ä.jpg,/abs/y.jpg,1\n"one, two.jpg",名.png,0\n'
    path = listed(tmp_path, content)
    images = tmp_path / "elsewhere"
    first, second = load_pairs(path, images).pairs
    assert first.a == images / "Fotos/Jürgen Ä.jpg"
    assert first.b == Path("/abs/y.jpg")
    assert second.a == images / "one, two.jpg"
    assert second.b == images / "名.png"


def test_name_and_hash(tmp_path: Path) -> None:
    path = listed(tmp_path, "a,b,same\nx,y,1\nx,z,0\n", "my\n\udcff pairs.csv")
    found = load_pairs(path)
    assert found.name == "my?? pairs.csv"
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


VIEW1 = "2\nAnn\t1\t2\nBob_Lee\t3\t14\nAnn\t1\tBob_Lee\t3\nCy\t10\tAnn\t2\n"


@pytest.mark.parametrize("content", [VIEW1, VIEW1.replace("\n", "\r\n"), VIEW1 + "\n\n"])
def test_lfw_view_1(tmp_path: Path, content: str) -> None:
    assert read(listed(tmp_path, content)) == [
        ("Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", True, 2),
        ("Bob_Lee/Bob_Lee_0003.jpg", "Bob_Lee/Bob_Lee_0014.jpg", True, 3),
        ("Ann/Ann_0001.jpg", "Bob_Lee/Bob_Lee_0003.jpg", False, 4),
        ("Cy/Cy_0010.jpg", "Ann/Ann_0002.jpg", False, 5),
    ]


def test_lfw_view_2(tmp_path: Path) -> None:
    fold = "Ann\t1\t2\nAnn\t1\tBob\t1\n"
    found = read(listed(tmp_path, "3\t1\n" + fold * 3))
    assert [(same, line) for _, _, same, line in found] == [
        (True, 2),
        (False, 3),
        (True, 4),
        (False, 5),
        (True, 6),
        (False, 7),
    ]


def test_lfw_other_suffixes_only_without_the_jpg(tmp_path: Path) -> None:
    images = tmp_path / "images"
    for name in ("Ann/Ann_0001.png", "Ann/Ann_0002.jpg", "Ann/Ann_0002.png", "Bob/Bob_0001.webp"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).touch()
    content = "1\nAnn\t1\t2\nBob\t1\tBob\t2\n"
    assert read(listed(tmp_path, content), images) == [
        ("Ann/Ann_0001.png", "Ann/Ann_0002.jpg", True, 2),
        ("Bob/Bob_0001.webp", "Bob/Bob_0002.jpg", False, 3),  # missing: the usual name
    ]


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        # CSV
        ("", "line 1", "column 'a' is missing"),
        ("\n\n", "line 1", "column 'a' is missing"),
        ("a,c,same\nx,y,1\n", "line 1", "column 'b' is missing (found: a, c, same)"),
        ("a,b\nx,y\n", "line 1", "column 'same' is missing"),
        ("x.jpg,y.jpg,1\n", "line 1", "column 'a' is missing"),
        ("a;b;same\nx;y;1\n", "line 1", "column 'a' is missing"),
        ("a,a,b,same\nx,x,y,1\n", "line 1", "column 'a' is there more than once"),
        ("a,b,same\nx,y,1\nx,y,maybe\n", "line 3", "'same' must be 1/0"),
        ("a,b,same\nx,y,\n", "line 2", "'same' must be 1/0"),
        ("a,b,same\n,y,1\n", "line 2", "the path in column 'a' is empty"),
        ("a,b,same\nx,  ,1\n", "line 2", "the path in column 'b' is empty"),
        ("a,b,same\nx,y,1\nx,1\n", "line 3", "expected 3 fields, got 2"),
        ("a,b,same\nx,y,1,z\n", "line 2", "expected 3 fields, got 4"),
        ('a,b,same\nx,y,1\n"x,z,0\n', "line 3", "not valid CSV"),
        ("a,b,same\n" + "x" * 200_000 + ",y,1\n", "line 2", "not valid CSV"),
        ("a,b,same\n", "", "holds no pairs"),
        # not text
        (b"a,b,same\nx,y,1\nx,\xe4,0\n", "line 3", "not UTF-8"),
        (b"a,b,same\nx,y\0,1\n", "line 2", "NUL"),
        ("a,b,same\nx,y,1\n".encode("utf-16"), "line 1", "not UTF-8"),
        # LFW
        ("0\n", "", "holds no pairs"),
        ("2\nAnn\t1\t2\n", "line 1", "announces 4 pairs"),
        ("1\nAnn\t1\t2\nAnn\t1\tBob\t1\nAnn\t1\tCy\t1\n", "line 1", "but 3 lines follow"),
        ("10\t300\nAnn\t1\t2\n", "line 1", "announces 6000 pairs"),
        ("1\nAnn\t1\t2\t3\nAnn\t1\tBob\t1\n", "line 2", "expected a genuine pair of 3 fields"),
        ("1\nAnn 1 2\nAnn\t1\tBob\t1\n", "line 2", "separated by tabs"),
        ("1\nAnn\t1\t2\n\nAnn\t1\t2\n", "line 4", "expected an impostor pair of 4 fields"),
        ("1\nAnn\t1\tx\nAnn\t1\tBob\t1\n", "line 2", "'x' is not the number"),
        ("1\nAnn\t1\t2\nAnn\t-1\tBob\t1\n", "line 3", "'-1' is not the number"),
        ("1\nAnn\t1\t٢\nAnn\t1\tBob\t1\n", "line 2", "is not the number"),
        ("1\n../etc\t1\t2\nAnn\t1\tBob\t1\n", "line 2", "is not the name of a person"),
        ("1\nAnn\t1\t2\nAnn\t1\t\t1\n", "line 3", "'' is not the name of a person"),
    ],
)
def test_errors_name_file_and_line(
    tmp_path: Path, content: str | bytes, where: str, what: str
) -> None:
    path = listed(tmp_path, content)
    with pytest.raises(PairsFormatError) as caught:
        load_pairs(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, {where}: " if where else f"{path}: ")
    assert what in message
    assert "\n" not in message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("content", "lacking"),
    [
        ("a,b,same\nx,y,1\nx,z,1\n", "different people"),
        ("a,b,same\nx,y,0\n", "one person"),
    ],
)
def test_one_class(tmp_path: Path, content: str, lacking: str) -> None:
    with pytest.raises(OneClassError, match=f"no pairs of {lacking}"):
        load_pairs(listed(tmp_path, content))


def test_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError) as caught:
            load_pairs(path)
        assert str(path) in str(caught.value)
        assert caught.value.exit_code == 3


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "MAX_BYTES", 10)
    with pytest.raises(PairsFormatError, match="larger than"):
        load_pairs(listed(tmp_path, "a,b,same\nx,y,1\n"))


def test_lfw_names_that_no_file_system_takes(tmp_path: Path) -> None:
    name = "x" * 5000
    path = listed(tmp_path, f"1\n{name}\t1\t2\nAnn\t1\tBob\t1\n")
    assert load_pairs(path).pairs[0].a.name == f"{name}_0001.jpg"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet='12\t\n\r, "abesm', max_size=80).map(str.encode),
        st.text(alphabet='xy10,\n" ', max_size=80).map(lambda t: f"a,b,same\n{t}".encode()),
    )
)
def test_junk_is_never_a_crash(tmp_path: Path, content: bytes) -> None:
    path = listed(tmp_path, content)
    try:
        found = load_pairs(path)
    except FacematchError as exc:
        assert str(path) in str(exc)  # noqa: PT017
        assert "\n" not in str(exc).removeprefix(str(path))  # noqa: PT017
    else:
        assert {pair.same for pair in found.pairs} == {True, False}


@pytest.mark.photos
@pytest.mark.parametrize(
    ("name", "per_class"), [("pairsDevTrain.txt", 1100), ("pairsDevTest.txt", 500)]
)
def test_real_lfw_lists(name: str, per_class: int) -> None:
    if not (REAL / name).is_file():
        pytest.skip(f"the data pack is not there: {REAL / name}")
    found = load_pairs(REAL / name).pairs
    assert [pair.same for pair in found] == [True] * per_class + [False] * per_class
    assert all((pair.a.parent == pair.b.parent) is pair.same for pair in found)
