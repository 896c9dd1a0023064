"""Writing HDF5 on disks that fill up.

HDF5 cannot close a file that it cannot write: h5py then prints tracebacks from destructors,
past all error handling, and the file stays open. So HDF5 writes to an object that takes
everything, and the first failure of the disk is raised after HDF5 has closed its file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py

Buffer = Any  # collections.abc has it from Python 3.12


@contextmanager
def writing_hdf5(file: BinaryIO, **options: Any) -> Iterator[h5py.File]:
    """HDF5 in an empty file.

    Args:
        file: opened for reading and writing without a buffer, or in memory.
        options: of ``h5py.File``.

    Raises:
        OSError: the file cannot be written.
    """
    patient = PatientFile(file)
    with h5py.File(patient, "w", **options) as opened:
        yield opened
    if patient.failure is not None:
        raise patient.failure


class PatientFile(io.RawIOBase):
    """A file that reports success to the end, and keeps the first error.

    After it nothing is written any more, and what is read back is zeros.

    Attributes:
        failure: the first error; None if there was none.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._position = 0
        self.failure: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        self._position = offset + (self._file.seek(0, io.SEEK_END) if base is None else base)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        if self.failure is None:
            try:
                self._file.seek(self._position)
                found = self._file.read(len(view))
                view[: len(found)] = found
            except OSError as exc:
                self.failure = exc
        self._position += len(view)
        return len(view)

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        if self.failure is None:
            try:
                self._file.seek(self._position)
                written = 0
                while written < len(view):  # a disk that is nearly full takes a part
                    written += self._file.write(view[written:])
            except OSError as exc:
                self.failure = exc
        self._position += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        if self.failure is None:
            try:
                self._file.truncate(size)
                if self._file.seek(0, io.SEEK_END) < size:  # io.BytesIO does not grow by itself
                    self._file.seek(size - 1)
                    self._file.write(b"\0")
            except OSError as exc:
                self.failure = exc
        return size
