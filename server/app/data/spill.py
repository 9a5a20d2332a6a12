"""Examples that memory has no room for, in a temporary file that nobody has to delete."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from dataclasses import dataclass
from threading import Lock
from typing import IO

import torch
from torch import Tensor

from app.data.example import Example
from app.errors import InsightsError

LEFT = 2**30  # bytes of the disk that are left to others
MOST = 32 * 2**30  # bytes of one file: fifty thousand photos, and a small part of a disk that others write to as well


@dataclass(frozen=True, eq=False)
class Spilled:
    """Where an example's tensors are; what else it has stays in memory."""

    spill: Spill
    offset: int
    length: int
    inputs: int
    truth: float | None
    extra: tuple[object, ...]

    def read(self) -> Example:
        """The example."""
        data = io.BytesIO(self.spill.get(self.offset, self.length))
        tensors: list[Tensor] = torch.load(data, weights_only=True)
        further = iter(tensors[self.inputs :])
        extra = tuple(next(further) if x is TENSOR else x for x in self.extra)
        return Example(tuple(tensors[: self.inputs]), self.truth, extra)


TENSOR = object()


class Spill:
    """A file without a name: it is gone with the process, however that ends, and a forked child cannot delete it."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0
        self._lock = Lock()

    def put(self, example: Example) -> Spilled:
        """Write an example; `InsightsError` where the disk has no room for it."""
        buffer = io.BytesIO()
        further = [x for x in example.extra if isinstance(x, Tensor)]
        torch.save([*example.inputs, *further], buffer)
        data = buffer.getvalue()
        with self._lock:
            offset = self._append(data)
        extra = tuple(TENSOR if isinstance(x, Tensor) else x for x in example.extra)
        return Spilled(self, offset, len(data), len(example.inputs), example.truth, extra)

    def _append(self, data: bytes) -> int:
        folder = tempfile.gettempdir()
        try:
            if shutil.disk_usage(folder).free < LEFT + len(data):
                raise OSError("less than 1 GB would be left")
            if self._end + len(data) > MOST:
                raise OSError(f"those that were read take {self._end / 2**30:.1f} GB already")
            self._file = self._file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by close()
            self._file.seek(self._end)
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as error:
            raise InsightsError(
                f"there is no room for more examples in {folder}: {error.strerror or error}",
                hint="set TMPDIR to a folder with more room, or give a dataset with __getitem__, which is read again",
            ) from error
        offset, self._end = self._end, self._end + len(data)
        return offset

    def get(self, offset: int, length: int) -> bytes:
        """What was written there."""
        with self._lock:
            if self._file is None:
                raise InsightsError("this example is no longer here", hint="the visualizer is closed; make a new one")
            if hasattr(os, "pread"):
                return os.pread(self._file.fileno(), length, offset)  # a forked child shares the place, not this call
            self._file.seek(offset)
            return self._file.read(length)

    def close(self) -> None:
        """Give the room back."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
