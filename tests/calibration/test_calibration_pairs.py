"""Lists of pairs in all their forms, and every way to get one wrong."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facematch.calibration import (
    AllPairs,
    LabelledComparisons,
    PhotographPairs,
    Remarks,
    ScoreKind,
    group_failures,
    load_pairs,
    require_photographs,
)
from facematch.calibration import folders as folders_module
from facematch.calibration import pairs as pairs_module
from facematch.errors import (
    FacematchError,
    InputError,
    OneClassError,
    PairsFormatError,
    UsageError,
)
from facematch.imaging import reading
from facematch.metrics import all_pairs


def listed(folder: Path, content: str | bytes, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def photographs(path: Path, images: Path | None = None) -> PhotographPairs:
    found = load_pairs(path, images)
    assert isinstance(found, PhotographPairs)
    return found


def read(path: Path, images: Path | None = None) -> list[tuple[str, str, bool, int]]:
    root = path.parent if images is None else images
    found = photographs(path, images)
    names = [str(p.relative_to(root)) for p in found.photographs]
    return [
        (names[a], names[b], bool(same), int(line))
        for a, b, same, line in zip(found.a, found.b, found.labels.same, found.lines, strict=True)
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
    assert photographs(path, images).photographs == (
        images / "Fotos/Jürgen Ä.jpg",
        Path("/abs/y.jpg"),
        images / "one, two.jpg",
        images / "名.png",
    )


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
    content = "1\nAnn\t1\t2\nBob\t1\tCy\t2\n"
    assert read(listed(tmp_path, content), images) == [
        ("Ann/Ann_0001.png", "Ann/Ann_0002.jpg", True, 2),
        ("Bob/Bob_0001.webp", "Cy/Cy_0002.jpg", False, 3),  # missing: the usual name
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
        ("a;b;same\nx;y;1\n", "line 1", "separated by semicolons, not by commas"),
        ("distance;same\n0,3;1\n", "line 1", "separated by semicolons, not by commas"),
        ("Same\tSimilarity\n1\t0.5\n", "line 1", "separated by tabs, not by commas"),
        ("a|b|same|group\nx|y|1|z\n", "line 1", "separated by bars, not by commas"),
        ("a;b,c\nx;y,z\n", "line 1", "column 'a' is missing"),
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
    (tmp_path / "locked.csv").symlink_to(tmp_path / "locked.csv")
    for path in (tmp_path / "none.csv", tmp_path / "locked.csv"):
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
    assert photographs(path).photographs[0].name == f"{name}_0001.jpg"


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
        assert set(found.labels.same.tolist()) == {True, False}


@pytest.mark.photos
@pytest.mark.parametrize(
    ("name", "per_class"), [("pairsDevTrain.txt", 1100), ("pairsDevTest.txt", 500)]
)
def test_real_lfw_lists(data_pack: Path, name: str, per_class: int) -> None:
    found = photographs(data_pack / "lfw-view1" / name)
    assert found.labels.same.tolist() == [True] * per_class + [False] * per_class
    people = [path.parent for path in found.photographs]
    for a, b, same in zip(found.a, found.b, found.labels.same, strict=True):
        assert (people[a] == people[b]) is bool(same)
    assert found.labels.subjects is not None
    assert found.labels.subjects.count == len(set(people))
    assert found.remarks == Remarks()


def comparisons(path: Path) -> LabelledComparisons:
    found = load_pairs(path)
    assert isinstance(found, LabelledComparisons)
    return found


def test_distances_and_similarities_need_no_photographs(tmp_path: Path) -> None:
    distances = comparisons(listed(tmp_path, "distance,same\n0.25,1\n 1e0 ,0\n"))
    assert distances.kind is ScoreKind.DISTANCES
    assert distances.genuine.tolist() == [0.25]
    assert distances.impostor.tolist() == [1.0]
    assert distances.labels.subjects is None
    content = "Same,Similarity,subject_a,subject_b,group\ntrue,0.9,Ann,Ann,x\n0,-0.5,Ann,Bob,y\n"
    similarities = comparisons(listed(tmp_path, content))
    assert similarities.kind is ScoreKind.SIMILARITIES
    assert similarities.distances.tolist() == [-0.9, 0.5]
    subjects = similarities.labels.subjects
    assert subjects is not None
    assert (subjects.a.tolist(), subjects.b.tolist(), subjects.count) == ([0, 0], [0, 1], 2)
    group = similarities.labels.column("Group")
    assert group is not None
    assert (group.values, group.codes.tolist()) == (("x", "y"), [0, 1])


def test_scores_of_named_pictures_know_their_subjects(tmp_path: Path) -> None:
    content = "a,b,same,distance\n1,2,1,0.1\n2,3,1,0.2\n1,4,0,0.9\n"
    subjects = comparisons(listed(tmp_path, content)).labels.subjects
    assert subjects is not None
    assert subjects.inferred
    assert (subjects.a.tolist(), subjects.b.tolist()) == ([0, 0, 0], [0, 0, 3])


def test_subjects_are_given_or_follow_from_genuine_pairs(tmp_path: Path) -> None:
    rows = "x,y,1\n./y,z,1\nx,w,0\nz,v,0\n"
    subjects = photographs(listed(tmp_path, "a,b,same\n" + rows)).labels.subjects
    assert subjects is not None
    assert subjects.inferred
    assert subjects.a.tolist() == [0, 0, 0, 0]
    assert subjects.b.tolist() == [0, 0, 3, 4]
    content = "a,b,same,subject_a,subject_b\nx,y,1,Ann,Ann\nx,w,0,Ann,Bob\n"
    given = photographs(listed(tmp_path, content)).labels.subjects
    assert given is not None
    assert not given.inferred
    assert (given.a.tolist(), given.b.tolist(), given.count) == ([0, 0], [0, 1], 2)


def test_folds(tmp_path: Path) -> None:
    view2 = photographs(listed(tmp_path, "2\t1\nA\t1\t2\nA\t1\tB\t1\nC\t1\t2\nC\t1\tD\t1\n"))
    assert view2.labels.folds is not None
    assert view2.labels.folds.tolist() == [0, 0, 1, 1]
    assert photographs(listed(tmp_path, VIEW1)).labels.folds is None
    named = comparisons(listed(tmp_path, "distance,same,fold\n1,1,b\n2,0,a\n3,0,b\n"))
    assert named.labels.folds is not None
    assert named.labels.folds.tolist() == [0, 1, 0]
    assert named.labels.columns == ()


def test_remarks(tmp_path: Path) -> None:
    content = "a,b,same\nx,y,1\ny,x,1\nx,y,1\ny,z,1\nx,z,0\nx,w,0\n"
    assert photographs(listed(tmp_path, content)).remarks == Remarks(
        duplicates=2, contradictions=1, contradiction_line=6
    )


@pytest.mark.parametrize("row", ["x,x,1", "./x,x,1", "x,x,0"])
def test_a_picture_beside_itself_is_refused_unless_allowed(tmp_path: Path, row: str) -> None:
    path = listed(tmp_path, f"a,b,same\nx,y,1\nx,z,0\n{row}\n")
    with pytest.raises(PairsFormatError, match=r"line 4: the same picture .*--allow-self-pairs"):
        load_pairs(path)
    assert load_pairs(path, self_pairs_allowed=True).remarks.self_pairs == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,same\nx,y,1\nx,z,0\ny,x,0\n", "line 4: the pair of line 2 again"),
        ("a,b,same,subject_a\nx,y,1,A\n", "line 1: the column 'subject_b' is missing"),
        ("a,b,same,subject_a,subject_b\nx,y,1,A,B\n", "line 2: two subjects but same=1"),
        ("a,b,same,subject_a,subject_b\nx,y,1,A,A\nx,z,0,A,A\n", "line 3: one subject but"),
        ("a,b,same,subject_a,subject_b\nx,y,1,A,\n", "line 2: the name in column 'subject_b'"),
        ("distance,similarity,same\n1,1,1\n", "line 1: 'distance' and 'similarity'"),
        ("distance,same\n1,1\nnan,0\n", "line 3: 'distance' must be a finite number"),
        ("similarity,same\ninf,1\n", "line 2: 'similarity' must be a finite number"),
        ("distance,same\nnan,1\n", "got 'nan'; leave the cell empty where a pair could not be"),
        ("distance,same\n1e308,1\n", "line 2: 'distance' must lie between -1e+12 and 1e+12"),
        ("similarity,same\n-2e12,1\n", "line 2: 'similarity' must lie between"),
        ("distance,label\n1,1\n", "line 1: the column 'same' is missing"),
        ("a,b,same,g,g\nx,y,1,1,1\n", "line 1: the column 'g' is there more than once"),
        ("1\nA\t1\t2\nA\t1\tA\t3\n", "line 3: 'A' on both sides of an impostor pair"),
    ],
)
def test_contradictory_lists_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(PairsFormatError, match=re.escape(message)):
        load_pairs(listed(tmp_path, content))


def folder_of(root: Path, **people: int) -> Path:
    for name, count in people.items():
        for number in range(count):
            (root / name / "deeper").mkdir(parents=True, exist_ok=True)
            (root / name / "deeper" / f"{number}.jpg").touch()
    return root


def test_a_folder_of_subjects(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "people", ann=3, bob=2, cy=1)
    (root / "loose.jpg").touch()
    (root / ".hidden").mkdir()
    everything = load_pairs(root, impostors=None)
    assert isinstance(everything, PhotographPairs)
    people = [path.relative_to(root).parts[0] for path in everything.photographs]
    assert people == ["ann"] * 3 + ["bob"] * 2 + ["cy"]
    pairs = list(zip(everything.a.tolist(), everything.b.tolist(), strict=True))
    assert set(pairs) == {(i, j) for j in range(6) for i in range(j)}
    for (i, j), same in zip(pairs, everything.labels.same, strict=True):
        assert (people[i] == people[j]) is bool(same)
    assert everything.name == "people"


@pytest.mark.parametrize("impostors", [1, 4, 9, 10])
def test_impostors_of_a_folder_are_drawn_by_seed(tmp_path: Path, impostors: int) -> None:
    root = folder_of(tmp_path / "people", ann=3, bob=2, cy=1)
    drawn = [load_pairs(root, impostors=impostors, seed=seed) for seed in (1, 1, 2)]
    for found in drawn:
        assert isinstance(found, PhotographPairs)
        assert found.labels.subjects is not None
        assert int(found.labels.same.sum()) == 4
        keys = {(int(i), int(j)) for i, j in zip(found.a, found.b, strict=True)}
        assert len(keys) == len(found.a) == 4 + impostors
    assert drawn[0].sha256 == drawn[1].sha256
    assert impostors > 1 or drawn[0].sha256 != drawn[2].sha256


@pytest.mark.parametrize(
    ("people", "impostors", "error", "message"),
    [
        ({}, 5, OneClassError, "one sub-folder per subject"),
        ({"ann": 2}, 5, OneClassError, "without a second subject"),
        ({"ann": 1, "bob": 1}, 5, OneClassError, "without a subject with two photographs"),
        ({"ann": 2, "bob": 1}, 0, UsageError, "at least 1"),
    ],
)
def test_folders_that_give_no_pairs(
    tmp_path: Path,
    people: dict[str, int],
    impostors: int,
    error: type[FacematchError],
    message: str,
) -> None:
    root = folder_of(tmp_path / "people", **people)
    root.mkdir(exist_ok=True)
    with pytest.raises(error, match=message):
        load_pairs(root, impostors=impostors)


def test_of_more_pairs_than_fit_all_are_counted_and_no_part_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders_module, "MOST_PAIRS", 10)
    root = folder_of(tmp_path / "people", ann=3, bob=2, cy=1)
    for impostors in (None, 11, 500):
        everything = load_pairs(root, impostors=impostors, self_pairs_allowed=True)
        assert isinstance(everything, AllPairs)
        assert everything.subject.tolist() == [0, 0, 0, 1, 1, 2]
        assert [path.parent.parent.name for path in everything.photographs[2:4]] == ["ann", "bob"]
        assert everything.self_pairs_allowed
        assert everything.name == "people"
    with pytest.raises(UsageError, match=r"--impostors N, or count all with --impostors all"):
        load_pairs(root, impostors=7)
    assert isinstance(load_pairs(root, impostors=6), PhotographPairs)
    folder_of(root, di=1)
    other = load_pairs(root, impostors=None)
    assert isinstance(other, AllPairs)
    assert other.sha256 != everything.sha256
    monkeypatch.setattr(all_pairs, "MOST_PAIRS", 20)
    with pytest.raises(UsageError, match=r"more than the 20 that can be counted"):
        load_pairs(root, impostors=None)


def test_spaces_around_paths_are_not_part_of_them(tmp_path: Path) -> None:
    path = listed(tmp_path, 'a,b,same\n x.jpg ,y.jpg,1\n"x.jpg ",\tz.jpg ,0\n')
    assert photographs(path).photographs == tuple(tmp_path / f"{name}.jpg" for name in "xyz")


def test_the_unknown_photograph_is_named_with_its_list(tmp_path: Path) -> None:
    path = listed(tmp_path, "a,b,same\nx.jpg,y.jpg,1\nx.jpg,z.jpg,0\n")
    with pytest.raises(PairsFormatError, match=f"{path}, line 2: there is no photograph"):
        require_photographs(photographs(path))


@pytest.mark.parametrize("kind", ["distance", "similarity"])
def test_an_empty_cell_is_a_pair_that_could_not_be_compared(tmp_path: Path, kind: str) -> None:
    rows = ["1,1,A,A,x", ",1,A,A,y", "2,0,A,B,x", " ,0,A,C,y", ",0,B,C,x", "3,0,B,C,x"]
    content = "\n".join([f"{kind},same,subject_a,subject_b,group", *rows])
    listed_pairs = comparisons(listed(tmp_path, content))
    assert listed_pairs.compared.tolist() == [True, False, True, False, False, True]
    assert len(listed_pairs.labels.same) == 6
    found = listed_pairs.measured()
    sign = -1 if kind == "similarity" else 1
    assert found.distances.tolist() == [sign * 1, sign * 2, sign * 3]
    assert found.labels.same.tolist() == [True, False, False]
    assert (found.lost_genuine, found.lost_impostor) == (1, 2)
    group = found.labels.column("group")
    assert group is not None
    assert group.codes.tolist() == [0, 0, 0]
    lost = group_failures(listed_pairs, "group", None)
    assert [(one.value, one.lost_genuine, one.lost_impostor) for one in lost] == [
        ("x", 0, 1),
        ("y", 1, 1),
    ]
    complete = comparisons(listed(tmp_path, "distance,same,group\n1,1,x\n2,0,x\n"))
    assert complete.measured() is complete
    assert group_failures(complete, "group", None) == ()


@pytest.mark.parametrize(("same", "kind"), [(1, "genuine"), (0, "impostor")])
def test_a_class_without_a_distance(tmp_path: Path, same: int, kind: str) -> None:
    path = listed(tmp_path, f"distance,same\n,{same}\n,{same}\n1,{1 - same}\n")
    with pytest.raises(OneClassError, match=f"no {kind} pair has a distance; 2 pairs"):
        comparisons(path).measured()


def test_the_hash_of_a_folder_covers_what_its_photographs_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder_of(tmp_path / "people", ann=2, bob=1)
    held = load_pairs(root)
    monkeypatch.setattr(folders_module, "MOST_PAIRS", 1)
    counted = load_pairs(root, impostors=None)
    assert isinstance(held, PhotographPairs)
    assert isinstance(counted, AllPairs)
    for pairs in (held, counted):
        one = pairs.with_contents(["1" * 64, "2" * 64, None])
        other = pairs.with_contents(["1" * 64, "3" * 64, None])
        assert one.sha256 == pairs.with_contents(["1" * 64, "2" * 64, None]).sha256
        assert len({pairs.sha256, one.sha256, other.sha256}) == 3
        assert one.photographs_sha256 != other.photographs_sha256
    by_hand = hashlib.sha256(f"{'1' * 64}\n{'2' * 64}\n\n".encode()).hexdigest()
    assert held.with_contents(["1" * 64, "2" * 64, None]).photographs_sha256 == by_hand


def test_the_hash_of_a_list_stays_that_of_its_file(tmp_path: Path) -> None:
    path = listed(tmp_path, "a,b,same\nx,y,1\nx,z,0\n")
    pairs = photographs(path)
    one = pairs.with_contents(["1" * 64, "2" * 64, "3" * 64])
    assert one.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert one.photographs_sha256 is not None
    assert pairs.photographs_sha256 is None


def test_a_list_from_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("distance,same\n0.1,1\n0.9,0\n",))
    writer.start()
    assert isinstance(load_pairs(pipe), LabelledComparisons)
    writer.join()
    monkeypatch.setattr(reading, "PIPE_PATIENCE_S", 0.01)
    with pytest.raises(InputError, match="pipe: a pipe that nobody writes to"):
        load_pairs(pipe)
