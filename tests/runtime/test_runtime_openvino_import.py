"""What OpenVINO is kept from: to report, to write into the home, to take a stack, to hang."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FAKE = """
from pathlib import Path
Path(__file__).with_name("loaded").touch()
raise ImportError("the telemetry was loaded")
"""


@pytest.mark.parametrize(
    "program",
    [
        "import facematch.runtime.openvino_engine",
        "from facematch.runtime import open_engine; open_engine()",
        "from facematch.embedding import find_model, graph; find_model().source().openvino_model()",
        "from facematch.imaging.mtcnn import networks; networks.source('pnet').openvino_model()",
        "import facematch.embedding.export; import openvino; openvino.convert_model",
    ],
)
def test_openvino_is_loaded_without_telemetry(tmp_path: Path, program: str) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "openvino_telemetry.py").write_text(FAKE)
    (tmp_path / "home").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path / "fake")}
    check = f"{program}; import sys; assert 'openvino' in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, env=environment)
    assert list((tmp_path / "home").iterdir()) == []
    assert [path.name for path in (tmp_path / "fake").iterdir()] == ["openvino_telemetry.py"]


def test_a_program_that_has_it_keeps_it() -> None:
    program = (
        "import sys, types; theirs = types.ModuleType('openvino_telemetry'); "
        "sys.modules['openvino_telemetry'] = theirs; import facematch.runtime; "
        "assert sys.modules['openvino_telemetry'] is theirs"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_signal_finds_a_stack_after_engines_have_come_and_gone() -> None:
    """In the order in which they came, which is what a core of each would not survive."""
    program = (
        "import gc, os, signal\n"
        "from facematch.embedding import find_model\n"
        "from facematch.gallery.reduced import ReducedTemplates\n"
        "from facematch.runtime import Device, open_engine\n"
        "import numpy as np\n"
        "rows = np.eye(64, dtype=np.float32)\n"
        "held = [open_engine(Device.CPU) for _ in range(4)]\n"
        "held += [ReducedTemplates(rows, np.arange(64, dtype=np.int32)) for _ in range(2)]\n"
        "held += [find_model().source().openvino_model() for _ in range(2)]\n"
        "while held:\n"
        "    del held[0]\n"
        "    gc.collect()\n"
        "signal.signal(signal.SIGINT, lambda *_: print('heard'))\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n")


def test_the_reduced_search_keeps_telemetry_out_as_well() -> None:
    program = (
        "import numpy as np; from facematch.gallery.reduced import ReducedTemplates; "
        "ReducedTemplates(np.eye(4, dtype=np.float32), np.arange(4, dtype=np.int32)); "
        "import sys; assert sys.modules['openvino_telemetry'] is None"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_two_threads_that_hand_arrays_over_first_do_not_wait_for_each_other_for_ever() -> None:
    """OpenVINO asks for the version of NumPy while it holds what other threads wait for."""
    program = (
        "import threading, time\n"
        "import numpy.lib\n"
        "version = numpy.lib.NumpyVersion\n"
        "numpy.lib.NumpyVersion = lambda text: (time.sleep(0.2), version(text))[1]\n"
        "from facematch.runtime import Device, open_engine\n"
        "engine = open_engine(Device.CPU)\n"
        "import openvino\n"
        "threads = [threading.Thread(target=openvino.Type.f32.to_dtype) for _ in range(2)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
