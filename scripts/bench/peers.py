"""The environment with what facematch is compared to, made once, outside the repository.

facenet-pytorch needs none: facematch depends on it for the weights of MTCNN.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

# face_recognition asks for dlib, which has to be compiled; dlib-bin is the same, compiled.
ALONE = ("face_recognition==1.3.0",)
WITH_DEPENDENCIES = (
    "dlib-bin==20.0.1.post1",
    "face_recognition_models==0.3.0",
    "Click>=8,<9",
    "Pillow>=12,<14",
    "numpy>=2,<3",
    "faiss-cpu>=1.12,<2",
    "setuptools<81",  # face_recognition_models imports pkg_resources, which later ones lack
)
SHOWN = ("face_recognition", "dlib-bin", "faiss-cpu", "numpy")
FOLDER = "FACEMATCH_BENCH_PEERS"


def folder() -> Path:
    """Where the environment is: ``$FACEMATCH_BENCH_PEERS``, or in the user's cache folder."""
    given = os.environ.get(FOLDER)
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "facematch-bench" / "peers"


def python() -> Path:
    """The interpreter of the environment, which is made if it is missing or of other versions.

    Raises:
        subprocess.CalledProcessError: pip could not install it.
    """
    place = folder()
    interpreter = place / "bin" / "python"
    stamp = place / "made-of"
    wanted = hashlib.sha256(repr((ALONE, WITH_DEPENDENCIES, sys.version)).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    print(f"making an environment with the peers in {place}", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Its standard output would be mixed with the table.
    subprocess.run([*pip, *WITH_DEPENDENCIES], check=True, stdout=sys.stderr)
    subprocess.run([*pip, "--no-deps", *ALONE], check=True, stdout=sys.stderr)
    stamp.write_text(wanted)
    return interpreter


def site_packages() -> Path:
    """Where its packages are."""
    return next(python().parent.parent.glob("lib/python*/site-packages"))


def versions() -> dict[str, str]:
    """What is installed there, if it is."""
    interpreter = folder() / "bin" / "python"
    if not interpreter.exists():
        return {}
    code = f"from importlib.metadata import version\nfor n in {SHOWN!r}: print(n, version(n))"
    found = subprocess.run(
        [str(interpreter), "-c", code], capture_output=True, text=True, check=False
    )
    pairs = (line.split() for line in found.stdout.splitlines())
    return {name if name != "numpy" else "numpy of the peers": number for name, number in pairs}
