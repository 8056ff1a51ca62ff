"""Reading an NNC bitstream of a sample: its file, the codec's parameters, what they leave open."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from conformance.codecs._fields import Fields
from conformance.codecs._protocol import Source
from conformance.nnc import Interpretation, Limits, Options
from conformance.nnc.options import (
    LARGEST_UNARY_LENGTH,
    USUAL_UNARY_LENGTH,
    Dialect,
    MapEntries,
)
from conformance.nnc.planning import active_parameters, unit_names
from conformance.nnc.stream import Stream
from conformance.tensorfiles import Array, open_file
from conformance.verdicts import LimitError, Location, MalformedError

CodebookType: TypeAlias = Literal["float64", "float32"]
"""``float64`` as the format reconstructs values of a codebook, or rounded to ``float32``."""
_RAW_FLOAT = 2
_PARAMETERS = Location(file="submission.json", element="codec.params")


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of the codec: options of the decoder, and the type of codebook tensors."""

    options: Options
    codebook_dtype: CodebookType
    gives_unary_length: bool

    def typed(self, array: Array) -> Array:
        """Return an array of a codebook in the type that is asked for, any other as it is."""
        if array.dtype == np.float64 and self.codebook_dtype == "float32":
            with np.errstate(over="ignore"):
                return array.astype(np.float32)
        return array


def only_file(source: Source) -> tuple[Path, str]:
    """Return the path of the bitstream, and the name that reports give it."""
    if len(source.files) == 1:
        return source.files[0], source.display[0]
    raise MalformedError(
        "a sample of the nnc codec is one bitstream",
        where=Location(file=source.display[1]) if source.display else None,
        expected="1 file",
        found=f"{len(source.files)} files: {', '.join(source.display)[:200]}",
        fix="Write all units into one file; differences need update_of or layers.",
    )


def read_params(source: Source) -> Params:
    """Return the codec's parameters; what is wrong with them is a MalformedError."""
    fields = Fields(source.params, "the parameter object of codec 'nnc'", _PARAMETERS)
    dialect: Dialect = fields.choice("dialect", get_args(Dialect), "nncodec-2")
    entries: MapEntries = fields.choice("map_entries", get_args(MapEntries), "count-minus-1")
    codebook: CodebookType = fields.choice("codebook_dtype", get_args(CodebookType), "float64")
    unary_length = None
    if fields.has("cabac_unary_length"):
        unary_length = fields.within("cabac_unary_length", 1, LARGEST_UNARY_LENGTH)
    options = Options(
        interpretation=Interpretation(dialect=dialect, map_entries=entries),
        limits=Limits(decoded_bytes=source.limit_bytes, free_bytes=source.limit_bytes),
        dimensions=fields.shapes("dimensions"),
        cabac_unary_length=USUAL_UNARY_LENGTH if unary_length is None else unary_length,
        threads=1,
        apply_local_scaling=fields.has("apply_local_scaling")
        and fields.flag("apply_local_scaling"),
        multiply_decomposition=fields.has("multiply_decomposition")
        and fields.flag("multiply_decomposition"),
    )
    fields.finish()
    return Params(options, codebook, gives_unary_length=unary_length is not None)


def check_outside(stream: Stream, params: Params) -> None:
    """Refuse what the parameters give and the stream states itself, or does not hold at all."""
    _check_dimensions(stream, params.options.dimensions)
    if params.gives_unary_length:
        _check_unary_length(stream, params.options.cabac_unary_length)


def _check_unary_length(stream: Stream, given: int) -> None:
    coded = [
        unit
        for unit, _ in active_parameters(stream)
        if unit.values["nnr_compressed_data_unit_payload_type"] != _RAW_FLOAT
    ]
    stated = sorted({unit.values["cabac_unary_length_minus1"] + 1 for unit in coded})  # type: ignore[operator]
    if all(unit.values["cabac_unary_length_flag"] for unit in coded):
        raise MalformedError(
            "'cabac_unary_length' is given, which the stream does not ask for",
            where=_PARAMETERS,
            expected="no value: every coded unit states its own",
            found=f"{given}; in the stream: {', '.join(map(str, stated)) or 'no coded unit'}",
            fix="Leave it out of the codec's parameters.",
        )


def _check_dimensions(stream: Stream, dimensions: Mapping[str, Sequence[int]]) -> None:
    """Refuse dimensions of tensors that the stream has not, or has with their dimensions."""
    if not dimensions:
        return
    known: set[str] = set()
    for unit, active in active_parameters(stream):
        known.update(unit_names(unit, active))
    wanting = set(without_dimensions(stream, dimensions))
    for name in dimensions:
        if name not in wanting:
            stated = "a tensor whose dimensions it states" if name in known else "no such tensor"
            raise MalformedError(
                f"'dimensions' gives the shape of {name!r}, which the stream does not ask for",
                where=_PARAMETERS,
                expected=f"only tensors without their own dimensions: {_listed(wanting)}",
                found=f"{stated} in the stream",
                fix="Leave the name out of the codec's parameters, or correct it.",
            )


def without_dimensions(stream: Stream, given: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """Yield the names whose dimensions the stream does not state, among ``given`` or not.

    Of a factor G or H whose own name is not ``given`` it is the name of the weight.
    """
    for unit, active in active_parameters(stream):
        if not unit.values["tensor_dimensions_flag"]:
            name = unit_names(unit, active)[0]
            factor = name not in given and name.endswith(("_G", "_H"))
            yield name[:-2] if factor else name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))[:200] or "none"


def read(path: Path, display: str, limit_bytes: int) -> memoryview:
    """Return the bytes of the file, read rather than mapped: it may shrink in the meantime."""
    with open_file(path, display) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= limit_bytes:
            return memoryview(file.read(size))
    raise LimitError(
        "the bitstream takes more memory than is allowed",
        where=Location(file=display),
        expected=f"at most {limit_bytes} bytes",
        found=f"{size} bytes",
        fix="Raise the memory limit of the run.",
    )
