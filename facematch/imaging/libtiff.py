"""Hearing what libtiff has to say about a damaged picture.

Pillow returns the pixels of fax and JPEG strips in which libtiff found errors, and libtiff
writes these on stderr by itself. Both come from its error handler, which belongs to the whole
process and which Pillow has no way to set; so it is set here while a picture is decoded, and
put back. The function is looked up among the libraries that Pillow's own module has loaded;
where it is not found, damage is told as Pillow tells it.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import _imaging

# module, format, va_list: that the third is a pointer holds on every platform in use, and
# nothing is read through it.
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


class _Heard(threading.local):
    """Errors of this thread: libtiff calls the handler from the thread that decodes."""

    errors = 0


_heard = _Heard()
_lock = threading.Lock()
_listening = 0
_before: int | None = None


def _count(module: bytes, message: bytes, arguments: int) -> None:
    _heard.errors += 1


_hear = _HANDLER(_count)


@contextmanager
def damage_is_an_error() -> Iterator[None]:
    """Around the decoding of one picture.

    Raises:
        OSError: libtiff reported damage, and nobody else did.
    """
    _heard.errors = 0
    _listen()
    try:
        yield
    finally:
        _listen_no_more()
    if _heard.errors > 0:
        raise OSError("libtiff found errors in the compressed data")


def _listen() -> None:
    global _listening, _before
    with _lock:
        if _listening == 0:
            _before = _set_handler()(ctypes.cast(_hear, ctypes.c_void_p).value)
        _listening += 1


def _listen_no_more() -> None:
    global _listening
    with _lock:
        _listening -= 1
        if _listening == 0:
            _set_handler()(_before)


@functools.cache
def _set_handler() -> Callable[[int | None], int | None]:
    """``TIFFSetErrorHandler``, which returns the handler that was set before."""
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):  # linked into Pillow without its name, or not at all
        return lambda handler: None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p]
    return function
