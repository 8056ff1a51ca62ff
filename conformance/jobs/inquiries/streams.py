"""NNC bitstreams: what ``nnr-conformance nnc`` shows, checks and decodes.

The exit code is 0 where all is well, 1 where the stream breaks a rule, 2 where the call is wrong,
and 3 where the stream holds what the decoder has no rule for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from numpy.lib.format import write_array
from numpy.typing import NDArray

from conformance.jobs.inquiries.asked import Asked, EndedError
from conformance.nnc.access import StreamAccess
from conformance.nnc.decoder import decode as decode_stream
from conformance.nnc.errors import NncEarlierStreamError, NncError, NncUnsupportedError
from conformance.nnc.inspection.document import document_of
from conformance.nnc.inspection.examination import Examination, examine
from conformance.nnc.inspection.lazy import json_text
from conformance.nnc.inspection.rules import UNCHECKED
from conformance.nnc.inspection.rules import validate as violations_of
from conformance.nnc.inspection.rules.validation import verdict_facts, verdict_lines
from conformance.nnc.inspection.text import listing, tree
from conformance.nnc.options import Interpretation, Options
from conformance.nnc.state import DecoderState
from conformance.verdicts import Json

DECODED = "decoded.npz"
_VIOLATION, _USAGE, _UNSUPPORTED = 1, 2, 3
_LONGEST_NAME = 65_000


def inspect(asked: Asked) -> Json:
    """Show every unit, element and tensor of a stream."""
    arguments = asked.arguments
    examination = _examined(asked)
    document = document_of(examination, bits=arguments["bits"])
    document = _only_unit(document, arguments["unit"])
    if arguments["json"]:
        asked.print_json(json_text(document))
    elif arguments["tree"]:
        asked.print(tree(document, arguments["display"]))
    else:
        whole = arguments["unit"] is not None
        asked.print(listing(document, arguments["display"], whole=whole))
    return {"code": 0 if examination.error is None else _code_of(examination.error)}


def validate(asked: Asked) -> Json:
    """Compare a stream with every rule."""
    arguments, options = asked.arguments, _options(asked)
    data, state = asked.path("file").read_bytes(), _state_after(asked, options)
    found = violations_of(data, options, state, file=arguments["quoted"])
    if arguments["json"]:
        asked.print_json([json.dumps(verdict_facts(found), indent=1)])
    else:
        asked.print(verdict_lines(found, arguments["display"]))
    if any(each.severity == "violation" for each in found):
        return {"code": _VIOLATION}
    return {"code": _UNSUPPORTED if any(each.rule == UNCHECKED for each in found) else 0}


def features(asked: Asked) -> Json:
    """List the tools that a stream uses."""
    examination = _examined(asked)
    error = examination.error
    if isinstance(error, NncEarlierStreamError):
        raise EndedError(
            f"{error}\n  the tools that follow are not known without that stream: give the streams "
            "before this one with --after, in their order",
            _UNSUPPORTED,
        )
    document = document_of(examination)
    if asked.arguments["json"]:
        wanted = {name: document[name] for name in ("features", "claims", "error")}
        asked.print_json([json.dumps(wanted, indent=1, allow_nan=False)])
    else:
        asked.print(document["features"])
    if error is not None:
        raise EndedError(str(error), _code_of(error))
    return {}


def decode(asked: Asked) -> Json:
    """Decode a stream, or one tensor of it, into an archive of arrays."""
    arguments, options = asked.arguments, _options(asked)
    name, said = arguments["tensor"], []
    try:
        if name is None:
            state = _state_after(asked, options)
            tensors = decode_stream(asked.path("file").read_bytes(), options, state)
        else:
            with StreamAccess(asked.path("file"), options) as stream:
                tensors = {name: stream.decode(name)}
                said = [f"read {stream.bytes_read} of {stream.size} bytes"]
    except NncError as error:
        raise EndedError(f"{arguments['display']}: {error}", _code_of(error)) from error
    if arguments["write"]:
        try:
            _write_npz(asked.folder / DECODED, tensors)
        except ValueError as error:
            raise EndedError(str(error), _USAGE) from error
    for name, array in tensors.items():
        asked.print([f"{array.dtype!s:<8} {' x '.join(map(str, array.shape)):<20} {name!r}"])
    asked.print(said)
    return {}


def _write_npz(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write tensors to ``path``; the file is complete or not there.

    ``numpy.savez`` takes names as keyword arguments, and so refuses some. A :class:`ValueError`
    says that a name is too long for an entry of an archive.
    """
    for name in tensors:
        if len(name.encode()) > _LONGEST_NAME:
            raise ValueError(f"the name {name[:40]!r}... is too long for a .npz file")
    part = path.with_name(f"{path.name}.part")
    try:
        with ZipFile(part, "w", ZIP_STORED) as archive:
            for name, tensor in tensors.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    write_array(entry, tensor, allow_pickle=False)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _examined(asked: Asked) -> Examination:
    options = _options(asked)
    data = asked.path("file").read_bytes()
    return examine(data, options, _state_after(asked, options))


def _options(asked: Asked) -> Options:
    dimensions = asked.arguments["dimensions"].items()
    options = Options(
        interpretation=Interpretation(dialect=asked.arguments["dialect"]),
        dimensions={name: tuple(shape) for name, shape in dimensions},
        cabac_unary_length=asked.arguments["cabac_unary_length"],
    )
    return replace(options, **asked.arguments.get("values", {}))


def _state_after(asked: Asked, options: Options) -> DecoderState | None:
    """Return what the streams before this one leave behind; None without such."""
    if not asked.arguments["after"]:
        return None
    state = DecoderState()
    for path, display in asked.arguments["after"]:
        try:
            decode_stream(Path(path).read_bytes(), options, state)
        except NncError as error:
            raise EndedError(f"{display}, given with --after: {error}", _USAGE) from error
    return state


def _only_unit(document: dict[str, Any], unit: int | None) -> dict[str, Any]:
    if unit is None:
        return document
    units = document["units"][max(unit, 0) : unit + 1]
    if not units:
        last = document["unit_count"] - 1
        there = f"there are units 0 to {last}" if last >= 0 else "there is no unit"
        raise EndedError(f"{there} in the file", _USAGE, "--unit")
    return {**document, "units": units}


def _code_of(error: NncError) -> int:
    return _UNSUPPORTED if isinstance(error, NncUnsupportedError) else _VIOLATION
