from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from facematch.choices import Device, FaceChoice
from facematch.pipeline import Analyzer, TemplateSource, open_analyzer, open_templates


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def lfw(data_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LFW View 1: photographs and pairs files in one folder."""
    folder = unpacked(data_pack / "lfw-view1" / "images.zip", tmp_path_factory.mktemp("lfw"))
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt"):
        (folder / name).write_bytes((data_pack / "lfw-view1" / name).read_bytes())
    return folder


@pytest.fixture(scope="session")
def wild(data_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Full photographs, one folder per identity."""
    return unpacked(data_pack / "wild" / "photos.zip", tmp_path_factory.mktemp("wild"))


@pytest.fixture(scope="session")
def analyzer() -> Analyzer:
    """The default model on the CPU with the defaults of enroll, verify and calibrate."""
    return open_analyzer(device=Device.CPU, choice=FaceChoice.CENTER)[0]


@pytest.fixture(scope="session")
def templates() -> TemplateSource:
    """The same for many photographs; what one test embedded, the next takes from the cache."""
    return open_templates(device=Device.CPU, choice=FaceChoice.CENTER)[0]
