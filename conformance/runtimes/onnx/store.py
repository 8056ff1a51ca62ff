"""The stored tensors of one model, read from its files when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, numpy_helper

from conformance.runtimes._protocol import Array, ModelSource, Unread
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.onnx.dtypes import is_packed
from conformance.runtimes.onnx.embedded import Embedded
from conformance.runtimes.onnx.external import check_overlaps, locate, span_in
from conformance.runtimes.onnx.messages import DecodeError, parse_tensor
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.unread import gaps
from conformance.runtimes.wire import Span
from conformance.verdicts import Location, MalformedError


@final
class TensorStore(Mapping[str, Array]):
    """Arrays by name; numbers are read-only views of the files wherever NumPy can view them.

    ``files`` are mapped in the order of ``source.files``, the ones that are needed. Making a
    store checks that every tensor's data is there.
    """

    def __init__(
        self,
        source: ModelSource,
        model: MappedFile,
        records: tuple[TensorRecord, ...],
        embedded: tuple[Embedded, ...] = (),
    ) -> None:
        self._source = source
        self._files = {0: model}
        self._embedded = {tensor.record.name: tensor for tensor in embedded}
        self._records = {r.name: r for r in (*records, *(tensor.record for tensor in embedded))}
        self._places: dict[str, tuple[MappedFile, Span]] = {}
        for record in self._records.values():
            if record.external is not None:
                self._places[record.name] = self._outside(record)
            elif record.name in self._embedded:
                continue
            elif record.raw is not None and not record.is_text:
                self._places[record.name] = (model, record.raw)
            else:
                self._typed(record)
        check_overlaps(
            [
                (self._records[name], file.display, span)
                for name, (file, span) in self._places.items()
                if self._records[name].external is not None
            ],
            source.display[0],
        )

    def __getitem__(self, name: str) -> Array:
        record = self._records[name]
        if name not in self._places:
            embedded = self._embedded.get(name)
            return embedded.read() if embedded is not None else self._typed(record)
        file, span = self._places[name]
        if is_packed(record.dtype):
            return self._unpacked(record, file.bytes_at(span))
        return file.bytes_at(span).view(record.dtype).reshape(record.dims)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def stored_bytes(self, name: str) -> npt.NDArray[np.uint8] | None:
        """Return the data of a tensor as ONNX stores it; None if it is in typed fields."""
        if name not in self._places:
            return None
        file, span = self._places[name]
        return file.bytes_at(span)

    def message(self, name: str) -> TensorProto:
        """Return a tensor that is stored in typed fields as it is in the file."""
        tensor = parse_tensor(self._files[0].bytes_at(self._records[name].span).tobytes())
        tensor.name = name
        return tensor

    def gaps(self) -> Iterator[Unread]:
        """Yield the bytes of files of external data that no tensor names."""
        for index, file in self._files.items():
            if index:
                claimed = [(s, self._records[n]) for n, (f, s) in self._places.items() if f is file]
                yield from gaps(claimed, file.size, file.display)

    def forget(self, name: str) -> None:
        """Let the kernel take back the memory that the data of a tensor was read into."""
        if name in self._places:
            file, span = self._places[name]
            file.forget(span)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def _outside(self, record: TensorRecord) -> tuple[MappedFile, Span]:
        index = locate(record, self._source)
        display = self._source.display[index]
        if record.nbytes == 0:
            return self._files[0], Span(0, 0)
        if index not in self._files:
            self._files[index] = MappedFile(self._source.files[index], display)
        file = self._files[index]
        return file, span_in(record, file.size, display, self._source.display[0])

    def _typed(self, record: TensorRecord) -> Array:
        """Return a tensor whose data is in typed fields; onnx reads this one message alone."""
        try:
            array = numpy_helper.to_array(self.message(record.name))
        except (DecodeError, ValueError, TypeError, OverflowError) as error:
            raise self._malformed(record, str(error)[:200]) from error
        if array.shape != record.dims:
            raise self._malformed(record, f"an array of shape {list(array.shape)}")
        return array

    def _unpacked(self, record: TensorRecord, data: npt.NDArray[np.uint8]) -> Array:
        tensor = TensorProto(data_type=record.data_type, dims=record.dims, raw_data=data.tobytes())
        return numpy_helper.to_array(tensor)

    def _malformed(self, record: TensorRecord, found: str) -> MalformedError:
        return MalformedError(
            f"the data of tensor {record.name!r} does not fit its type and shape",
            where=Location(
                file=self._source.display[0],
                byte_offset=record.byte_offset,
                element=record.element,
            ),
            expected=f"{record.elements} elements of {record.dtype.name} for {list(record.dims)}",
            found=found,
            fix="Export the model again: this tensor is damaged.",
        )
