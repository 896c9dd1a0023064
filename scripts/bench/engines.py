"""OpenVINO against ONNX Runtime on the networks that facematch runs on a CPU.

    python scripts/bench/engines.py                      in a throw-away environment
    python scripts/bench/engines.py --this-environment   if onnx and onnxruntime are here
    python scripts/bench/engines.py --update             also write engines.json and README.md

Each engine gets the four networks (MTCNN's three and the default model) in its own file
format, made from the same weights, and a fresh process per measurement. Processes of the two
engines take turns, so that whatever else the machine does hits both. Times are wall-clock: on
an idle machine the share of the cores is near 100 %, and only then do they mean anything.

ONNX and ONNX Runtime are no dependencies of facematch: without ``--this-environment`` they are
installed into a temporary environment that sees the packages of the running one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import cpu_model

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NETWORKS = ("pnet", "rnet", "onet", "embedding")
VARIANTS = (
    "OpenVINO",
    "ONNX Runtime",
    "OpenVINO, compiled before",
    "ONNX Runtime, optimised before",
)
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
PYRAMID = [int(150 * 0.709**level) + 1 for level in range(7)]
R_CROPS, O_CROPS = 40, 6
BATCHES = (1, 16)
FIGURES = {
    "import_s": ("import the engine", "ms", 1e3),
    "load_s": ("load the four networks", "ms", 1e3),
    "first_pass_s": ("first pass", "ms", 1e3),
    "second_pass_s": ("second pass", "ms", 1e3),
    "start_s": ("start to first result", "ms", 1e3),
    "embeddings_per_s_1": ("embeddings, one by one", "/s", 1.0),
    "embeddings_per_s_16": ("embeddings in batches of 16", "/s", 1.0),
    "busy_percent": ("share of the cores it had meanwhile", "%", 1.0),
    "peak_mib": ("peak memory", "MiB", 1.0),
}
BEGIN, END = "<!-- engines.py writes from here -->", "<!-- to here -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--this-environment", action="store_true", help="install nothing")
    parser.add_argument("--repeats", type=int, default=7, help="processes per engine (default 7)")
    parser.add_argument("--note", default="", help="a remark for the table")
    parser.add_argument("--update", action="store_true", help="write engines.json and README.md")
    parser.add_argument("--export", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.export is not None:
        export(options.export)
        return 0
    if options.measure is not None:
        variant, folder = options.measure
        print(json.dumps(measure(variant, Path(folder))))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        python = sys.executable if options.this_environment else throw_away(Path(scratch) / "venv")
        results = compare(python, Path(scratch), options.repeats, options.note)
    print(table(results))
    if options.update:
        (HERE / "engines.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        readme = (HERE / "README.md").read_text("utf-8")
        before, _, rest = readme.partition(BEGIN)
        _, _, after = rest.partition(END)
        text = f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}"
        (HERE / "README.md").write_text(text, "utf-8")
    return 0


def throw_away(folder: Path) -> str:
    """An environment with ONNX and ONNX Runtime on top of the running one's packages."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", query], capture_output=True, text=True, check=True)
    link = Path(site.stdout.strip()) / "running-environment.pth"
    link.write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "onnx", "onnxruntime"], check=True)
    return python


def compare(python: str, scratch: Path, repeats: int, note: str) -> dict[str, Any]:
    """Runs everything; the process that calls this stays small and idle."""
    call = [python, str(Path(__file__).resolve())]
    environment = {**os.environ, "FACEMATCH_CACHE_DIR": str(scratch / "cache")}
    environment["PYTHONPATH"] = str(ROOT)
    subprocess.run([*call, "--export", str(scratch)], check=True, env=environment)
    runs: dict[str, list[dict[str, Any]]] = {variant: [] for variant in VARIANTS}
    for repeat in range(-1, repeats):  # the first round warms the disk cache and is dropped
        for variant in VARIANTS:
            command = [*call, "--measure", variant, str(scratch)]
            found = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
            if repeat >= 0:
                runs[variant].append(json.loads(found.stdout))
        print(f"round {repeat + 1} of {repeats}", file=sys.stderr)
    first = {variant: runs[variant][0] for variant in VARIANTS}
    medians = {
        variant: {name: statistics.median(run[name] for run in runs[variant]) for name in FIGURES}
        for variant in VARIANTS
    }
    return {
        "machine": machine(),
        "versions": first["OpenVINO"]["versions"] | first["ONNX Runtime"]["versions"],
        "repeats": repeats,
        "threads": THREADS,
        "note": note,
        "workload": {"pyramid_px": PYRAMID, "r_crops": R_CROPS, "o_crops": O_CROPS},
        "medians": medians,
        "onnxruntime_over_openvino": [
            {name: medians[theirs][name] / medians[ours][name] for name in FIGURES}
            for ours, theirs in (VARIANTS[:2], VARIANTS[2:])
        ],
        "largest_difference": max(
            abs(a - b)
            for a, b in zip(
                first["OpenVINO"]["checks"], first["ONNX Runtime"]["checks"], strict=True
            )
        ),
        "runs": {
            variant: [{name: run[name] for name in FIGURES} for run in runs[variant]]
            for variant in VARIANTS
        },
    }


def export(folder: Path) -> None:
    """Writes each network in the four forms, made from the same weights."""
    import warnings

    import onnxruntime
    import torch

    from facematch.embedding import find_model
    from facematch.imaging.mtcnn import networks

    import openvino as ov  # after facematch, which keeps its telemetry out  # isort: skip

    core = ov.Core()
    for name in NETWORKS:
        source = find_model().source() if name == "embedding" else networks.source(name)
        model = source.openvino_model()
        ov.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)
        compiled = core.compile_model(model, "CPU", openvino_options())
        exported = compiled.export_model()  # bytes, or a stream of them in newer versions
        blob = exported if isinstance(exported, bytes) else exported.getvalue()
        (folder / f"{name}.blob").write_bytes(blob)
        example = torch.from_numpy(example_of(name))
        axes = {0: "batch", 1: "height", 2: "width"} if name == "pnet" else {0: "batch"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated, and constants are meant to be constant
            torch.onnx.export(
                source.torch_module(),
                (example,),
                str(folder / f"{name}.onnx"),
                input_names=["pixels"],
                dynamic_axes={"pixels": axes},
                dynamo=False,
            )
        options = onnxruntime_options()
        options.optimized_model_filepath = str(folder / f"{name}.optimised.onnx")
        options.log_severity_level = 3  # "for the same machine only": it is
        onnxruntime.InferenceSession(folder / f"{name}.onnx", options)


def example_of(name: str, count: int = 2) -> Any:
    import numpy as np

    side = {"pnet": 40, "rnet": 24, "onet": 48, "embedding": 112}[name]
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    return pixels if name == "embedding" else pixels.astype(np.float32)


def openvino_options() -> dict[str, Any]:
    """As ``facematch.runtime`` sets them."""
    return {
        "INFERENCE_NUM_THREADS": THREADS,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }


def onnxruntime_options() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return options


Run = Callable[[Any], Sequence[Any]]


def measure(variant: str, folder: Path) -> dict[str, Any]:
    """One start of one engine, in this fresh process."""
    import numpy as np

    import facematch.runtime  # noqa: F401 - keeps OpenVINO's telemetry out, as in the product

    load = load_openvino if variant.startswith("OpenVINO") else load_onnxruntime
    start = time.perf_counter()
    versions, loader = load(folder, variant.endswith("before"))
    imported = time.perf_counter()
    runs = {name: loader(name) for name in NETWORKS}
    loaded = time.perf_counter()
    levels = [np.random.default_rng(side).uniform(0, 255, (1, side, side, 3)) for side in PYRAMID]
    work = [("pnet", level.astype(np.float32)) for level in levels]
    work += [("rnet", example_of("rnet", R_CROPS)), ("onet", example_of("onet", O_CROPS))]
    work.append(("embedding", example_of("embedding", 1)))
    ready = time.perf_counter()
    outputs = [runs[name](batch) for name, batch in work]
    first = time.perf_counter()
    for name, batch in work:
        runs[name](batch)
    second = time.perf_counter()
    figures = {
        "import_s": imported - start,
        "load_s": loaded - imported,
        "first_pass_s": first - ready,
        "second_pass_s": second - first,
        "start_s": (loaded - start) + (first - ready),
        "peak_mib": peak_mib(),
    }
    start, start_cpu = time.perf_counter(), time.process_time()
    for size in BATCHES:
        figures[f"embeddings_per_s_{size}"] = throughput(runs["embedding"], size)
    busy = (time.process_time() - start_cpu) / (time.perf_counter() - start)
    figures["busy_percent"] = 100 * busy / THREADS
    checks = [float(value) for found in outputs for output in found for value in output.flat[:50]]
    return {**figures, "checks": checks, "versions": versions}


def load_openvino(folder: Path, compiled: bool) -> tuple[dict[str, str], Callable[[str], Run]]:
    import openvino as ov

    core = ov.Core()

    def loader(name: str) -> Run:
        if compiled:
            blob = (folder / f"{name}.blob").read_bytes()
            model = core.import_model(blob, "CPU", openvino_options())
        else:
            model = core.compile_model(folder / f"{name}.xml", "CPU", openvino_options())
        request, count = model.create_infer_request(), len(model.outputs)

        def run(batch: Any) -> Sequence[Any]:
            request.infer([batch], share_inputs=True)
            return [request.get_output_tensor(index).data.copy() for index in range(count)]

        return run

    return {"openvino": ov.get_version()}, loader


def load_onnxruntime(folder: Path, compiled: bool) -> tuple[dict[str, str], Callable[[str], Run]]:
    import onnxruntime

    def loader(name: str) -> Run:
        options, form = onnxruntime_options(), "onnx"
        if compiled:
            form = "optimised.onnx"
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            folder / f"{name}.{form}", options, providers=["CPUExecutionProvider"]
        )
        return lambda batch: session.run(None, {"pixels": batch})

    return {"onnxruntime": onnxruntime.__version__}, loader


def throughput(run: Run, batch: int, seconds: float = 1.0) -> float:
    pixels = example_of("embedding", batch)
    for _ in range(3):
        run(pixels)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        run(pixels)
        done += batch
    return done / (time.perf_counter() - start)


def peak_mib() -> float:
    """Of this process alone; getrusage would count what its parent held at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def machine() -> dict[str, Any]:
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu_model(),
        "usable_cores": THREADS,
        "memory_gib": round(pages / (1 << 30), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def table(results: Mapping[str, Any]) -> str:
    """The medians as Markdown, with all that is needed to judge them."""
    ours, theirs, ours_later, theirs_later = VARIANTS
    headings = (ours, theirs, "ratio", ours_later, theirs_later, "ratio")
    lines = [f"| | {' | '.join(headings)} |", f"|---|{'---:|' * len(headings)}"]
    for name, (label, unit, factor) in FIGURES.items():
        cells = [f"{results['medians'][v][name] * factor:,.0f} {unit}" for v in VARIANTS]
        first, later = (f"{pair[name]:.2f}" for pair in results["onnxruntime_over_openvino"])
        cells = [*cells[:2], first, *cells[2:], later]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    found = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    note = f" {results['note']}" if results["note"] else ""
    lines += [
        "",
        f"Medians of {results['repeats']} processes each; ratio: ONNX Runtime over OpenVINO. "
        f"{found['cpu']}, {found['usable_cores']} cores usable, {found['memory_gib']} GiB, "
        f"{found['system']}, Python {found['python']}; {versions}; {results['threads']} threads, "
        f"float32. One pass: a pyramid of {len(PYRAMID)} levels from {PYRAMID[0]} px, {R_CROPS} "
        f"R-Net and {O_CROPS} O-Net crops, one embedding. The outputs of the two engines differ "
        f"by {results['largest_difference']:.1e} at most.{note}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
