"""The ``nnc`` codec: an NNC bitstream of ISO/IEC 15938-17, by this project's own decoder.

A sample is one stream. docs/codecs.md lists the parameters, which say what a stream leaves open
and which tensors are wanted: the coded ones, or the weights they make up.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, final, get_args

import numpy as np

from conformance.codecs._fields import Fields
from conformance.codecs._nnc_words import bounded, explained, violation_of
from conformance.codecs._protocol import DecodedTensors, Inspection, Source
from conformance.nnc import Interpretation, Limits, Options
from conformance.nnc.active import active_parameters
from conformance.nnc.decoder import decode_observed
from conformance.nnc.inspection.claims import stream_claims
from conformance.nnc.inspection.features import stream_features
from conformance.nnc.inspection.rules import validate
from conformance.nnc.names import unit_names
from conformance.nnc.options import Dialect, MapEntries
from conformance.nnc.parser import parse_stream
from conformance.nnc.records import TensorRecord
from conformance.nnc.stream import Stream
from conformance.tensorfiles import Array, open_file
from conformance.verdicts import LimitError, Location, MalformedError

CodebookType: TypeAlias = Literal["float64", "float32"]
"""``float64`` as the format reconstructs values of a codebook, or rounded to ``float32``."""
_PARAMETERS = Location(file="submission.json", element="codec.params")


@final
class NncCodec:
    """Decodes one NNC bitstream."""

    codec_id: ClassVar[str] = "nnc"
    produces: ClassVar[Literal["tensors", "model"]] = "tensors"

    def decode(self, source: Source) -> DecodedTensors:
        """Decode the whole stream; its tensors are kept until the result is closed."""
        path, display = _only_file(source)
        params = _read_params(source)
        data = _read(path, display, source.limit_bytes)
        records: list[TensorRecord] = []
        with explained(display):
            stream = parse_stream(data, params.options)
            _check_dimensions(stream, params.options.dimensions)
            tensors: dict[str, Array] = dict(
                decode_observed(
                    stream, params.options, None, lambda record, _: records.append(record)
                )
            )
        return DecodedTensors(
            {name: _Kept(params.typed(array)) for name, array in tensors.items()},
            features=stream_features(stream, records),
            stored_bits=_stored_bits(records, tensors),
            close=lambda: None,
            inspect=lambda: _inspection(stream, params.options, display),
        )


@dataclass(frozen=True, slots=True)
class _Params:
    options: Options
    codebook_dtype: CodebookType

    def typed(self, array: Array) -> Array:
        """Return an array of a codebook in the type that is asked for, any other as it is."""
        if array.dtype == np.float64 and self.codebook_dtype == "float32":
            with np.errstate(over="ignore"):
                return array.astype(np.float32)
        return array


@dataclass(frozen=True, slots=True)
class _Kept:
    """A tensor that is decoded already."""

    array: Array

    def __call__(self) -> Array:
        return self.array


def _only_file(source: Source) -> tuple[Path, str]:
    if len(source.files) == 1:
        return source.files[0], source.display[0]
    raise MalformedError(
        "a sample of the nnc codec is one bitstream",
        where=Location(file=source.display[1]) if source.display else None,
        expected="1 file",
        found=f"{len(source.files)} files: {', '.join(source.display)[:200]}",
        mend="Write all units into one file; updates of a network are samples of their own.",
    )


def _read_params(source: Source) -> _Params:
    fields = Fields(source.params, "the parameter object of codec 'nnc'", _PARAMETERS)
    dialect: Dialect = fields.choice("dialect", get_args(Dialect), "nncodec-2")
    entries: MapEntries = fields.choice("map_entries", get_args(MapEntries), "count-minus-1")
    codebook: CodebookType = fields.choice("codebook_dtype", get_args(CodebookType), "float64")
    options = Options(
        interpretation=Interpretation(dialect=dialect, map_entries=entries),
        limits=Limits(decoded_bytes=source.limit_bytes, free_bytes=source.limit_bytes),
        dimensions=fields.shapes("dimensions"),
        threads=1,
        apply_local_scaling=fields.has("apply_local_scaling")
        and fields.flag("apply_local_scaling"),
        multiply_decomposition=fields.has("multiply_decomposition")
        and fields.flag("multiply_decomposition"),
    )
    fields.finish()
    return _Params(options, codebook)


def _check_dimensions(stream: Stream, dimensions: Mapping[str, Sequence[int]]) -> None:
    """Refuse dimensions of tensors that the stream has not, or has with their dimensions."""
    known: set[str] = set()
    wanting: set[str] = set()
    for unit, active in active_parameters(stream) if dimensions else ():
        names = unit_names(unit, active)
        known.update(names)
        if not unit.values["tensor_dimensions_flag"]:
            factor = names[0] not in dimensions and names[0].endswith(("_G", "_H"))
            wanting.add(names[0][:-2] if factor else names[0])
    for name in dimensions:
        if name not in wanting:
            stated = "a tensor whose dimensions it states" if name in known else "no such tensor"
            raise MalformedError(
                f"'dimensions' gives the shape of {name!r}, which the stream does not ask for",
                where=_PARAMETERS,
                expected=f"only tensors without dimensions of their own: {_listed(wanting)}",
                found=f"{stated} in the stream",
                mend="Leave the name out of the codec's parameters, or correct it.",
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))[:200] or "none"


def _read(path: Path, display: str, limit_bytes: int) -> memoryview:
    """Return the bytes of the file, read rather than mapped: it may shrink meanwhile."""
    with open_file(path, display) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= limit_bytes:
            return memoryview(file.read(size))
    raise LimitError(
        "the bitstream takes more memory than is allowed",
        where=Location(file=display),
        expected=f"at most {limit_bytes} bytes",
        found=f"{size} bytes",
        mend="Raise the memory limit of the run.",
    )


def _inspection(stream: Stream, options: Options, display: str) -> Inspection:
    """Return what the stream claims of itself, and the rules of the format it breaks."""
    return Inspection(
        claims=bounded(stream_claims(stream)),
        violations=tuple(
            violation_of(violation, display)
            for violation in validate(stream.data, options, file=display)
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
