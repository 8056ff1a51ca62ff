"""The HDF5 file of weights in a ``.keras`` file: groups of plain arrays, stored in this very file.

HDF5 can also refer to other files, compute values from others, unpack and fill in; all of that is
refused, with every array's place and size, before any is read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.runtimes._protocol import Array, Unread
from conformance.runtimes.dtypes import DType
from conformance.runtimes.faults import Fault
from conformance.runtimes.libraries import library
from conformance.runtimes.tensorflow.engine import EXTRA
from conformance.runtimes.tensorflow.faults import damaged, explained
from conformance.verdicts import ConformanceError, Location, MalformedError, UnsupportedError

_MOST_OBJECTS = 200_000
_MOST_DEPTH = 64
_MOST_ATTRIBUTES = 16
_MOST_ATTRIBUTE_BYTES = 4096
_MOST_GAP, _GAP_PER_OBJECT = 64 << 10, 4096
_MARK = "dtype"
_BFLOAT16 = "bfloat16"
_AGAIN = "Save the model again with model.save('model.keras')."
_REFUSED = Fault(
    kind=MalformedError,
    message="the file of weights cannot be read",
    expected="an HDF5 file as Keras writes it",
    fix=_AGAIN,
)


@final
class Weights:
    """The arrays in an HDF5 file, by path (``layers/dense/vars/0``), read when asked for."""

    def __init__(self, data: npt.NDArray[np.uint8], display: str, format: str) -> None:
        self._h5py: Any = library("h5py", format, EXTRA)
        self._display = display
        self._size = len(data)
        with explained(_REFUSED, self._place):
            self.file: Any = self._h5py.File(_View(data), "r")
            self.datasets: Mapping[str, Any] = dict(self._walk())
            self._dtypes = {path: _dtype_of(each) for path, each in self.datasets.items()}
        self._check_gap()

    def dtype(self, path: str) -> DType:
        """Return the element type of an array."""
        return self._dtypes[path]

    def shape(self, path: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        return tuple(self.datasets[path].shape)

    def read(self, path: str) -> Array:
        """Return a copy of an array; MalformedError if it cannot be read."""
        with explained(_REFUSED, self._place):
            raw = np.empty(self.shape(path), self.datasets[path].dtype)
            if raw.size:
                self.datasets[path].read_direct(raw)
        return raw.view(self.dtype(path))

    def where(self, path: str) -> Location:
        """Return where an array is."""
        return Location(self._display, element=path)

    def unread(self) -> Unread:
        """Return the bytes of the file beyond arrays and what HDF5 keeps with each object."""
        return Unread(self._display, "model.weights.h5, in no array", self._free() - self._kept())

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _walk(self) -> Iterator[tuple[str, Any]]:
        """Yield every array with its path, after the checks that need no reading."""
        seen: set[int] = set()
        waiting = [("", self.file["/"], 0)]
        while waiting:
            path, item, depth = waiting.pop()
            # Two paths to one object may form a ring.
            address = self._h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) >= _MOST_OBJECTS or depth > _MOST_DEPTH:
                self._refuse(path, "a tree of groups without rings", "a group that is met twice")
            seen.add(address)
            self._check_attributes(path, item)
            if isinstance(item, self._h5py.Dataset):
                self._check_array(path, item)
                yield path, item
            elif isinstance(item, self._h5py.Group):
                waiting += [
                    (f"{path}/{name}".lstrip("/"), self._child(path, item, name), depth + 1)
                    for name in item
                ]
            else:
                self._refuse(path, "groups and arrays", "something else")

    def _child(self, path: str, group: Any, name: str) -> Any:
        link = group.get(name, getlink=True)
        if not isinstance(link, self._h5py.HardLink):
            raise self._elsewhere(f"{path}/{name}".lstrip("/"), type(link).__name__)
        return group[name]

    def _check_attributes(self, path: str, item: Any) -> None:
        names = list(item.attrs)
        if len(names) > _MOST_ATTRIBUTES:
            self._refuse(path, f"at most {_MOST_ATTRIBUTES} attributes", str(len(names)))
        for name in names:
            size = self._h5py.h5a.open(item.id, name.encode()).get_storage_size()
            if size > _MOST_ATTRIBUTE_BYTES:
                self._refuse(
                    path, f"attributes of at most {_MOST_ATTRIBUTE_BYTES} bytes", f"{size}"
                )

    def _check_array(self, path: str, dataset: Any) -> None:
        """Refuse an array that is not stored whole, plainly and in this file."""
        plan, h5d = dataset.id.get_create_plist(), self._h5py.h5d
        layout, stored = plan.get_layout(), dataset.id.get_storage_size()
        if plan.get_external_count() or layout == h5d.VIRTUAL:
            raise self._elsewhere(path, "an array whose data are elsewhere")
        if layout not in (h5d.CONTIGUOUS, h5d.COMPACT) or dataset.dtype.kind not in "biufcV":
            raise UnsupportedError(
                f"the array {path!r} is not stored as Keras stores weights",
                where=self.where(path),
                expected="numbers in one piece, neither chunked nor compressed",
                found=f"layout {layout}, {dataset.dtype}",
                fix=_AGAIN,
            )
        end = (dataset.id.get_offset() or 0) + stored if layout == h5d.CONTIGUOUS else 0
        if stored != dataset.nbytes or end > self._size:
            self._refuse(path, f"{dataset.nbytes} bytes inside the file", f"{stored} bytes stored")

    def _check_gap(self) -> None:
        """Refuse a file of which much belongs to no array: its bytes would count as weights."""
        free, allowed = self._free(), _MOST_GAP + self._kept()
        if not 0 <= free <= allowed:
            self._refuse("", f"at most {allowed} bytes in addition to arrays", f"{free}")

    def _free(self) -> int:
        return int(self._size - sum(dataset.nbytes for dataset in self.datasets.values()))

    def _kept(self) -> int:
        """Return what headers of the arrays and of the groups around them may take."""
        return _GAP_PER_OBJECT * sum(path.count("/") + 1 for path in self.datasets)

    def _elsewhere(self, path: str, found: str) -> ConformanceError:
        return ConformanceError(
            "the weights refer to a different place or file",
            where=self.where(path),
            expected="arrays that are stored in this file",
            found=found,
            fix=_AGAIN,
        )

    def _refuse(self, path: str, expected: str, found: str) -> NoReturn:
        raise damaged(
            self._display,
            "the weights are not stored as Keras stores them",
            element=path or "model.weights.h5",
            expected=expected,
            found=found,
            fix=_AGAIN,
        )

    def _place(self, _: str | None) -> Location:
        return self.where("model.weights.h5")


def _dtype_of(dataset: Any) -> DType:
    """Return the element type of an array; Keras marks bfloat16, which HDF5 does not have."""
    marked = dataset.dtype.kind == "V" and dataset.attrs.get(_MARK) == _BFLOAT16
    found: DType = np.dtype(ml_dtypes.bfloat16) if marked else dataset.dtype
    return found


class _View(io.RawIOBase):
    """Bytes as a file; reading copies no more than what is read."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        super().__init__()
        self._data = data
        self._position = 0

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from the position on, and return how many bytes there were."""
        part = self._data[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part.data
        self._position += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset from the start, the position or the end."""
        base = (0, self._position, len(self._data))[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that positions can be chosen."""
        return True
