"""Running one network on one device, behind one small seam.

A caller holds a :class:`NetworkSource`, asks an :class:`Engine` to load it, and calls the
:class:`Network` it gets with numpy arrays. Which engine that is, is decided once, in
:func:`open_engine`, from ``--device``.
"""

from facematch.choices import Device
from facematch.runtime.ahead import LoadedAhead
from facematch.runtime.devices import open_engine, resolve_device
from facematch.runtime.engine import Engine, Network, NetworkSource
from facematch.runtime.openvino_import import keep_telemetry_out

keep_telemetry_out()  # whoever imports OpenVINO in this package has imported this module before

__all__ = [
    "Device",
    "Engine",
    "LoadedAhead",
    "Network",
    "NetworkSource",
    "open_engine",
    "resolve_device",
]
