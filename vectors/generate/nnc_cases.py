"""What a bitstream vector is, and how one is written to its folder.

A case lies in ``EDITION/TOOL/NAME/``: its streams, and ``case.json`` with the settings that made
them and the tensors that they hold. ``vectors/bitstreams/README.md`` explains the fields.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nnc_arrays import Tensors

from conformance.tensorfiles import tensor_digest

Edition = Literal["first-edition", "second-edition", "nncodec-1.0"]

FIRST: Edition = "first-edition"
SECOND: Edition = "second-edition"
DIALECT: Edition = "nncodec-1.0"
DESCRIPTION = "case.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case lies below ``vectors/bitstreams``."""

    edition: Edition
    tool: str
    name: str

    def below(self, root: Path) -> Path:
        """Return the folder of the case."""
        return root / self.edition / self.tool / self.name


@dataclass(frozen=True, slots=True)
class CodedStream:
    """One stream of a case: its bytes and the tensors it holds, or how decoding must fail."""

    data: bytes
    tensors: Tensors = field(default_factory=dict)
    features: Sequence[str] = ()
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case to write. ``options`` are those of :class:`conformance.nnc.Options`, as JSON."""

    place: Place
    title: str
    made_by: str
    settings: Mapping[str, Any]
    streams: Sequence[CodedStream]
    decoded_by: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def write_case(root: Path, case: Case) -> None:
    """Write a case below ``root``; nothing of an earlier one is left in its folder."""
    folder = case.place.below(root)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    entries = []
    for number, stream in enumerate(case.streams):
        name = "stream.nnc" if len(case.streams) == 1 else f"stream-{number}.nnc"
        (folder / name).write_bytes(stream.data)
        entries.append(_describe_stream(name, stream))
    document = {
        "title": case.title,
        "made_by": case.made_by,
        "settings": case.settings,
        "options": case.options,
        "streams": entries,
        "decoded_by": list(case.decoded_by),
        "note": case.note,
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION).write_text(text, "utf-8")


def _describe_stream(name: str, stream: CodedStream) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "file": name,
        "sha256": hashlib.sha256(stream.data).hexdigest(),
        "features": list(stream.features),
    }
    if stream.error is not None:
        return {**entry, "error": dict(stream.error)}
    return {**entry, "tensors": {key: _describe(array) for key, array in stream.tensors.items()}}


def _describe(array: Any) -> dict[str, Any]:
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "sha256": tensor_digest(array),
    }
