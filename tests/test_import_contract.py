"""The contract between the rooms, read from the source: who may import whom, and when.

Every import counts, inside functions and under ``TYPE_CHECKING`` too, except where a test
says "at import time": what runs when the module is loaded, which is what start-up pays for.
"""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "facematch"
LONGEST_MODULE = 400

# Room: what it may import beside itself, a room or a module of one. Rooms only name rooms
# above them in this table, so the table cannot hold a cycle. ``facematch`` itself, which
# holds the version, may be imported by all.
CONTRACT: dict[str, set[str]] = {
    "choices": set(),
    "cores": set(),
    "errors": set(),
    "types": {"choices"},
    "overwriting": {"errors"},
    "metrics": {"errors", "types", "choices"},
    "runtime": {"errors", "choices", "cores"},
    "imaging": {"errors", "types", "choices", "runtime"},
    "embedding": {"errors", "types", "choices", "runtime"},
    # A folder of subjects is a list of pairs; which files are photographs, imaging says.
    "calibration": {
        "errors",
        "types",
        "choices",
        "metrics",
        "imaging.paths",
        "imaging.reading",
        "overwriting",
    },
    # Plots and pages know figures, not where they come from.
    "reports": {"types", "metrics"},
    "gallery": {
        *("errors", "types", "choices", "metrics.distances", "metrics.decision", "overwriting"),
        *("cores", "runtime.openvino_import"),
    },
    # One photograph a core.
    "pipeline": {"errors", "types", "choices", "cores", "runtime", "imaging", "embedding"},
    "training": {"errors", "types", "choices", "metrics", "runtime", "embedding"},
    "workflows": {
        *("errors", "types", "choices", "metrics", "runtime", "imaging", "embedding"),
        *("calibration", "gallery", "pipeline", "training", "overwriting"),
    },
    # The commands hand galleries, pipelines and calibrations to workflows, and print what
    # comes back; networks, devices and training stay behind those. Of the models they know
    # only where they are.
    "cli": {
        *("errors", "types", "choices", "metrics", "imaging", "embedding.registry"),
        *("calibration", "gallery", "pipeline", "reports", "workflows", "training.choices"),
        "overwriting",
    },
    "__main__": {"cli"},
}

# Slow to load, or a whole subsystem: imported inside the function that needs it, except here.
HEAVY: dict[str, tuple[str, ...]] = {
    "torch": ("training/", "embedding/networks/", "runtime/torch_engine.py"),
    "openvino": ("runtime/openvino_engine.py",),
    "torchvision": (),
    "facenet_pytorch": (),
    "matplotlib": (),
    "scipy": (),
}


@dataclass(frozen=True)
class Import:
    """One imported module, as seen in one module.

    Attributes:
        importer: path of the module, from the package's root.
        target: dotted name; of a module of facematch, always of the module itself.
        line: where.
        at_import_time: whether loading the importer loads the target.
    """

    importer: str
    target: str
    line: int
    at_import_time: bool

    def __str__(self) -> str:
        return f"facematch/{self.importer}:{self.line} imports {self.target}"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted(path) for path in modules()}


def targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Modules that a statement names; ``from package import module`` gives the module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "imports are absolute"
    assert node.module is not None
    children = [f"{node.module}.{alias.name}" for alias in node.names]
    return sorted({child if child in NAMES else node.module for child in children})


def statements(tree: ast.AST, loading: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Import statements below a node, each with whether loading the module runs it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, loading
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from statements(ast.Module(node.body, []), False)
            yield from statements(ast.Module(node.orelse, []), loading)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from statements(node, loading and not function)


def imports_of(source: str, importer: str) -> list[Import]:
    return [
        Import(importer, target, node.lineno, loading)
        for node, loading in statements(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in targets(node)
    ]


IMPORTS = [
    found
    for path in modules()
    for found in imports_of(path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix())
]


def room_of(importer: str) -> str:
    """``metrics/distances.py`` -> ``metrics``; the package's own ``__init__`` has none."""
    return importer.partition("/")[0].removesuffix(".py").removeprefix("__init__")


def allowed(found: Import) -> bool:
    package, _, inner = found.target.partition(".")
    if package != "facematch":
        return True
    room = room_of(found.importer)
    if not inner:
        return room != ""
    names = {inner.split(".")[0], ".".join(inner.split(".")[:2])}
    return room in names or bool(names & CONTRACT.get(room, set()))


def test_every_room_is_in_the_contract() -> None:
    assert {room_of(p.relative_to(PACKAGE).as_posix()) for p in modules()} - {""} == set(CONTRACT)


def test_the_contract_points_downward() -> None:
    seen: set[str] = set()
    for room, below in CONTRACT.items():
        assert {name.split(".")[0] for name in below} <= seen, room
        seen.add(room)


def test_rooms_import_only_what_the_contract_allows() -> None:
    assert [str(found) for found in IMPORTS if not allowed(found)] == []


def test_no_cycle_among_modules_at_import_time() -> None:
    graph: dict[str, set[str]] = {name: set() for name in NAMES}
    for found in IMPORTS:
        if found.at_import_time and found.target in NAMES:
            graph[dotted(PACKAGE / found.importer)].add(found.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"cycle: {' <- '.join(error.args[1])}")


def test_workflows_do_not_import_each_other() -> None:
    def verb(dotted_name: str) -> str:
        """A module, or a package of them, is one verb."""
        return (dotted_name.split(".") + [""] * 3)[2]

    crossing = [
        str(found)
        for found in IMPORTS
        if found.importer.startswith("workflows/")
        and found.target.startswith("facematch.workflows")
        and verb(found.target) != verb(dotted(PACKAGE / found.importer))
    ]
    assert crossing == []


def test_heavy_packages_are_imported_late() -> None:
    early = [
        str(found)
        for found in IMPORTS
        if found.at_import_time
        and (home := HEAVY.get(found.target.split(".")[0])) is not None
        and not found.importer.startswith(home)
    ]
    assert early == []


def test_no_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [name for name in sorted(NAMES) if drawers & set(name.split("."))] == []


def test_no_module_is_longer_than_the_limit() -> None:
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for path in modules()
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


LATE = ("torch", "torchvision", "facenet_pytorch", "matplotlib", "scipy")
PICTURES = ("numpy", "cv2", "PIL", "h5py", "openvino", "safetensors")


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        pytest.param("import facematch", (*LATE, *PICTURES, "typer", "rich"), id="facematch"),
        pytest.param("import facematch.cli", (*LATE, *PICTURES), id="cli"),
        pytest.param("import facematch.metrics", (*LATE, "cv2", "h5py"), id="metrics"),
        pytest.param("import facematch.gallery", (*LATE, "cv2", "h5py", "openvino"), id="gallery"),
        pytest.param("import facematch.calibration", (*LATE, "cv2", "h5py"), id="calibration"),
        pytest.param("import facematch.reports", (*LATE, "cv2", "h5py", "PIL"), id="reports"),
        pytest.param("import facematch.pipeline", (*LATE, "h5py", "openvino"), id="pipeline"),
    ],
)
def test_what_an_import_loads(program: str, absent: tuple[str, ...]) -> None:
    listing = f"import sys\n{program}\nprint(*sorted(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "facematch" in loaded
    assert sorted(loaded & set(absent)) == []


@pytest.mark.parametrize(
    ("source", "early", "late"),
    [
        pytest.param("import torch", ["torch"], [], id="module"),
        pytest.param("try:\n import torch\nexcept ImportError: pass", ["torch"], [], id="try"),
        pytest.param("class A:\n import torch", ["torch"], [], id="class body"),
        pytest.param("def f():\n import torch", [], ["torch"], id="function"),
        pytest.param("class A:\n def f(self):\n  import torch", [], ["torch"], id="method"),
        pytest.param(
            "if TYPE_CHECKING:\n import torch\nelse:\n import scipy",
            ["scipy"],
            ["torch"],
            id="type checking",
        ),
        pytest.param(
            "from facematch import types, __version__",
            ["facematch", "facematch.types"],
            [],
            id="module or name",
        ),
    ],
)
def test_the_reader_of_imports(source: str, early: list[str], late: list[str]) -> None:
    found = imports_of(source, "x.py")
    assert sorted(i.target for i in found if i.at_import_time) == early
    assert sorted(i.target for i in found if not i.at_import_time) == late


@pytest.mark.parametrize(
    ("importer", "target", "expected"),
    [
        ("metrics/decision.py", "facematch.types", True),
        ("metrics/decision.py", "facematch.metrics.distances", True),
        ("metrics/decision.py", "facematch.gallery", False),
        ("gallery/search.py", "facematch.metrics.distances", True),
        ("gallery/search.py", "facematch.metrics.thresholds", False),
        ("gallery/search.py", "facematch.metrics", False),
        ("cli/verify.py", "facematch.embedding.bundle", False),
        ("cli/verify.py", "facematch", True),
        ("choices.py", "facematch.types", False),
        ("__init__.py", "facematch", False),
        ("__init__.py", "facematch.types", False),
        ("unknown/x.py", "facematch.types", False),
    ],
)
def test_the_judge_of_imports(importer: str, target: str, expected: bool) -> None:
    assert allowed(Import(importer, target, 1, True)) is expected
