"""One tensor of a stream, without reading the payloads of the others.

::

    weight = decode_tensor("model.nnc", "fc1.weight")

Units say how long they are: headers are read as far as they go, in steps of a few bytes, and
payloads are skipped. What is read as well are the other tensors of the same unit, and where a
tensor is coded with regard to an earlier unit of the stream, that unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from os import PathLike
from typing import Any, final

from conformance.nnc.decoder import decode_units, draft_within
from conformance.nnc.errors import NncError, NncMalformedError, Position, memory_for
from conformance.nnc.options import DEFAULT_OPTIONS, Options
from conformance.nnc.parser import Reader, UnitReader
from conformance.nnc.partial import PartialFile
from conformance.nnc.planning import NduPlan, active_parameters, plan_unit
from conformance.nnc.plausibility import check_sizes
from conformance.nnc.quantization import Values
from conformance.nnc.reconstruction import reconstruct
from conformance.nnc.stream import Element, Stream
from conformance.nnc.syntax import Field

STEP_BYTES = 16
"""So many bytes of a header are read at a time."""
_WIDEST_CODE_BYTES = 12
"""What the code of a number may take, the bits before it included.

After a header less than these two together are read of its payload.
"""
_SHOWN = 20


def decode_tensor(
    path: str | PathLike[str], name: str, options: Options = DEFAULT_OPTIONS
) -> Values:
    """Return one tensor of the bitstream at ``path``, with the bits that decoding all gives it.

    Raises an :class:`~conformance.nnc.errors.NncError` where the stream has no such tensor, or
    something is wrong with its headers or with what is decoded.
    """
    with StreamAccess(path, options) as stream:
        return stream.decode(name)


@final
class StreamAccess:
    """A bitstream whose headers have been read; tensors are decoded one by one.

    ``payload_bytes`` holds, for each tensor that was decoded, the bytes of the payloads it took.
    """

    def __init__(self, path: str | PathLike[str], options: Options = DEFAULT_OPTIONS) -> None:
        self._options = options
        self._file = PartialFile(path)
        self.payload_bytes: dict[str, int] = {}
        try:
            self.plans = _plans(self._file, options)
        except BaseException:
            self._file.close()
            raise

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that have been read until now."""
        return self._file.bytes_read

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._file.size

    def decode(self, name: str) -> Values:
        """Return one tensor; errors as for :func:`decode_tensor`."""
        plans = _needed(self.plans, set(_parts(name, self._options)))
        check_sizes(plans, self._options)
        for plan in plans:
            unit = plan.unit
            self._file.fill(unit.payload_byte, unit.payload_byte + unit.payload_size)
        with memory_for("The tensor"):
            tensors = self._decoded(plans)
        if name not in tensors:
            raise _no_such_tensor(name, self.plans)
        self.payload_bytes[name] = sum(plan.unit.payload_size for plan in plans)
        return tensors[name]

    def _decoded(self, plans: Sequence[NduPlan]) -> dict[str, Values]:
        state = draft_within(plans)
        decoded = decode_units(plans, self._file.view, state, self._options, None)
        tensors = {
            tensor.name: values
            for plan, members in zip(plans, decoded, strict=True)
            for tensor, values in zip(plan.tensors, members, strict=True)
        }
        reconstruct(plans, tensors, self._options)
        return tensors

    def __enter__(self) -> StreamAccess:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@final
class _LazyReader(Reader):
    """Reads elements, after the bytes that each may take."""

    def __init__(
        self, file: PartialFile, data: memoryview, bit: int, elements: list[Element], most: int
    ) -> None:
        super().__init__(data, bit, elements, most)
        self._file = file
        self._known = bit // 8

    def code(self, field: Field, name: str, parameter: int, given: Any) -> Any:
        """Read one element."""
        first = self.bits.position // 8
        match field.code.kind:
            case "st":
                self._read_text(first)
            case "bytes":
                self._require(self.bits.end // 8)
            case "u" | "i" | "flt" | "hex":
                self._require((self.bits.position + parameter + 7) // 8)
            case _:
                self._require(first + _WIDEST_CODE_BYTES)
        return super().code(field, name, parameter, given)

    def _require(self, end: int) -> None:
        """Have the bytes before ``end``, as far as the unit goes."""
        last = self.bits.end // 8
        while self._known < min(end, last):
            step = min(self._known + STEP_BYTES, last)
            self._file.fill(self._known, step)
            self._known = step

    def _read_text(self, first: int) -> None:
        """Have a string, to the zero byte that ends it."""
        looked, last = first, self.bits.end // 8
        while looked < last:
            self._require(looked + 1)
            if 0 in self._file.view[looked : self._known]:
                return
            looked = self._known


def _plans(file: PartialFile, options: Options) -> list[NduPlan]:
    """Return the plan of every compressed data unit."""
    reader = UnitReader(file.view, options, partial(_LazyReader, file))
    with memory_for("The headers of the stream"):
        units = tuple(iter(reader.read, None))
        if not units:
            raise NncMalformedError(
                "The stream is empty",
                position=Position(bit=0),
                expected="an NNR_STR unit",
                found="no bytes",
                fix="begin the stream with an NNR_STR unit",
            )
        stream = Stream(file.view, units, options.interpretation)
        return [plan_unit(unit, active) for unit, active in active_parameters(stream)]


def _parts(name: str, options: Options) -> Iterator[str]:
    """Yield the names of the stream that a tensor may be made of."""
    yield name
    if options.multiply_decomposition:
        weight = name[:-2] if name.endswith(("_G", "_H")) else name
        yield from (f"{weight}_G", f"{weight}_H")


def _needed(plans: Sequence[NduPlan], wanted: set[str]) -> list[NduPlan]:
    """Return the units that decide on the tensors ``wanted``: the last that hold them, in order.

    Other tensors of those units must be the last of their name as well, or be known as such: a
    scaling that a later unit repeats does not scale. What is coded with regard to levels of an
    earlier unit brings all that hold a tensor of its names.
    """
    holders: dict[str, list[int]] = defaultdict(list)
    for at, plan in enumerate(plans):
        for tensor in plan.tensors:
            holders[tensor.name].append(at)
    chosen: set[int] = set()
    followed: set[str] = set()
    waiting = [holders[name][-1] for name in wanted if name in holders]
    while waiting:
        index = waiting.pop()
        if index in chosen:
            continue
        chosen.add(index)
        for tensor in plans[index].tensors:
            waiting.append(holders[tensor.name][-1])
            if plans[index].temporal and tensor.name not in followed:
                followed.add(tensor.name)
                waiting += holders[tensor.name]
    return [plans[index] for index in sorted(chosen)]


def _no_such_tensor(name: str, plans: Sequence[NduPlan]) -> NncError:
    names = sorted({tensor.name for plan in plans for tensor in plan.tensors})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return NncError(
        f"The stream has no tensor {name!r}",
        expected=(", ".join(map(repr, names[:_SHOWN])) or "no tensors at all") + more,
        found=repr(name),
        fix="ask for a tensor of the stream, by the name it has after the options are applied",
    )
