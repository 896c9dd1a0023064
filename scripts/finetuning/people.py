"""Who is learned from, who is held out, and who are strangers: photographs laid out in folders."""

from __future__ import annotations

import shutil
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath

OWN, ASIDE, STRANGERS = "people", "aside", "strangers"
PEOPLE = 50


def lay_out(archive: Path, root: Path, people: int = PEOPLE) -> None:
    """Writes three folders with a sub-folder per person, unless they are there.

    The people with most photographs are a user's own: of each the photographs in the order of
    their names go to ``people`` and to ``aside`` in turn, so that ``people`` has the odd one.
    All others with two photographs or more are ``strangers``.

    Args:
        archive: zip of ``Name/Name_0001.jpg``.
        root: the folder of the three.
        people: how many are a user's own.
    """
    if root.is_dir():
        return
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(archive) as photographs:
        for name, place in places(photographs.namelist(), people).items():
            target = partial / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(photographs.read(name))
    partial.rename(root)


def places(names: list[str], people: int = PEOPLE) -> dict[str, str]:
    """Where each photograph of an archive goes, below the root; those of no use are missing."""
    of_person: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        path = PurePosixPath(name)
        if path.suffix == ".jpg":
            of_person[path.parent.name].append(name)
    # By name where they have as many, so that the choice depends on the archive alone.
    ranked = sorted(of_person, key=lambda person: (-len(of_person[person]), person))
    found: dict[str, str] = {}
    for person in ranked[:people]:
        for number, name in enumerate(of_person[person]):
            kind = ASIDE if number % 2 else OWN
            found[name] = f"{kind}/{person}/{PurePosixPath(name).name}"
    for person in ranked[people:]:
        if len(of_person[person]) >= 2:
            for name in of_person[person]:
                found[name] = f"{STRANGERS}/{person}/{PurePosixPath(name).name}"
    return found
