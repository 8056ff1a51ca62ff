"""Reading a caffemodel: where every blob lies in the file, before any of it is read.

A caffemodel is a binary ``NetParameter``. Only names and blobs of its layers are of interest, for
Caffe too takes nothing else from it; field numbers are those of ``caffe.proto``, and of NVIDIA's
Caffe for raw data.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from conformance.runtimes.dtypes import DType
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.wire import FIXED32, FIXED64, LENGTH, VARINT, Field, Span, WireReader
from conformance.verdicts import LimitError, Location, UnsupportedError

MAX_FIELDS = 1 << 20
"""The most fields that are walked: a network of 1,000 layers has about 20,000."""

_V1_LAYERS, _LAYERS = 2, 100
_OLD_SIZES = {1: "num", 2: "channels", 3: "height", 4: "width"}
_DATA, _DIFF, _SHAPE, _DOUBLE, _DOUBLE_DIFF, _RAW_TYPE, _RAW = 5, 6, 7, 8, 9, 10, 12
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
_MAX_RANK = 32
_MAX_ELEMENTS = 1 << 40
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob in the file: its type, its shape, and the bytes of its values.

    ``is_old`` is a shape of four sizes (num, channels, height, width), the first of which may stand
    for axes that the blob does not have.
    """

    element: str
    dtype: DType
    shape: tuple[int, ...]
    is_old: bool
    span: Span

    def fits(self, wanted: tuple[int, ...]) -> bool:
        """Return whether Caffe takes it for a blob of shape ``wanted``."""
        if self.is_old and len(wanted) <= len(_OLD_SIZES):
            return self.shape == (1,) * (len(_OLD_SIZES) - len(wanted)) + wanted
        return self.shape == wanted


@dataclass(slots=True)
class _Parts:
    old: dict[int, int] = field(default_factory=dict)
    dims: tuple[int, ...] | None = None
    values: dict[int, Field] = field(default_factory=dict)
    raw_type: int = 0


def read_blobs(file: MappedFile) -> dict[str, tuple[StoredBlob, ...]]:
    """Return the blobs of every layer that has any, by name.

    Raises MalformedError if the file is damaged or contradicts itself, LimitError for too many
    fields, UnsupportedError for HDF5 files and element types that are not run.
    """
    _refuse_hdf5(file)
    return _Walk(WireReader(file.view(), file.display)).layers(file.whole)


class _Walk:
    def __init__(self, reader: WireReader) -> None:
        self._reader = reader
        self._fields = 0

    def layers(self, whole: Span) -> dict[str, tuple[StoredBlob, ...]]:
        found: dict[str, tuple[StoredBlob, ...]] = {}
        versions: set[int] = set()
        for place, entry in enumerate(self._walk(whole, "model")):
            if entry.number not in (_LAYERS, _V1_LAYERS):
                continue
            element = f"model.layer[{place}]"
            self._expect(entry, (LENGTH,), element)
            name, blobs = self._layer(entry, element)
            versions.add(entry.number)
            if blobs and (name in found or len(versions) > 1):
                raise self._reader.malformed(
                    f"layer {name!r} has blobs twice, or is of a different version of Caffe",
                    *(entry.start, element, "one layer of each name, all of one version"),
                    "another",
                )
            if blobs:
                found[name] = blobs
        return found

    def _layer(self, layer: Field, element: str) -> tuple[str, tuple[StoredBlob, ...]]:
        name_number, blobs_number = (4, 6) if layer.number == _V1_LAYERS else (1, 7)
        name, spans = "", []
        for entry in self._walk(layer.span, element):
            if entry.number == name_number:
                self._expect(entry, (LENGTH,), f"{element}.name")
                name = self._reader.text(entry.span, f"{element}.name")
            elif entry.number == blobs_number:
                self._expect(entry, (LENGTH,), f"{element}.blobs")
                spans.append(entry.span)
        places = enumerate(spans)
        return name, tuple(self._blob(s, f"layer {name!r}, blob {i}") for i, s in places)

    def _blob(self, span: Span, element: str) -> StoredBlob:
        parts = _Parts()
        for entry in self._walk(span, element):
            self._take(entry, parts, element)
        shape = self._shape(parts, span, element)
        number, data = self._data(parts, span, element)
        dtype = self._dtype(number, parts, span, element)
        if data.size != math.prod(shape) * dtype.itemsize:
            raise self._reader.malformed(
                "a blob does not hold as many values as its shape says",
                *(data.begin, element),
                f"{math.prod(shape) * dtype.itemsize} bytes for {dtype.name} of {list(shape)}",
                f"{data.size} bytes",
            )
        return StoredBlob(element, dtype, shape, bool(parts.old), data)

    def _take(self, entry: Field, parts: _Parts, element: str) -> None:
        if entry.number in _OLD_SIZES:
            self._expect(entry, (VARINT,), element)
            parts.old[entry.number] = entry.value
        elif entry.number == _SHAPE:
            self._expect(entry, (LENGTH,), element)
            parts.dims = self._dims(entry.span, f"{element}.shape")
        elif entry.number == _RAW_TYPE:
            self._expect(entry, (VARINT,), element)
            parts.raw_type = entry.value
        elif entry.number in (_DATA, _DOUBLE, _RAW, _DIFF, _DOUBLE_DIFF):
            # One by one, values of 4 bytes would take 5: no writer of Caffe does that.
            self._expect(entry, (LENGTH,), f"{element}, packed values")
            if entry.number in parts.values:
                raise self._reader.malformed(
                    "the values of a blob are stored in pieces",
                    *(entry.start, element, "one packed field", f"field {entry.number} again"),
                )
            if entry.span.size:
                parts.values[entry.number] = entry

    def _dims(self, span: Span, element: str) -> tuple[int, ...]:
        dims: list[int] = []
        for entry in self._walk(span, element):
            if entry.number == 1 and entry.wire_type == VARINT:
                dims.append(entry.value)
            elif entry.number == 1:
                self._expect(entry, (LENGTH,), element)
                numbers = self._reader.varints(entry.span, element)
                dims += itertools.islice(numbers, _MAX_RANK + 1)
            if len(dims) > _MAX_RANK:
                break
        return tuple(dims)

    def _shape(self, parts: _Parts, span: Span, element: str) -> tuple[int, ...]:
        old = tuple(parts.old.get(number, 0) for number in _OLD_SIZES) if parts.old else None
        shape = old or parts.dims or ()
        if len(shape) > _MAX_RANK or math.prod(max(size, 1) for size in shape) > _MAX_ELEMENTS:
            raise self._reader.malformed(
                "a blob has an impossible shape",
                *(span.begin, element, f"at most {_MAX_RANK} sizes, at most 2^40 elements"),
                str(list(shape[:_MAX_RANK])),
            )
        return shape

    def _data(self, parts: _Parts, span: Span, element: str) -> tuple[int, Span]:
        gradients = [number for number in (_DIFF, _DOUBLE_DIFF) if number in parts.values]
        if gradients:
            raise self._reader.malformed(
                "a blob holds gradients as well, whose bytes would count as the size of the model",
                *(parts.values[gradients[0]].start, element, "values only (no diff)", "diff"),
            )
        places = list(parts.values)
        if len(places) > 1:
            raise self._reader.malformed(
                "a blob has values in several places",
                *(span.begin, element, "data, double_data or raw_data", f"fields {places}"),
            )
        if not places:
            return _DATA, Span(span.end, span.end)
        return places[0], parts.values[places[0]].span

    def _dtype(self, number: int, parts: _Parts, span: Span, element: str) -> DType:
        if number != _RAW:
            return np.dtype("<f4" if number == _DATA else "<f8")
        if parts.raw_type not in _RAW_TYPES:
            raise UnsupportedError(
                "a blob has an element type that is not run here",
                where=Location(self._reader.file, byte_offset=span.begin, element=element),
                expected="float, double or half precision (raw_data_type FLOAT, DOUBLE, FLOAT16)",
                found=f"raw_data_type {parts.raw_type}",
                fix="Save the blob in floating point.",
            )
        return np.dtype(_RAW_TYPES[parts.raw_type])

    def _walk(self, span: Span, element: str) -> Iterator[Field]:
        for entry in self._reader.fields(span, element):
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise LimitError(
                    "the caffemodel has too many fields",
                    where=Location(self._reader.file, byte_offset=entry.start, element=element),
                    expected=f"at most {MAX_FIELDS}",
                    found="more",
                    fix="Save the model again with Caffe: values are stored packed.",
                )
            yield entry

    def _expect(self, entry: Field, wanted: tuple[int, ...], element: str) -> None:
        if entry.wire_type not in wanted:
            names = {VARINT: "a number", FIXED64: "8 bytes", LENGTH: "bytes", FIXED32: "4 bytes"}
            raise self._reader.malformed(
                "a field of the caffemodel is stored in the wrong way",
                *(entry.start, element, " or ".join(names[one] for one in wanted)),
                f"{names[entry.wire_type]} in field {entry.number}",
            )


def _refuse_hdf5(file: MappedFile) -> None:
    if bytes(file.view()[: len(_HDF5)]) == _HDF5:
        raise UnsupportedError(
            "the caffemodel is an HDF5 file",
            where=Location(file.display, byte_offset=0),
            expected="a binary NetParameter",
            found="the signature of HDF5",
            fix='Save it with snapshot_format: BINARYPROTO, or "net.save" of pycaffe.',
        )
