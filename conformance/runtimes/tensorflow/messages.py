"""The protocol buffer messages that TensorFlow's files consist of."""

from __future__ import annotations

from typing import Any

from conformance.runtimes.libraries import library
from conformance.runtimes.tensorflow.engine import EXTRA
from conformance.runtimes.tensorflow.faults import damaged


def message(module: str, name: str, format: str) -> Any:
    """Return the class ``name`` of ``tensorflow.core.<module>``; NotRunError without TensorFlow."""
    return getattr(library(f"tensorflow.core.{module}_pb2", format, EXTRA), name)


def parse(kind: Any, data: bytes, file: str, element: str) -> Any:
    """Return the message of class ``kind`` in ``data``; MalformedError names ``file``."""
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise damaged(
            file,
            "the file cannot be read" if element == "file" else f"{element!r} cannot be read",
            byte_offset=0 if element == "file" else None,
            element=element,
            expected=f"a protocol buffer message of type {kind.DESCRIPTOR.name}",
            found=str(error)[:200],
        ) from error
