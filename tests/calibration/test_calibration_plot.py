"""The ROC as a picture."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facematch.calibration import Calibration, plot_roc
from facematch.calibration.plot import roc_steps
from facematch.errors import OutputError
from facematch.metrics import Interval, VerificationCurve, tar_at_fmr, verification_curve


@pytest.fixture
def curve() -> VerificationCurve:
    rng = np.random.default_rng(0)
    return verification_curve(rng.normal(0.4, 0.15, 300), rng.normal(0.9, 0.15, 400))


def test_png(curve: VerificationCurve, calibration: Calibration, tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "roc.png"
    plot_roc(curve, calibration, path)
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == (672, 840, 3)
    blue, green, red = (picture[:, :, c].astype(int) for c in range(3))
    # The curve is blue and the operating point red.
    assert int(((blue - red) > 80).sum()) > 500
    assert int(((red - green) > 120).sum()) > 30
    assert [p.name for p in tmp_path.iterdir()] == ["roc.png"]


def test_svg_is_the_same_every_time(
    curve: VerificationCurve, calibration: Calibration, tmp_path: Path
) -> None:
    plot_roc(curve, calibration, tmp_path / "roc.SVG")
    text = (tmp_path / "roc.SVG").read_text("utf-8")
    assert text.startswith("<?xml")
    assert "<svg" in text
    assert "dc:date" not in text


@pytest.mark.parametrize("name", ["$x^{$.csv", "名前.csv", "ß\u202e"])
def test_any_name_can_be_drawn(
    curve: VerificationCurve, calibration: Calibration, tmp_path: Path, name: str
) -> None:
    printable = "".join(c for c in name if c.isprintable())
    plot_roc(curve, replace(calibration, pairs_name=printable), tmp_path / "roc.png")
    assert (tmp_path / "roc.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("genuine", "impostor", "fmr", "fnmr"),
    [
        ([0.1], [0.9], 0.0, 0.0),  # FMR zero: at the left edge
        ([0.9], [0.1], 1.0, 1.0),
        ([0.5], [0.5], 0.0, 1.0),
    ],
)
def test_extreme_operating_points(
    calibration: Calibration,
    tmp_path: Path,
    genuine: list[float],
    impostor: list[float],
    fmr: float,
    fnmr: float,
) -> None:
    curve = verification_curve(np.array(genuine), np.array(impostor))
    edge = replace(
        calibration, fmr=fmr, fmr_interval=Interval(0, 1), fnmr=fnmr, fnmr_interval=Interval(0, 1)
    )
    plot_roc(curve, edge, tmp_path / "roc.png")
    assert (tmp_path / "roc.png").stat().st_size > 1000


def test_steps_are_the_roc(curve: VerificationCurve) -> None:
    fmr, tar = roc_steps(curve)
    assert fmr[0] == pytest.approx(0.5 / 400)
    assert fmr[-1] == 1
    assert tar[-1] == 1
    for x, y in zip(fmr[::50].tolist(), tar[::50].tolist(), strict=True):
        assert y == pytest.approx(tar_at_fmr(curve, x))


def test_unwritable(curve: VerificationCurve, calibration: Calibration, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"roc\.png: cannot be written"):
        plot_roc(curve, calibration, tmp_path / "none" / "roc.png")
    with pytest.raises(OutputError, match=r"\.png or \.svg"):
        plot_roc(curve, calibration, tmp_path / "roc.pdf")
    assert list(tmp_path.iterdir()) == []


def test_leaves_pyplot_alone() -> None:
    code = (
        "import sys, tempfile, pathlib\n"
        "import numpy as np\n"
        "from datetime import datetime, UTC\n"
        "from facematch.calibration import *\n"
        "from facematch.metrics import ThresholdRule, verification_curve\n"
        "g, i = np.array([0.1, 0.2]), np.array([0.8, 0.9])\n"
        "labels = PairLabels(np.arange(4) < 2, None)\n"
        "found = LabelledComparisons('p', '0' * 64, ScoreKind.DISTANCES, np.append(g, i), labels)\n"
        "c = fit_calibration(found, FitSettings(rule=ThresholdRule.parse('eer')), metric=None,\n"
        "    identity=None, failures_to_acquire=0, created_at=datetime.now(UTC),\n"
        "    version='1').calibration\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    plot_roc(verification_curve(g, i), c, pathlib.Path(folder) / 'roc.png')\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
