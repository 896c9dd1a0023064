from __future__ import annotations

import pytest
from fakes import FakeDetector, FakeNetwork

from facematch.pipeline import Analyzer
from facematch.types import FaceChoice


@pytest.fixture
def analyzer() -> Analyzer:
    return Analyzer(FakeDetector(), FakeNetwork(), choice=FaceChoice.LARGEST)


@pytest.fixture
def all_faces() -> Analyzer:
    return Analyzer(FakeDetector(), FakeNetwork(), choice=FaceChoice.ALL)
