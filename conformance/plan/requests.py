"""What a worker is asked: all that the result of a job may depend on, and nothing else.

The SHA-256 of a request is the key of its result. So a request holds no id, no title and no place
in ``submission.json``: what is renamed or put in another order is the same work. Where a worker has
to name something (a file in a message, a metric in a table) it writes a :func:`token`, and
:func:`spelled` puts the name that the submission has for it in the place.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from shlex import quote
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from conformance.submission.values import Counterpart, Mode, NameMapping, OutputTolerance, Port
from conformance.verdicts import ConformanceError, Json, error_from_json

Stage = Literal["open", "decode", "run", "measure"]
"""What a process is trusted with; each has processes that do nothing else.

``open`` and ``run``: a foreign loader, and a network that computes. ``decode``: foreign bytes in a
decoder. ``measure``: our code over arrays, in a process that never holds a runtime.
"""

Change = Literal["none", "zeros", "shuffled-1", "shuffled-2", "shuffled-3"]
"""What the parameters of the original are replaced by: the digit is the seed of a permutation."""


@dataclass(frozen=True, slots=True)
class FileRef:
    """A submitted file, by its bytes.

    ``role`` names it in its request. ``name`` is what a reader may go by: the suffix of a file that
    stands alone, the relative path of one that a network looks up next to others.
    """

    role: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network in files; ``codec`` is that of a sample which is a network, else empty."""

    role: str
    format: str
    files: tuple[FileRef, ...]
    codec: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartSpec:
    """A piece of a sample that is decoded by itself; see :class:`..values.Part`.

    ``dtype`` is the type that decoded numbers are rounded to. ``owner`` is what it is, for people.
    """

    role: str
    codec: str
    files: tuple[FileRef, ...]
    params: Mapping[str, Json]
    units: tuple[tuple[int, int], ...]
    withheld: tuple[tuple[int, int], ...]
    mode: Mode
    name_map: tuple[NameMapping, ...]
    dtype: str | None
    owner: Literal["sample", "update", "layer"]


@dataclass(frozen=True, slots=True)
class ShardSpec:
    """A part of reference vectors: ``items`` items, and those of its files that a job reads."""

    items: int
    inputs: tuple[FileRef, ...] = ()
    targets: tuple[FileRef, ...] = ()
    outputs: tuple[FileRef, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorsSpec:
    """Reference vectors, as far as a job reads them."""

    batched: bool
    shards: tuple[ShardSpec, ...]

    @property
    def items(self) -> int:
        """Items in all shards."""
        return sum(shard.items for shard in self.shards)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """What the values of a metric depend on."""

    kind: str
    args: Mapping[str, Json]
    bindings: Mapping[str, str]
    against: Literal["targets", "original"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What every request has: the keys of the results that the job reads, by role."""

    results: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRequest(Request):
    """Open a network: tell what it is, or keep its tensors."""

    network: NetworkSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRequest(Request):
    """Decode a part: all its tensors, or some of them alone."""

    part: PartSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsRequest(Request):
    """Read vectors, and compare their inputs with what is declared."""

    vectors: VectorsSpec
    inputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest(Request):
    """Run a network on inputs: with its own parameters, or others.

    Others are those of the result ``state``, or of ``tensors``, mapped as ``part`` says;
    ``swapped`` names the only ones that are taken from there, if it is not None. ``probed`` asks
    for what only the original is asked: a second opinion, and which parameters have an effect.
    """

    network: NetworkSpec
    vectors: VectorsSpec
    part: PartSpec | None = None
    swapped: tuple[str, ...] | None = None
    change: Change = "none"
    probed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRequest(Request):
    """Measure metrics on the outputs of a run."""

    vectors: VectorsSpec
    metrics: tuple[MetricSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconstructionRequest(MeasureRequest):
    """Measure metrics, and at ``levels`` intervals of the differences from the original's."""

    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalRequest(MeasureRequest):
    """Compare the outputs of the original with declared ones."""

    output_tolerance: OutputTolerance
    outputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRequest(MeasureRequest):
    """Compare the outputs of two originals: the same network in two formats."""

    output_tolerance: OutputTolerance
    other_vectors: VectorsSpec
    inputs: tuple[Counterpart, ...]
    outputs: tuple[Counterpart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest(Request):
    """Compare decoded tensors with the parameters of the original.

    ``compared`` says whether the facts of each parameter are wanted for another comparison.
    """

    part: PartSpec
    lossless: bool
    compared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedStatesRequest(Request):
    """The same for a sample that builds upon others, or has layers: ``states`` are its parts."""

    states: int
    lossless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingRequest(Request):
    """Time two forms of a network in turn."""

    original: NetworkSpec
    sample: NetworkSpec
    vectors: VectorsSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRequest(Request):
    """Decode a part upon the result ``parent``, the original, or nothing if it is ``whole``.

    The decoder goes on from the memory of the result ``contexts``, if there is one.
    """

    part: PartSpec
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest(Request):
    """Form the mean of the results ``branch.0``, ``branch.1``, ... by weight."""

    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeringRequest(Request):
    """Decode all layers in one process; the results ``state.0``, ... are what each gave alone."""

    parts: tuple[PartSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MisapplicationRequest(Request):
    """Apply ``steps`` to the result ``start``, or the original, instead of ``instead``."""

    steps: tuple[PartSpec, ...]


REQUESTS: Mapping[str, type[Request]] = {
    "model": NetworkRequest,
    "network": NetworkRequest,
    "parameters": NetworkRequest,
    "tensors": PartRequest,
    "vectors": VectorsRequest,
    "run": RunRequest,
    "measure": MeasureRequest,
    "original": OriginalRequest,
    "control": MeasureRequest,
    "reconstruction": ReconstructionRequest,
    "agreement": AgreementRequest,
    "decode": DecodeRequest,
    "decoded-states": DecodedStatesRequest,
    "decoded-network": DecodeRequest,
    "compressed-run": TimingRequest,
    "access": PartRequest,
    "state": StateRequest,
    "merge": MergeRequest,
    "layering": LayeringRequest,
    "misapplication": MisapplicationRequest,
}
"""What is asked by each kind of request."""


def request_json(kind: str, asked: Request, computed_by: Mapping[str, Json]) -> dict[str, Json]:
    """Return a request as JSON; ``computed_by`` says what computes, as far as it matters."""
    return {"kind": kind, "asked": untyped(asked), **computed_by}


def key_of(request: Mapping[str, Json]) -> str:
    """Return the key of a request's result: the SHA-256 of its JSON, in hexadecimal."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def asked_of(request: Mapping[str, Json]) -> Request:
    """Return what a request in JSON asks; a ValueError says what it is not."""
    return typed(request["asked"], REQUESTS[request["kind"]])


def files_in(value: object) -> Iterator[FileRef]:
    """Yield every file that a request names."""
    if isinstance(value, FileRef):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from files_in(each)
    elif is_dataclass(value):
        for item in fields(value):
            yield from files_in(getattr(value, item.name))


T = TypeVar("T")


def typed(data: Json, kind: type[T], *, defaults: bool = False) -> T:
    """Return JSON as a value of a frozen dataclass; ValueError for anything too much or amiss.

    With ``defaults``, fields that have one may be left out. Other classes make themselves of JSON
    by ``from_json``, which is given the types they are generic over, and JSON by ``to_json``.
    """
    value = msgspec.convert(data, kind, strict=True, dec_hook=_from_json)
    whole = untyped(value)
    if not (_covers(whole, data) if defaults else whole == data):
        raise ValueError(f"this is not a {kind.__name__}: fields that it does not have")
    return value


def _from_json(kind: Any, data: Json) -> object:
    try:
        if kind is ConformanceError:
            return error_from_json(data)
        return (get_origin(kind) or kind).from_json(data, *get_args(kind))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _covers(whole: Json, part: Json) -> bool:
    """Return whether ``whole`` has all that ``part`` has, at any depth."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and _covers(whole[key], each) for key, each in part.items())
    if isinstance(whole, list) and isinstance(part, list | tuple):
        return len(whole) == len(part) and all(map(_covers, whole, part))
    return bool(whole == part or (whole != whole and part != part))  # noqa: PLR0124 - NaN


_KEY_DIGITS = 16
_TOKEN = re.compile(rf"@([0-9a-f]{{{_KEY_DIGITS}}}):([a-z0-9.-]+)@")


def token(key: str, name: str) -> str:
    """Return what stands for a name in the result of the request with this key.

    No submitted file can hold it: it would have to know the hash of a request that has its own.
    """
    return f"@{key[:_KEY_DIGITS]}:{name}@"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a worker writes where a result has to name something: ``key`` is that of its request."""

    key: str

    def id(self, role: str) -> str:
        """Return what stands for the id of a model, sample, metric or vector set."""
        return token(self.key, f"id.{role}")

    def at(self, role: str) -> str:
        """Return what stands for the JSON pointer to it."""
        return token(self.key, f"at.{role}")

    def display(self, file: FileRef) -> str:
        """Return what stands for the path of a file."""
        return token(self.key, f"file.{file.role}")

    def name_map(self, part: PartSpec) -> str:
        """Return what stands for the JSON pointer to the name map of a part."""
        return token(self.key, f"map.{part.role}")


def spelled(value: Json, name_of: Callable[[str, str], str | None]) -> Json:
    """Return JSON with names in the place of tokens, in the keys of objects as well.

    ``name_of`` takes the first digits of the key and what the token stands for; None leaves it.
    What a ``command`` says is quoted for a shell.
    """

    def put(match: re.Match[str]) -> str:
        found = name_of(match[1], match[2])
        return match[0] if found is None else found

    def put_quoted(match: re.Match[str]) -> str:
        return quote(put(match))

    def walk(each: Json, replacement: Callable[[re.Match[str]], str] = put) -> Json:
        if isinstance(each, str):
            return _TOKEN.sub(replacement, each) if "@" in each else each
        if isinstance(each, dict):
            return {
                walk(key): walk(item, put_quoted if key == "command" else put)
                for key, item in each.items()
            }
        return [walk(item) for item in each] if isinstance(each, list) else each

    return walk(value)


def error_spelled(
    error: ConformanceError, name_of: Callable[[str, str], str | None]
) -> ConformanceError:
    """Return an error with names in the place of tokens."""
    return error_from_json(spelled(error.to_json(), name_of))


def prefix_of(key: str) -> str:
    """Return the digits by which tokens name a key."""
    return key[:_KEY_DIGITS]


def untyped(value: object) -> Json:
    """Return a dataclass, and all in it, as JSON."""
    return _listed(msgspec.to_builtins(value, enc_hook=_to_json))


def _to_json(value: Any) -> Json:
    return value.to_json()


def _listed(value: Any) -> Json:
    if isinstance(value, dict):
        return {key: _listed(each) for key, each in value.items()}
    return [_listed(each) for each in value] if isinstance(value, list | tuple) else value
