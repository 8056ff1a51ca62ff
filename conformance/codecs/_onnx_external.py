"""Confine the external data of an ONNX model to the files its sample lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import onnx

from conformance.codecs._protocol import Source
from conformance.verdicts import Location, MalformedError


def check_external_data(tensors: Iterable[onnx.TensorProto], source: Source) -> None:
    """Raise a MalformedError for the first tensor whose data are not in a listed file."""
    folder = source.files[0].parent
    listed = {
        path.relative_to(folder).as_posix(): (path.stat().st_size, display)
        for path, display in zip(source.files[1:], source.display[1:], strict=True)
        if path.is_relative_to(folder)
    }
    for tensor in tensors:
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            _check(tensor, listed, source.display[0])


def _check(tensor: onnx.TensorProto, listed: Mapping[str, tuple[int, str]], display: str) -> None:
    """Compare the place of a tensor with the sizes and names of the files that are ``listed``."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    where = Location(file=display, element=tensor.name[:80])
    location = entries.get("location", "")
    if PurePosixPath(location).as_posix() != location or location not in listed:
        raise MalformedError(
            f"the data of {tensor.name!r} lie outside the files of the sample",
            where=where,
            expected=f"a path relative to the model: {', '.join(sorted(listed)) or 'none listed'}",
            found=repr(location[:200]),
            fix="List the data file in the sample, next to or below the model.",
        )
    begin, length = entries.get("offset", "0"), entries.get("length", "0")
    size, data = listed[location]
    numbers = _is_size(begin) and _is_size(length)
    if not numbers or int(begin) + int(length) > size:
        # The data file is too short for its model: one of the two is from another export.
        place = Location(file=data, byte_offset=size, element=tensor.name[:80])
        raise MalformedError(
            f"the data of {tensor.name!r} lie beyond the end of {location!r}",
            where=place if numbers else where,
            expected=f"offset and length within {size} bytes",
            found=f"offset {begin[:30]!r}, length {length[:30]!r}",
            fix="Save the model and its external data together again.",
        )


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(2**63))
