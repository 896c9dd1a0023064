"""The benchmarks' runner: what it lists, and what it makes of given figures. Nothing is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench"


def load(name: str, file: str) -> ModuleType:
    loader = SourceFileLoader(name, str(BENCH / file))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


@pytest.fixture
def run() -> Iterator[ModuleType]:
    before, path = set(sys.modules), [*sys.path]
    yield load("bench_run", "run")
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if BENCH in Path(getattr(sys.modules[name], "__file__", None) or "/").parents:
            del sys.modules[name]


def given(run: ModuleType, failing: str = "") -> object:
    """A measure that knows its figures beforehand."""
    figures = sys.modules["figures"]

    def measure(name: str, data: Path, quick: bool) -> object:
        if name == failing:
            return run.failure(name, "ValueError: a | b")
        ours, theirs = [10.0, 12.0, 20.0], [100.0, 60.0, 40.0]
        peer = figures.compared(name, "work", "ms", ours, "peer", theirs, at_least=4)
        missed = figures.Figure(name, "memory", "MiB", 301.0, at_most=300)
        return figures.Outcome((peer, missed, figures.Figure(name, "alone", "s", 1.5)), "3 rounds.")

    return measure


def test_list_names_what_is_there(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--list"]) == 0
    listed = capsys.readouterr().out.split()
    assert {"startup", "detection", "embedding", "enroll", "calibration", "scale"} <= set(listed)
    assert all((BENCH / f"{name}.py").exists() for name in listed)
    assert set(listed) - set(run.present(quick=True)) <= set(run.FULL_ONLY)


def test_a_name_that_is_none(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--only", "nothing"])
    assert "no workload nothing; there are startup" in capsys.readouterr().err


def test_table_and_json(run: ModuleType, tmp_path: Path) -> None:
    assert run.report(["startup"], tmp_path, True, tmp_path, given(run)) == 0
    text = (tmp_path / "results.md").read_text("utf-8")
    # Ratios of the rounds: 10, 5, 2.
    row = "| startup | work | 12.0 ms | peer | 60.0 ms | 5.00 (3.50 to 7.50) | ≥ 4× | yes |"
    assert row in text
    assert "| startup | memory | 301 MiB |  |  |  | ≤ 300 MiB | no |" in text
    assert "1 of 2 goals met." in text
    assert "- **startup**: 3 rounds." in text
    found = json.loads((tmp_path / "results.json").read_text("utf-8"))
    work, memory, alone = found["workloads"]["startup"]["figures"]
    assert work["ratio"] == {"low": 3.5, "median": 5.0, "high": 7.5}
    assert (work["met"], memory["met"], alone["met"]) == (True, False, None)
    assert found["machine"]["quick"]
    assert found["versions"]["numpy"]


def test_a_failure_is_a_line_and_the_rest_goes_on(run: ModuleType, tmp_path: Path) -> None:
    names = ["startup", "scale"]
    assert run.report(names, tmp_path, False, tmp_path, given(run, "startup")) == 1
    text = (tmp_path / "results.md").read_text("utf-8")
    assert "| startup | all of it | **failed** | ValueError: a / b |" in text
    assert "| scale | work |" in text


def test_a_process_that_ends_badly(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").write_text("import sys; sys.exit('first\\nBenchError: last')")
    monkeypatch.setattr(run, "HERE", tmp_path)
    (figure,) = run.in_own_process("startup", tmp_path, True).figures
    assert figure.failure == "BenchError: last"


def test_outcomes_cross_processes(run: ModuleType) -> None:
    figures = sys.modules["figures"]
    outcome = given(run)("scale", Path(), True)  # type: ignore[operator]
    assert figures.outcome_of(figures.outcome_json(outcome)) == outcome


def test_figures_of_the_other_benchmarks(run: ModuleType) -> None:
    adapters = load("adapters", "adapters.py")
    row = {
        "workload": "wild over 1 MP",
        "photographs": 12,
        "megapixels": 1.86,
        "median_ms": {"facenet-pytorch": 364.0, "facematch": 134.0, "facematch, fast search": 49.0},
        "ratios": {"facematch": [2.3, 2.5, 2.7], "facematch, fast search": [4.4, 8.1, 16.9]},
    }
    full, fast = adapters.side_by_side("detection", [row]).figures
    assert (full.ours, full.theirs, full.at_least, full.met) == (134.0, 364.0, 4.0, False)
    assert (fast.ratio.median, fast.at_least) == (8.1, 10.0)

    row = {
        "workload": "warm, 1 probe",
        "templates": 1_000_000,
        "rounds": 5,
        "median_ms": {"facematch": 20.0, "FAISS, one thread": 90.0, "FAISS, its threads": 60.0},
        "ratio": [2.8, 3.0, 3.1],
        "share_of_floor": [0.8, 0.85, 0.9],
    }
    ratio, share = adapters.search([row]).figures
    assert (ratio.theirs, ratio.met, share.met) == (60.0, True, False)
    row = {"workload": "open", "templates": 10, "rounds": 1, "median_s": 0.5, "peak_mib": 9.0}
    assert [f.ours for f in adapters.alone("gallery_scale", [row]).figures] == [0.5, 9.0]

    calibration = load("calibration_bench", "calibration.py")
    measured = [
        calibration.Measured("sweep of 10,000,000 scores", 1.26, 572.0),
        calibration.Measured("calibrate, all 199,990,000 pairs of 20,000 templates", 99.0, 1600.0),
        calibration.Measured("calibrate, 800 pairs, first run", 60.0, 0.0),
        calibration.Measured("calibrate, 800 pairs, second run", 2.5, 0.0),
    ]
    sweep, peak, everything, most, first, second = adapters.calibration(measured).figures
    assert (sweep.met, peak.met, first.met) == (True, True, None)
    assert (everything.met, most.met) == (None, False)
    assert (second.ratio.median, second.met) == (24.0, True)


def test_slope_and_shares(run: ModuleType) -> None:
    scale = load("scale", "scale.py")
    assert scale.slope([(n, 3e-6 * n**1.5) for n in (10, 100, 1000)]) == pytest.approx(1.5)
    enroll, measuring = load("enroll", "enroll.py"), sys.modules["measuring"]
    cost = measuring.Cost(10.0, 8.0, 100.0, "")
    stages = measuring.Cost(0.0, 0.0, 0.0, "1 1\n3 4\n0.5 1\n")  # 4.5 s for half the photographs
    found = enroll.shares({"facematch": [cost], "stages": [stages]}, 100, 50)
    assert found[0].ours == pytest.approx(0.9)
    assert found[0].met
    assert [figure.ours for figure in found[3:]] == pytest.approx([20.0, 60.0, 10.0])


def test_programs_compile(run: ModuleType) -> None:
    for name in ("startup", "embedding", "enroll", "scale"):
        module = load(f"bench_{name}", f"{name}.py")
        programs = [v for k, v in vars(module).items() if isinstance(v, str) and "import " in v
                    and not k.startswith("__")]  # fmt: skip
        assert programs
        for program in programs:
            compile(program, name, "exec")


def test_what_a_process_costs(run: ModuleType) -> None:
    measuring = load("measuring", "measuring.py")
    cost = measuring.cost_of([sys.executable, "-S", "-c", "print('x')"], {})
    assert cost.output == "x\n"
    assert cost.peak_mib > 1
    program = "import sys; print('sorry', file=sys.stderr); sys.exit(3)"
    with pytest.raises(measuring.BenchError, match="ended with 3: sorry"):
        measuring.cost_of([sys.executable, "-S", "-c", program], {})
    with measuring.Worker(sys.executable, "serve(lambda: None)") as worker:
        assert len(worker()) == 2


def test_is_executable() -> None:
    done = subprocess.run(
        [sys.executable, BENCH / "run", "--help"], capture_output=True, text=True, check=True
    )
    assert "--only NAME" in done.stdout
