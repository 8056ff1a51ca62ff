"""A file taken apart as far as it goes: units, tensors with their statistics, and what ended it.

::

    examination = examine(Path("model.nnc").read_bytes())
    print(len(examination.units), examination.error)

Where decoding a stream raises at the first damage, an examination keeps everything before it: the
elements of the broken unit that could be read, and the tensors of the units that are whole. The
inspector shows it, the validator judges it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.decoder import decode_observed
from conformance.nnc.errors import NncError, memory_for
from conformance.nnc.options import DEFAULT_OPTIONS, Options
from conformance.nnc.parser import UnitReader
from conformance.nnc.payload import TensorRecord
from conformance.nnc.planning import NduPlan, active_parameters, plan_unit
from conformance.nnc.plausibility import check_sizes
from conformance.nnc.state import DecoderState, Reference
from conformance.nnc.stream import Element, Stream, Unit

OFFSET_BITS = 9
"""Payload bits that the arithmetic decoder takes before the first bin."""
SMALL = 8
"""Levels up to this magnitude are counted one by one."""
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class LevelStatistics:
    """The distribution of ``count`` levels; ``minimum`` and ``maximum`` are None without any.

    ``small[i]`` is how often level ``i - SMALL`` occurs; ``below`` and ``above`` count the rest.
    """

    count: int
    minimum: int | None
    maximum: int | None
    small: tuple[int, ...]
    below: int
    above: int

    @property
    def zeros(self) -> int:
        """How many levels are 0."""
        return self.small[SMALL]

    @property
    def nonzero(self) -> int:
        """How many levels are not 0."""
        return self.count - self.zeros

    def histogram(self) -> Iterator[tuple[str, int]]:
        """Yield ranges of levels that occur, as text, with their counts, lowest first."""
        if self.below:
            yield f"<= {-SMALL - 1}", self.below
        for index, count in enumerate(self.small):
            if count:
                yield str(index - SMALL), count
        if self.above:
            yield f">= {SMALL + 1}", self.above


@dataclass(frozen=True, slots=True)
class BrokenUnit:
    """The unit that could not be read to its end: what was read of it."""

    index: int
    name: str
    byte: int
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class DecodedTensor:
    """A tensor that was decoded; ``levels`` is None for raw values."""

    record: TensorRecord
    levels: LevelStatistics | None


@dataclass(frozen=True, slots=True)
class Examination:
    """A file, taken apart.

    ``units`` are those that could be read, ``plans`` those of the data units whose tensors are
    known, ``tensors`` those that were decoded, in stream order. ``syntax_error`` ended the
    reading and ``broken`` is where, ``payload_error`` the planning or decoding of tensors.
    ``references`` are the tensors of the streams before this one.
    """

    data: memoryview
    options: Options
    units: tuple[Unit, ...]
    broken: BrokenUnit | None
    plans: tuple[NduPlan, ...]
    tensors: tuple[DecodedTensor, ...]
    references: Mapping[str, Reference]
    syntax_error: NncError | None
    payload_error: NncError | None

    @property
    def error(self) -> NncError | None:
        """What comes first in the file of what is wrong with it."""
        errors = [error for error in (self.payload_error, self.syntax_error) if error]
        return min(errors, key=lambda error: error.position.bit or 0, default=None)

    @property
    def stream(self) -> Stream:
        """The units that could be read, as a stream."""
        return Stream(self.data, self.units, self.options.interpretation)

    @property
    def records(self) -> tuple[TensorRecord, ...]:
        """The records of the tensors that were decoded."""
        return tuple(tensor.record for tensor in self.tensors)


def examine(
    data: bytes | bytearray | memoryview,
    options: Options = DEFAULT_OPTIONS,
    state: DecoderState | None = None,
) -> Examination:
    """Take a file apart; ``state`` holds what the streams before it left.

    The state is updated where nothing is wrong with the file. Raises nothing for what it holds.
    """
    view = memoryview(data).cast("B")
    references = dict(state.references) if state is not None else {}
    units, broken, syntax_error = _read(view, options)
    plans, plan_error = _plan(Stream(view, units, options.interpretation))
    whole = _up_to(units, plan_error)
    draft = state.draft() if state is not None else None
    tensors, decode_error = _decode(Stream(view, whole, options.interpretation), options, draft)
    payload_error = decode_error or plan_error
    if state is not None and draft is not None and not (syntax_error or payload_error):
        state.take(draft)
    return Examination(
        data=view,
        options=options,
        units=units,
        broken=broken,
        plans=plans,
        tensors=tensors,
        references=references,
        syntax_error=syntax_error,
        payload_error=payload_error,
    )


def _read(
    data: memoryview, options: Options
) -> tuple[tuple[Unit, ...], BrokenUnit | None, NncError | None]:
    reader = UnitReader(data, options)
    units: list[Unit] = []
    try:
        while (unit := reader.read()) is not None:
            units.append(unit)
    except NncError as error:
        broken = BrokenUnit(reader.index, reader.name, reader.byte, tuple(reader.elements))
        return tuple(units), broken, error
    return tuple(units), None, None


def _plan(stream: Stream) -> tuple[tuple[NduPlan, ...], NncError | None]:
    plans: list[NduPlan] = []
    if not stream.units:
        return (), None
    try:
        for unit, active in active_parameters(stream):
            with memory_for("The headers of the stream", unit.at("nnr_unit_type")):
                plans.append(plan_unit(unit, active))
    except NncError as error:
        return tuple(plans), error
    return tuple(plans), None


def _decode(
    stream: Stream, options: Options, state: DecoderState | None
) -> tuple[tuple[DecodedTensor, ...], NncError | None]:
    tensors: list[DecodedTensor] = []

    def keep(record: TensorRecord, levels: NDArray[np.int32] | None) -> None:
        statistics = None if levels is None else level_statistics(levels)
        tensors.append(DecodedTensor(record, statistics))

    units, first_error = _plausible(stream, options)
    try:
        if units:
            part = Stream(stream.data, units, stream.interpretation)
            decode_observed(part, options, state, keep)
    except NncError as error:
        return tuple(tensors), error
    return tuple(tensors), first_error


def _plausible(stream: Stream, options: Options) -> tuple[tuple[Unit, ...], NncError | None]:
    units, first_error = stream.units, None
    while units:
        plans, _ = _plan(Stream(stream.data, units, stream.interpretation))
        try:
            check_sizes(plans, options)
        except NncError as error:
            first_error = error
            units = _up_to(units, error)
        else:
            break
    return units, first_error


def _up_to(units: tuple[Unit, ...], error: NncError | None) -> tuple[Unit, ...]:
    return units if error is None else units[: error.position.unit or 0]


def level_statistics(levels: NDArray[np.int32]) -> LevelStatistics:
    """Count the levels of a tensor, int32 of any shape."""
    flat = levels.reshape(-1)
    counts = np.zeros(2 * SMALL + 3, np.int64)
    for start in range(0, flat.size, _CHUNK):
        bounded = np.clip(flat[start : start + _CHUNK], -SMALL - 1, SMALL + 1)
        counts += np.bincount(bounded + (SMALL + 1), minlength=counts.size)
    below, *small, above = (int(count) for count in counts)
    return LevelStatistics(
        count=int(flat.size),
        minimum=int(flat.min()) if flat.size else None,
        maximum=int(flat.max()) if flat.size else None,
        small=tuple(small),
        below=below,
        above=above,
    )
