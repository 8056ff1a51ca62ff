"""Reading a prototxt: text into a ``NetParameter``, everything in it known by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from conformance.runtimes._protocol import Unread
from conformance.runtimes.caffe.messages import new_message
from conformance.tensorfiles import refuse_lfs_pointer
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)

MAX_BYTES = 2 << 20
"""The largest prototxt that is read; that of a network of 150 layers takes 100 kB."""

ROOM_BYTES = 64 << 10
ROOM_PER_LAYER = 4 << 10
"""A layer with fillers and learning rates takes about 700 bytes."""

_MOST_TEXT = 300
_LONGEST = 256
"""Bytes of a name that are part of the graph."""

_SPARE = re.compile(r"(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|#[^\n]*|\s+")
_UNKNOWN = "has no field named"


def read_prototxt(path: Path, display: str) -> Any:
    """Return the ``NetParameter`` in the text file at ``path``; ``display`` names it.

    Raises MalformedError if it is not one, LimitError if it is too large, UnsupportedError if it
    uses a field that is not known here.
    """
    if not path.is_file():
        raise MalformedError(
            "a file of the model is not there",
            where=Location(file=display),
            expected="a file",
            found="a folder or a device" if path.exists() else "nothing",
            fix="Put the file in its place, or correct its path.",
        )
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise LimitError(
            "the prototxt is too large",
            where=Location(file=display),
            expected=f"at most {MAX_BYTES} bytes",
            found=f"{path.stat().st_size} bytes",
            fix="List the prototxt first and the caffemodel second under the model's files.",
        )
    refuse_lfs_pointer(data, display)
    return _parsed(_text(data, display), display)


def check_text_size(path: Path, display: str, layers: int) -> None:
    """Raise MalformedError for a prototxt that is far longer than its ``layers`` layers need."""
    size, room = path.stat().st_size, ROOM_BYTES + ROOM_PER_LAYER * layers
    if size > room:
        raise MalformedError(
            "the prototxt holds far more than the network",
            where=Location(file=display),
            expected=f"at most {room} bytes for {layers} layers of the test phase",
            found=f"{size} bytes",
            fix="Remove comments and layers of the training phase: all its bytes count as the "
            "original's size.",
        )


def unread_in_text(path: Path, display: str) -> Iterator[Unread]:
    """Yield comments, blanks beyond as many as there are other characters, and long strings."""
    text = path.read_text(encoding="utf-8")
    pieces = [*_SPARE.finditer(text)]
    strings = [len(each["text"].encode()) for each in pieces if each["text"] is not None]
    found = [each.group() for each in pieces if each["text"] is None]
    comments = sum(len(each.encode()) for each in found if each.startswith("#"))
    blanks = sum(len(each) for each in found if not each.startswith("#"))
    yield Unread(display, "comments", comments)
    yield Unread(display, "long strings", sum(max(0, size - _LONGEST) for size in strings))
    yield Unread(display, "blanks", blanks - (len(text) - comments - blanks))


def _text(data: bytes, display: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(
            "the prototxt is not a text file",
            where=Location(file=display, byte_offset=error.start),
            expected="UTF-8 text",
            found=f"byte {data[error.start]:#04x}",
            fix="List the prototxt first and the caffemodel second under the model's files.",
        ) from error


def _parsed(text: str, display: str) -> Any:
    net = new_message("NetParameter")
    try:
        text_format.Parse(text, net)
    except text_format.ParseError as error:
        raise _refusal(error, display) from error
    return net


def _refusal(error: text_format.ParseError, display: str) -> ConformanceError:
    where = Location(file=display, line=error.GetLine(), column=error.GetColumn())
    found = str(error).partition(" : ")[2][:_MOST_TEXT].strip()
    if _UNKNOWN in found:
        return UnsupportedError(
            "the prototxt uses a field that is not known here",
            where=where,
            expected="fields of the caffe.proto of BVLC Caffe 1.0",
            found=found,
            fix="Remove the field if it does not change the outputs of the network; upgrade a "
            "file of the first version of Caffe (layers { layer { } }) with upgrade_net_proto_text",
        )
    return MalformedError(
        "the prototxt cannot be parsed",
        where=where,
        expected="a NetParameter in the text format of protocol buffers",
        found=found,
        fix="Correct the prototxt at this place.",
    )
