"""The ``tensors`` codec: named arrays in one file, some of them quantised, sparse or shared.

The file is ``.safetensors`` or ``.npz``, as it is or inside a zstandard, xz or zlib container.
docs/codecs.md describes it for those who write it; :mod:`conformance.codecs.tensors_writer`
writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final, get_args

from conformance.codecs._fields import Fields
from conformance.codecs._nnc_words import explained
from conformance.codecs._parent import PARENT_KEY, identity_of
from conformance.codecs._protocol import (
    Base,
    DecodedTensors,
    Identity,
    Memory,
    Source,
    Step,
    no_network,
)
from conformance.codecs._single import alone, read_arrays, read_header
from conformance.codecs.container import Container, unpack
from conformance.codecs.encodings import Output, parse_outputs
from conformance.nnc.partial import PartialFile
from conformance.tensorfiles import (
    FORMATS,
    Format,
    TensorFile,
    check_total,
    distinct,
    open_file,
    read_tensors,
)
from conformance.verdicts import Json, LimitError, Location, MalformedError

ENCODINGS_KEY: dict[Format, str] = {"safetensors": "nnr_encodings", "npz": "encodings.json"}
"""Where each format holds the description of the encodings: metadata key, or archive member."""


@final
class TensorsCodec:
    """Decodes one file of named tensors; parameters: container, decoded_size, format."""

    codec_id: ClassVar[str] = "tensors"

    def decode(self, source: Source) -> DecodedTensors:
        """Check the whole structure of the file; values are decoded when they are asked for."""
        return self.decode_step(source, None).tensors

    def decode_one(self, source: Source, name: str) -> DecodedTensors:
        """Decode one tensor; of a plain ``.safetensors`` file nothing but what it needs is read."""
        path, display = _only_file(source)
        params = _read_params(source, path)
        if params.container != "none" or params.format != "safetensors":
            with self.decode(source) as decoded:
                return alone(name, decoded[name], decoded.stored_bits[name])
        with explained(display), PartialFile(path) as file:
            tensors = read_header(file, display, source.limit_bytes)
            described, where = _description(tensors, ENCODINGS_KEY[params.format])
            output = parse_outputs(described, tensors, where)[name]
            check_total(display, {name: output.stored}, source.limit_bytes)
            read_arrays(file, [tensors.stored(each) for each in output.consumed])
            return alone(name, output.decode(), _bits(output, tensors))

    def decode_step(self, source: Source, base: Base | None) -> Step:
        """Decode differences, if the parent that the file names is ``base``."""
        path, display = _only_file(source)
        params = _read_params(source, path)
        with ExitStack() as stack:
            tensors = stack.enter_context(_open(path, display, params, source.limit_bytes))
            identity = identity_of(tensors, PARENT_KEY[params.format], base)
            if base is None and identity.named:
                raise no_network(Location(file=display, element=PARENT_KEY[params.format]))
            described, where = _description(tensors, ENCODINGS_KEY[params.format])
            outputs = parse_outputs(described, tensors, where)
            stored = {name: output.stored for name, output in outputs.items()}
            check_total(display, stored, source.limit_bytes)
            stack.pop_all()
        bits = {name: _bits(output, tensors) for name, output in outputs.items()}
        decoded = DecodedTensors(
            {name: output.decode for name, output in outputs.items()},
            features=_features(outputs, params, identity),
            stored_bits=bits,
            close=tensors.close,
            shared_bits=sum(bits.values()) - _bytes_of(outputs.values(), tensors) * 8,
        )
        return Step(decoded, Memory(), identity, path.stat().st_size)


@dataclass(frozen=True, slots=True)
class _Params:
    container: Container
    decoded_size: int
    format: Format


def _only_file(source: Source) -> tuple[Path, str]:
    if len(source.files) == 1:
        return source.files[0], source.display[0]
    raise MalformedError(
        "a sample of the tensors codec is one file",
        where=Location(file=source.display[1]) if source.display else None,
        expected="1 file",
        found=f"{len(source.files)} files: {', '.join(source.display)[:200]}",
        fix="Store all tensors in one file, or use another codec.",
    )


def _read_params(source: Source, path: Path) -> _Params:
    where = Location(file="submission.json", element="codec.params")
    fields = Fields(source.params, "the parameter object of codec 'tensors'", where)
    container = fields.choice("container", get_args(Container), "none")
    payload = fields.choice("format", FORMATS, _format_of(path))
    decoded_size = 0 if container == "none" else fields.natural("decoded_size")
    fields.finish()
    if decoded_size > source.limit_bytes:
        raise LimitError(
            "the container holds more than is allowed",
            where=where,
            expected=f"decoded_size: at most {source.limit_bytes} bytes",
            found=f"{decoded_size} bytes",
            fix="Store the tensors in fewer bytes, or raise the memory limit of the run.",
        )
    return _Params(container, decoded_size, payload)


def _format_of(path: Path) -> Format | None:
    """Return the format in the name: ``w.npz`` and ``w.npz.xz`` are npz."""
    named = [known for known in FORMATS if f".{known}" in path.suffixes[-2:]]
    return named[0] if len(named) == 1 else None


def _open(path: Path, display: str, params: _Params, limit_bytes: int) -> TensorFile:
    file = open_file(path, display)
    if params.container != "none":
        with file as packed:
            file = unpack(packed, params.container, params.decoded_size, display)
        display = f"{display} (unpacked)"
    return read_tensors(file, params.format, display=display, limit_bytes=limit_bytes)


def _description(tensors: TensorFile, key: str) -> tuple[Json, Location]:
    """Return the JSON that describes the encodings, and its place."""
    if key not in tensors.metadata:
        return {}, Location(file=tensors.display, element=key)
    place = tensors.metadata_where[key]
    where = Location(file=place.file, byte_offset=place.byte_offset, element=key)
    try:
        return json.loads(tensors.metadata[key], object_pairs_hook=distinct), where
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            "the description of the encodings cannot be read",
            where=where,
            expected="a JSON object, each key once",
            found=str(error),
            fix="Write the description with a JSON library.",
        ) from error


def _features(outputs: dict[str, Output], params: _Params, identity: Identity) -> tuple[str, ...]:
    features = {f"format:{params.format}"}.union(*(item.features for item in outputs.values()))
    features.update(f"parent:{kind}" for kind in identity.named)
    if params.container != "none":
        features.add(f"container:{params.container}")
    return tuple(sorted(features))


def _bits(output: Output, tensors: TensorFile) -> int:
    return 8 * _bytes_of([output], tensors)


def _bytes_of(outputs: Iterable[Output], tensors: TensorFile) -> int:
    """Return the bytes of all arrays that ``outputs`` are decoded from, each array once."""
    arrays = {name for output in outputs for name in output.consumed}
    return sum(tensors.stored(name).nbytes for name in arrays)
