"""The ``nnc`` codec: an NNC bitstream of ISO/IEC 15938-17, by this project's own decoder.

A sample is one stream, or several that build on one another: between two, the state of the decoder
is plain data, so that every step is decoded by itself. docs/codecs.md lists the parameters, which
say what a stream leaves open and which tensors are wanted: the coded ones, or the weights they make
up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from conformance.codecs._nnc_reading import (
    Params,
    check_outside,
    only_file,
    read,
    read_params,
    without_dimensions,
)
from conformance.codecs._nnc_words import bounded, explained, location_of, violation_of
from conformance.codecs._protocol import (
    Base,
    DecodedTensors,
    Identity,
    Inspection,
    Memory,
    Source,
    Step,
    WrongParent,
    no_network,
    nothing_decoded,
)
from conformance.codecs._single import alone
from conformance.nnc import DecoderState, Options
from conformance.nnc.access import StreamAccess
from conformance.nnc.decoder import decode_observed
from conformance.nnc.inspection.claims import stream_claims
from conformance.nnc.inspection.features import stream_features
from conformance.nnc.inspection.rules import validate
from conformance.nnc.outline import count_units, select_units
from conformance.nnc.parser import parse_stream
from conformance.nnc.payload import TensorRecord
from conformance.nnc.state import Reference
from conformance.nnc.stream import Stream
from conformance.nnc.tree import Node, nodes_of, verify_parents
from conformance.tensorfiles import Array
from conformance.verdicts import Json, Location

_REFERENCE, _HISTORY = "reference:", "history:"


@final
class NncCodec:
    """Decodes NNC bitstreams: each by itself, or one upon another."""

    codec_id: ClassVar[str] = "nnc"

    def decode(self, source: Source) -> DecodedTensors:
        """Decode the whole stream; its tensors are kept until the result is closed."""
        path, display = only_file(source)
        params = read_params(source)
        data = read(path, display, source.limit_bytes)
        with explained(display):
            stream = parse_stream(data, params.options)
            check_outside(stream, params)
            return _decode(stream, params, None, display)

    def decode_one(self, source: Source, name: str) -> DecodedTensors:
        """Decode one tensor; payloads of units that it does not need are not read."""
        path, display = only_file(source)
        params = read_params(source)
        with explained(display), StreamAccess(path, params.options) as stream:
            array = params.typed(stream.decode(name))
        return alone(name, array, 8 * stream.payload_bytes[name])

    def decode_step(self, source: Source, base: Base | None) -> Step:
        """Decode a stream, or some of its units, if the parent that it names is ``base``."""
        path, display = only_file(source)
        params = read_params(source)
        data = read(path, display, source.limit_bytes)
        units, size = 0, len(data)
        if source.units:
            units = count_units(data)
            with explained(display):
                part, size = select_units(data, source.units, source.withheld)
            # From here on places are those in the part.
            data, display = memoryview(part), f"{display} (units {_ranges(source.units)})"
        shapes = base.shapes if base is not None else {}
        before = base.memory if base is not None else Memory()
        with explained(display):
            # A stream may leave out the dimensions of its base.
            stream = parse_stream(data, _with_dimensions(params.options, shapes))
            check_outside(stream, params)
            identity = _identity(stream, before.nodes, display)
            if base is None and identity.named:
                raise no_network(Location(file=display))
            if identity.wrong:
                return Step(nothing_decoded(), Memory(), identity, size, units)
            # NNCodec leaves out the dimensions of blocks in updates: those of what is updated.
            wanting = set(without_dimensions(stream, shapes))
            known = {name: shape for name, shape in shapes.items() if name in wanting}
            options, state = _with_dimensions(params.options, known), _state(before)
            tensors = _decode(stream, replace(params, options=options), state, display)
        nodes = nodes_of(stream, is_update=base is not None)
        return Step(tensors, _memory(state, before.nodes, nodes), identity, size, units)


def _ranges(units: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{first}-{last}" for first, last in units[:5])


def _decode(
    stream: Stream, params: Params, state: DecoderState | None, display: str
) -> DecodedTensors:
    """Return the tensors of a stream; ``state`` is carried on to the next one."""
    before = state.draft() if state is not None else None
    records: list[TensorRecord] = []
    tensors: dict[str, Array] = dict(
        decode_observed(stream, params.options, state, lambda record, _: records.append(record))
    )
    return DecodedTensors(
        {name: _Kept(params.typed(array)) for name, array in tensors.items()},
        features=stream_features(stream, records),
        stored_bits=_stored_bits(records, tensors),
        close=lambda: None,
        inspect=lambda: _inspection(stream, params.options, before, display),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """A tensor that is decoded already."""

    array: Array

    def __call__(self) -> Array:
        return self.array


def _inspection(
    stream: Stream, options: Options, before: DecoderState | None, display: str
) -> Inspection:
    """Return what the stream claims of itself, and the rules of the format it breaks.

    ``before`` is what the streams before it left.
    """
    return Inspection(
        claims=bounded(stream_claims(stream)),
        violations=tuple(
            violation_of(violation, display)
            for violation in validate(stream.data, options, before, file=display)
        ),
    )


def _stored_bits(records: Sequence[TensorRecord], tensors: Mapping[str, Any]) -> dict[str, int]:
    """Return the payload bits of each tensor; those of a part count for what it is part of."""
    weights = {record.unit: record.name for record in records if record.role in {"weight", "G"}}
    bits: Counter[str] = Counter()
    for record in records:
        name = record.name
        if name not in tensors and record.role == "local-scaling":
            name = weights[record.unit]
        if name not in tensors:
            name = name.removesuffix("_G").removesuffix("_H")
        bits[name] += record.payload_bits
    return dict(bits)


# --- Chains


def _with_dimensions(options: Options, shapes: Mapping[str, tuple[int, ...]]) -> Options:
    return replace(options, dimensions={**shapes, **options.dimensions})


def _identity(stream: Stream, nodes: Mapping[str, Json], display: str) -> Identity:
    """Return what the units of ``stream`` say about their parents, compared with ``nodes``."""
    known = {name: [Node(**node) for node in several] for name, several in nodes.items()}
    parents = verify_parents(stream, known)
    return Identity(
        places=parents.units,
        named={str(kind): count for kind, count in parents.named.items()},
        wrong=tuple(
            WrongParent(
                tensor=each.name,
                where=location_of(each.position, display),
                expected=each.expected,
                found=each.found,
            )
            for each in parents.wrong
        ),
    )


def _state(memory: Memory) -> DecoderState:
    """Return the state that :func:`_memory` made ``memory`` of; an empty one of an empty memory."""
    state = DecoderState()
    for key, array in memory.arrays.items():
        kind, _, name = key.partition(":")
        if f"{kind}:" == _HISTORY:
            state.histories[name] = array.astype(np.int8, copy=False)
        else:
            ids: Sequence[Any] = memory.facts[name]
            state.references[name] = Reference(array.astype(np.int32, copy=False), *ids)
    return state


def _memory(
    state: DecoderState,
    before: Mapping[str, list[Json]],
    nodes: Mapping[str, Sequence[Node]],
) -> Memory:
    """Return what the next stream needs: the state after this one, and the nodes.

    Tensors that this one does not hold keep their nodes ``before``.
    """
    references = {f"{_REFERENCE}{name}": each.levels for name, each in state.references.items()}
    histories = {f"{_HISTORY}{name}": each for name, each in state.histories.items()}
    own = {name: [asdict(node) for node in several] for name, several in nodes.items()}
    return Memory(
        arrays={**references, **histories},
        facts={
            name: [each.device_id, each.parameter_id, each.put_node_depth]
            for name, each in state.references.items()
        },
        nodes={**before, **own},
    )
