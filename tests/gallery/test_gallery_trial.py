"""A structure that kills its reader kills a child."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from gallery_fakes import make_gallery

from facematch.errors import GalleryFormatError
from facematch.gallery.trial import try_structure


def test_a_sound_gallery_and_what_is_none_are_tried_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    make_gallery(path, ["a"])
    try_structure(path, path.stat().st_size)
    path.write_bytes(b"none")
    try_structure(path, 4)  # what is wrong is for the caller to find
    try_structure(tmp_path / "missing", 4)


@pytest.mark.parametrize(("ending", "told"), [("kill -SEGV $$", "SIGSEGV"), ("exit 70", "70")])
def test_a_child_that_dies_is_an_error_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, told: str
) -> None:
    dying = tmp_path / "python"
    dying.write_text(f"#!/bin/sh\n{ending}\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(GalleryFormatError, match=rf"g\.h5 is damaged: .*\({told}\); ") as caught:
        try_structure(tmp_path / "g.h5", 100)
    assert len(str(caught.value).splitlines()) == 1
