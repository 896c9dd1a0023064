"""Which engine a device gives, and what happens when it is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facematch.errors import DeviceUnavailableError
from facematch.runtime import Device, devices, open_engine, torch_engine
from facematch.runtime.openvino_engine import OpenVinoEngine
from facematch.runtime.torch_engine import TorchEngine, available_devices


@pytest.fixture
def torch_finds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that torch reports; a test adds to it."""
    found = ["cpu"]
    monkeypatch.setattr(torch_engine, "available_devices", lambda: tuple(found))
    return found


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the NVIDIA driver is looked for; a test makes it."""
    monkeypatch.setattr(devices, "_NVIDIA_DRIVER", tmp_path / "driver")
    return tmp_path / "driver"


@pytest.mark.parametrize("device", [Device.CUDA, Device.MPS])
@pytest.mark.usefixtures("torch_finds")
def test_a_missing_device_is_an_error_and_never_the_cpu(device: Device) -> None:
    with pytest.raises(DeviceUnavailableError) as caught:
        open_engine(device)
    message = str(caught.value)
    assert "\n" not in message
    assert f"--device {device.value}" in message
    assert "--device cpu" in message
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("device", [Device.CUDA, Device.MPS])
def test_an_explicit_device_that_is_there(torch_finds: list[str], device: Device) -> None:
    torch_finds.append(device.value)
    assert isinstance(open_engine(device), TorchEngine)


def test_the_cpu_never_asks_torch(torch_finds: list[str], driver: Path) -> None:
    driver.touch()
    torch_finds.append("cuda")
    engine = open_engine(Device.CPU)
    assert isinstance(engine, OpenVinoEngine)
    assert engine.device == "CPU (OpenVINO)"


@pytest.mark.parametrize(
    ("has_driver", "has_cuda", "expected"),
    [
        (False, False, OpenVinoEngine),
        (False, True, OpenVinoEngine),
        (True, False, OpenVinoEngine),  # a torch without CUDA, or a driver that is too old
        (True, True, TorchEngine),
    ],
)
def test_auto(
    torch_finds: list[str], driver: Path, has_driver: bool, has_cuda: bool, expected: type
) -> None:
    if has_driver:
        driver.touch()
    if has_cuda:
        torch_finds.append("cuda")
    assert isinstance(open_engine(Device.AUTO), expected)


def test_auto_without_torch(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.touch()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(open_engine(Device.AUTO), OpenVinoEngine)


@pytest.mark.skipif(
    Path("/proc/driver/nvidia/version").exists(), reason="auto may take the NVIDIA device here"
)
def test_auto_costs_no_torch_without_a_driver() -> None:
    program = (
        "import sys; from facematch.runtime import open_engine; "
        "print(open_engine().device, 'torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "CPU (OpenVINO) False\n"


def test_torch_always_has_a_cpu() -> None:
    assert available_devices()[0] == "cpu"
    assert TorchEngine("cpu").device == "cpu (torch)"
