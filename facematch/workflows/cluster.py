"""Sort photographs of nobody knows whom into people."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facematch.calibration.choice import DecisionThreshold
from facematch.errors import NoFaceError, OutputError, UsageError
from facematch.gallery.atomic import replacing
from facematch.metrics.distances import pairwise
from facematch.overwriting import require_replaceable
from facematch.pipeline import AnalyzedPhotograph, Analyzer, Failure
from facematch.types import Float32Array, Int64Array

# All distances are held at once: 400 MB for this many.
LARGEST = 10_000

_LIST_HEADER = ("subject", "path")
_PLACEHOLDER = re.compile(r"person-\d{3,}")


@dataclass(frozen=True, slots=True)
class Person:
    """Photographs that seem to show one person.

    Attributes:
        name: a placeholder, ``person-001`` for the one with the most photographs.
        paths: the photographs, in the order given.
        spread: largest distance between two of them; 0 for a single one.
    """

    name: str
    paths: tuple[str, ...]
    spread: float


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """People, those with the most photographs first, and what could not be used."""

    people: tuple[Person, ...]
    failed: tuple[Failure, ...]


def cluster(
    paths: Sequence[Path],
    analyzer: Analyzer,
    decision: DecisionThreshold,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ClusterResult:
    """Groups photographs by the face that :func:`enroll` would take of each.

    Args:
        paths: the photographs.
        analyzer: choosing one face of a photograph.
        decision: groups are joined while the mean distance between them is within it.
        progress: called with photographs done and in all.

    Raises:
        NoFaceError: no photograph has a face.
        UsageError: more photographs than can be compared at once.
    """
    if len(paths) > LARGEST:
        raise UsageError(f"{len(paths)} photographs; cluster takes up to {LARGEST} at once")
    used: list[AnalyzedPhotograph] = []
    templates: list[Float32Array] = []
    failed: list[Failure] = []
    with closing(analyzer.stream(paths)) as outcomes:
        for done, outcome in enumerate(outcomes, start=1):
            if isinstance(outcome, Failure):
                failed.append(outcome)
            else:
                used.append(outcome[0])
                templates.append(outcome[1][:1])
            progress(done, len(paths))
    if not used:
        raise NoFaceError(f"no face in {len(paths)} photographs: {failed[0].reason}")
    distances = pairwise(np.concatenate(templates), np.concatenate(templates), decision.metric)
    labels = group(distances, decision.threshold)
    groups = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    groups.sort(key=lambda rows: (-len(rows), int(rows[0])))
    digits = max(3, len(str(len(groups))))
    people = tuple(
        Person(
            f"person-{number:0{digits}}",
            tuple(used[row].path for row in rows.tolist()),
            float(distances[np.ix_(rows, rows)].max()) if len(rows) > 1 else 0.0,
        )
        for number, rows in enumerate(groups, start=1)
    )
    return ClusterResult(people, tuple(failed))


def group(distances: Float32Array, threshold: float) -> Int64Array:
    """Average-linkage clustering (Sokal and Michener 1958) of a matrix of distances.

    Single linkage would chain strangers through those between them; complete linkage would
    part a person from one bad photograph of theirs.

    Args:
        distances: float32 (n, n), symmetric.
        threshold: groups are joined while the mean distance between them is at most this.

    Returns:
        int64 (n,), numbers of groups from 0 without gaps.

    >>> near, far = 0.1, 0.9
    >>> matrix = np.array([[0, near, far], [near, 0, far], [far, far, 0]], np.float32)
    >>> labels = group(matrix, 0.5)
    >>> bool(labels[0] == labels[1]), bool(labels[0] == labels[2])
    (True, False)
    """
    if len(distances) == 1:
        return np.zeros(1, np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    symmetric = (distances.astype(np.float64) + distances.T) / 2
    np.fill_diagonal(symmetric, 0)
    tree = linkage(squareform(symmetric, checks=False), "average")
    found: Int64Array = fcluster(tree, threshold, "distance").astype(np.int64) - 1
    return found


def require_list_place(path: Path) -> None:
    """Lets a list of people replace nothing but one in which no name was put in.

    Raises:
        OutputError: something else is there.
    """
    require_replaceable(path, "a list of people without names", _is_list)


def write_list(people: Sequence[Person], path: Path) -> None:
    """Write the CSV that ``enroll`` takes, for names to be put in.

    Raises:
        OutputError: it cannot be written, or something else is there.
    """
    require_list_place(path)
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(_LIST_HEADER)
        for person in people:
            # Absolute, so that no cell can begin as a formula does.
            table.writerows([person.name, str(Path(p).absolute())] for p in person.paths)


def _is_list(path: Path) -> bool:
    """Whether a file is what was written before: one in which names were put in is not."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file)
            return tuple(next(rows, ())) == _LIST_HEADER and all(
                len(row) == len(_LIST_HEADER) and _PLACEHOLDER.fullmatch(row[0]) for row in rows
            )
    except (OSError, csv.Error):
        return False


def write_folders(people: Sequence[Person], folder: Path) -> None:
    """Copy the photographs into one sub-folder per person, which ``enroll`` takes, too.

    Raises:
        UsageError: the folder holds something already.
        OutputError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder}: is not empty; give a new folder")
        for person in people:
            (folder / person.name).mkdir(mode=0o700)
            for number, source in enumerate(map(Path, person.paths), start=1):
                # Two photographs of one name may come from different folders.
                shutil.copyfile(source, folder / person.name / f"{number:04}-{source.name}")
    except OSError as exc:
        raise OutputError(
            f"cannot write to {folder}: {exc.strerror or exc}; check the folder and its space"
        ) from exc
