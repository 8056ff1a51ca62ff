"""Names in a parsed model: text that is not UTF-8 comes out of the parser as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message
from onnx import ModelProto, TensorProto

from conformance.verdicts import Location, MalformedError

_NAMES = ("name", "doc_string")


def check_texts(model: ModelProto, file: str) -> None:
    """Raise MalformedError if a name, domain or documentation string is not UTF-8."""
    for name, text in _texts(model):
        if isinstance(text, bytes):
            raise MalformedError(
                "text is not UTF-8",
                where=Location(file=file, element=f"graph ({name})"),
                expected="UTF-8",
                found=repr(text[:40]),
                fix="Export the model again: the file is damaged or was cut short.",
            )


def _texts(message: Message) -> Iterator[tuple[str, object]]:
    """Yield the names and values of all fields of text, those of messages within included."""
    if isinstance(message, TensorProto):
        yield from ((name, getattr(message, name)) for name in _NAMES)
        return
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            yield from ((field.name, text) for text in _several(value))
        elif field.type == field.TYPE_MESSAGE:
            for inner in _several(value):
                if isinstance(inner, Message):
                    yield from _texts(inner)


def _several(value: object) -> Iterable[object]:
    if isinstance(value, (str, bytes, Message)) or not isinstance(value, Iterable):
        return (value,)
    return value
