"""The ``nnc`` codec: an NNC bitstream of ISO/IEC 15938-17, by this project's own decoder.

A sample is one stream, or several that build on one another. docs/codecs.md lists the
parameters, which say what a stream leaves open and which tensors are wanted: the coded ones, or
the weights they make up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

from conformance.codecs._chain import Base, Step, no_network, nothing_decoded
from conformance.codecs._nnc_chain import (
    identity_of,
    memory_of,
    options_upon,
    options_within,
    state_of,
)
from conformance.codecs._nnc_reading import (
    Params,
    check_outside,
    only_file,
    read,
    read_params,
)
from conformance.codecs._nnc_words import bounded, explained, violation_of
from conformance.codecs._protocol import DecodedTensors, Inspection, Source
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
from conformance.nnc.stream import Stream
from conformance.tensorfiles import Array
from conformance.verdicts import Location


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
        with explained(display):
            shapes = base.shapes if base is not None else {}
            stream = parse_stream(data, options_upon(params.options, shapes))
            check_outside(stream, params)
            nodes = base.memory.nodes if base is not None else {}
            identity = identity_of(stream, nodes, display)
            if base is None and identity.named:
                raise no_network(Location(file=display))
            if identity.wrong:
                return Step(nothing_decoded(), memory_of(None, stream, base), identity, size, units)
            state = state_of(base.memory if base is not None else None)
            options = options_within(params.options, stream, shapes)
            tensors = _decode(stream, replace(params, options=options), state, display)
        return Step(tensors, memory_of(state, stream, base), identity, size, units)


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
