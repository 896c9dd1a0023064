"""Choosing the device. An explicit device that is missing is an error, never a CPU run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from facematch.choices import Device
from facematch.errors import DeviceUnavailableError
from facematch.runtime.engine import Engine

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def resolve_device(device: Device) -> Device:
    """The device that :func:`open_engine` takes, without opening it; never ``auto``.

    torch is imported only after a driver was seen, so ``auto`` costs nothing on a machine
    without one. Whether an explicit device is there is not checked.
    """
    if device is not Device.AUTO:
        return device
    if _NVIDIA_DRIVER.exists() and importlib.util.find_spec("torch") is not None:
        from facematch.runtime.torch_engine import available_devices

        if "cuda" in available_devices():
            return Device.CUDA
    return Device.CPU


def open_engine(device: Device = Device.AUTO, threads: int | None = None) -> Engine:
    """Returns the engine of a device.

    ``auto`` takes CUDA if a driver and a torch that can use it are there, otherwise the
    CPU.

    Args:
        device: which one.
        threads: of the CPU engine; None for one per core.

    Raises:
        DeviceUnavailableError: the explicit device is missing.
    """
    device = resolve_device(device)
    if device is Device.CPU:
        return _cpu_engine(threads)
    from facematch.runtime.torch_engine import TorchEngine, available_devices

    if device.value not in available_devices():
        raise DeviceUnavailableError(
            f"--device {device.value}: torch finds no such device on this machine; "
            "use --device cpu or --device auto"
        )
    return TorchEngine(device.value)


def _cpu_engine(threads: int | None) -> Engine:
    from facematch.runtime.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(threads)
