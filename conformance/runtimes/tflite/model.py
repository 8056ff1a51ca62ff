"""A model file as values: subgraphs, tensors and operators, with every index checked.

Nothing here is run. Data of tensors are ranges of bytes in the file; they are not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from conformance.runtimes.tflite.flatbuffer import Reader, Table
from conformance.runtimes.tflite.operators import CALLS, CUSTOM, NAMES
from conformance.verdicts import Location, UnsupportedError

IDENTIFIER = b"TFL3"
_VERSION = 3
_MAX_RANK = 8
_MAX_ELEMENTS = 1 << 48
_LEFT_OUT = -1
_PLACEHOLDER = NAMES.index("PLACEHOLDER_FOR_GREATER_OP_CODES")


class Range(NamedTuple):
    """A range of bytes in the file: ``begin`` belongs to it, ``end`` does not."""

    begin: int
    end: int

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a subgraph; ``data`` is where its content is, None if a run makes it.

    ``signature`` is the shape with -1 for sizes that are free, ``scales`` the number of
    quantisation scales; ``table`` holds what else the file says.
    """

    element: str
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    code: int
    data: Range | None
    is_variable: bool
    scales: int
    table: Table

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator; an input that is left out is -1. ``calls`` are indices of subgraphs."""

    element: str
    name: str
    custom_code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    calls: tuple[int, ...]
    options: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph: tensors by index, operators in the order in which they run."""

    element: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Names for inputs and outputs of a subgraph, by index of tensor."""

    subgraph: int
    inputs: dict[int, str]
    outputs: dict[int, str]


@dataclass(frozen=True, slots=True)
class Model:
    """A whole file. ``buffers`` are the data that tensors refer to, None where there are none."""

    subgraphs: tuple[Subgraph, ...]
    buffers: tuple[Range | None, ...]
    signatures: tuple[Signature, ...]
    table: Table

    @property
    def tensors(self) -> Iterator[tuple[int, int, Tensor]]:
        """Every tensor, with the index of its subgraph and its own."""
        for number, graph in enumerate(self.subgraphs):
            for index, tensor in enumerate(graph.tensors):
                yield number, index, tensor


def read_model(reader: Reader) -> Model:
    """Return the model of a file.

    Raises MalformedError for damage and for indices out of range, LimitError for far too many
    tables, UnsupportedError for a newer schema or data in other files.
    """
    table = reader.root("Model", IDENTIFIER)
    if table.number("version") != _VERSION:
        raise reader.malformed(
            "the model has a different version of the schema",
            *(table.position, "model.version", str(_VERSION), str(table.number("version"))),
        )
    if table.tables("external_buffers"):
        raise _elsewhere(reader, table)
    buffers = tuple(_buffer(reader, each) for each in table.tables("buffers"))
    codes = tuple(_code(reader, each) for each in table.tables("operator_codes"))
    graphs = table.tables("subgraphs")
    if not graphs:
        raise reader.malformed(
            "the model has no graph", table.position, "model.subgraphs", "at least one", "none"
        )
    subgraphs = tuple(_subgraph(reader, each, buffers, codes, len(graphs)) for each in graphs)
    _check_distinct(reader, subgraphs)
    signatures = tuple(_signature(reader, s, subgraphs) for s in table.tables("signature_defs"))
    for each in table.tables("metadata"):
        _index(reader, each, "buffer", each.number("buffer"), len(buffers))
    return Model(subgraphs, buffers, signatures, table)


def _buffer(reader: Reader, table: Table) -> Range | None:
    inside, offset = table.vector("data"), table.number("offset")
    outside = Range(offset, offset + table.number("size"))
    if inside is not None and inside.length and offset:
        raise reader.malformed(
            "a buffer has its data in two places",
            *(table.position, table.element, "data, or offset and size", "both"),
        )
    if inside is not None:
        return Range(inside.begin, inside.end) if inside.length else None
    if not offset or not outside.size:
        return None
    if offset <= 1 or outside.end > len(reader.data):
        raise reader.malformed(
            "a buffer lies outside the file",
            *(table.places["offset"], table.element, f"at most {len(reader.data)} bytes"),
            f"bytes {outside.begin} to {outside.end}",
        )
    reader.claim(outside.begin, outside.end, table.element, "buffer")
    return outside


def _code(reader: Reader, table: Table) -> tuple[str, str]:
    """Return the name of an operator, and the code of one that is not builtin."""
    old, new = table.number("deprecated_builtin_code"), table.number("builtin_code")
    number = max(old, new)
    if old < 0 or new < 0:
        raise reader.malformed(
            "an operator has a negative number",
            *(table.position, table.element, "a number of a builtin operator", f"{old}, {new}"),
        )
    if number >= len(NAMES) or number == _PLACEHOLDER:
        return f"number {number}", ""
    return NAMES[number], table.text("custom_code") if NAMES[number] == CUSTOM else ""


def _subgraph(
    reader: Reader,
    table: Table,
    buffers: tuple[Range | None, ...],
    codes: tuple[tuple[str, str], ...],
    graphs: int,
) -> Subgraph:
    tensors = tuple(_tensor(reader, each, buffers) for each in table.tables("tensors"))
    return Subgraph(
        table.element,
        tensors,
        _indices(reader, table, "inputs", len(tensors)),
        _indices(reader, table, "outputs", len(tensors)),
        tuple(_operator(reader, o, codes, len(tensors), graphs) for o in table.tables("operators")),
    )


def _tensor(reader: Reader, table: Table, buffers: tuple[Range | None, ...]) -> Tensor:
    if table.number("external_buffer"):
        raise _elsewhere(reader, table)
    number = table.number("buffer")
    _index(reader, table, "buffer", number, len(buffers))
    shape = reader.integers(table, "shape") or ()
    signature = reader.integers(table, "shape_signature") or shape
    _check_shape(reader, table, shape, signature)
    quantisation = table.table("quantization")
    scales = quantisation.vector("scale") if quantisation else None
    return Tensor(
        element=table.element,
        name=table.text("name"),
        shape=shape,
        signature=signature,
        code=table.number("type"),
        data=buffers[number] if number else None,
        is_variable=bool(table.number("is_variable")),
        scales=scales.length if scales else 0,
        table=table,
    )


def _check_shape(
    reader: Reader, table: Table, shape: tuple[int, ...], signature: tuple[int, ...]
) -> None:
    fits = len(signature) == len(shape) and all(
        free in (size, _LEFT_OUT) for size, free in zip(shape, signature, strict=True)
    )
    possible = len(shape) <= _MAX_RANK and all(size >= 0 for size in shape)
    if not (possible and fits and math.prod(max(size, 1) for size in shape) <= _MAX_ELEMENTS):
        raise reader.malformed(
            "a tensor has an impossible shape",
            *(table.position, f"{table.element}.shape"),
            f"at most {_MAX_RANK} sizes, none negative, at most 2^48 elements, and a signature "
            "that differs in -1 only",
            f"{list(shape[: _MAX_RANK + 1])}, signature {list(signature[: _MAX_RANK + 1])}",
        )


def _check_distinct(reader: Reader, subgraphs: tuple[Subgraph, ...]) -> None:
    """Refuse tensors that are one table: to give one of them other data would change both."""
    seen: dict[int, str] = {}
    for number, graph in enumerate(subgraphs):
        for index, tensor in enumerate(graph.tensors):
            place = f"model.subgraphs[{number}].tensors[{index}]"
            earlier = seen.setdefault(tensor.table.position, place)
            if earlier != place:
                raise reader.malformed(
                    "two tensors share one table",
                    *(tensor.table.position, place, "a table for each tensor", earlier),
                )


def _operator(
    reader: Reader, table: Table, codes: tuple[tuple[str, str], ...], tensors: int, graphs: int
) -> Operator:
    number = table.number("opcode_index")
    _index(reader, table, "opcode_index", number, len(codes))
    name, custom_code = codes[number]
    _indices(reader, table, "intermediates", tensors, optional=True)
    found = (table.table(field) for field in ("builtin_options", "builtin_options2"))
    options = tuple(each for each in found if each is not None)
    return Operator(
        f"{table.element} {name}",
        name,
        custom_code,
        _indices(reader, table, "inputs", tensors, optional=True),
        _indices(reader, table, "outputs", tensors),
        _calls(reader, table, name, options, graphs),
        options,
    )


def _calls(
    reader: Reader, table: Table, name: str, options: tuple[Table, ...], graphs: int
) -> tuple[int, ...]:
    """Return the subgraphs that an operator runs.

    Without the options of its type, native code would let it run the graph that it is part of.
    """
    if name not in CALLS:
        return ()
    kind, fields = CALLS[name]
    chosen = next((each for each in options if each.kind == kind), None)
    if chosen is None:
        raise reader.malformed(
            "an operator does not say which subgraph it runs",
            *(table.position, f"{table.element} {name}", kind),
            ", ".join(each.kind for each in options) or "no options",
        )
    calls: list[int] = []
    for field in fields:
        if field.endswith("indices"):
            calls += _indices(reader, chosen, field, graphs)
        else:
            calls.append(_index(reader, chosen, field, chosen.number(field), graphs))
    return tuple(calls)


def _signature(reader: Reader, table: Table, subgraphs: tuple[Subgraph, ...]) -> Signature:
    number = table.number("subgraph_index")
    _index(reader, table, "subgraph_index", number, len(subgraphs))
    tensors = len(subgraphs[number].tensors)
    names: list[dict[int, str]] = []
    for side in ("inputs", "outputs"):
        entries = table.tables(side)
        for entry in entries:
            _index(reader, entry, "tensor_index", entry.number("tensor_index"), tensors)
        names.append({entry.number("tensor_index"): entry.text("name") for entry in entries})
    return Signature(number, *names)


def _indices(
    reader: Reader, table: Table, name: str, end: int, optional: bool = False
) -> tuple[int, ...]:
    found = reader.integers(table, name) or ()
    for number in found:
        if not (optional and number == _LEFT_OUT):
            _index(reader, table, name, number, end)
    return found


def _index(reader: Reader, table: Table, name: str, number: int, end: int) -> int:
    if not 0 <= number < end:
        raise reader.malformed(
            "index out of range",
            *(table.places.get(name, table.position), f"{table.element}.{name}"),
            f"a number from 0 to {end - 1}" if end else "no index: there is nothing to refer to",
            str(number),
        )
    return number


def _elsewhere(reader: Reader, table: Table) -> UnsupportedError:
    return UnsupportedError(
        "the model stores tensors in another file",
        where=Location(file=reader.file, byte_offset=table.position, element=table.element),
        expected="every tensor in the model file itself",
        found="an external buffer",
        fix="Convert the model into one file.",
    )
