"""The parameters of a network: the blobs that its prototxt asks for, in its caffemodel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from conformance.runtimes._protocol import Array, Unread
from conformance.runtimes.caffe.caffemodel import StoredBlob
from conformance.runtimes.caffe.graph import Graph, Layer
from conformance.runtimes.caffe.layers import Shape, Weight
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.roles import StoredTensor, Use
from conformance.runtimes.wire import Span
from conformance.verdicts import LimitError, Location, MalformedError

ROOM_PER_LAYER = 512
"""Bytes that the options of a layer, and the name of the network, may take in a caffemodel."""

_PIECE = 1 << 20
_FIX = "Submit the prototxt and the caffemodel of the same network."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a parameter is stored, and the shape that the network gives it."""

    blob: StoredBlob
    shape: Shape


class StoredBlobs(Mapping[str, Array]):
    """Blobs by name, each a read-only view of the mapped file.

    The memory of one is given back when the next is asked for; it is read again when touched.
    """

    def __init__(self, file: MappedFile, places: Mapping[str, Place]) -> None:
        self._file = file
        self._places = places
        self._last = Span(0, 0)

    def __getitem__(self, name: str) -> Array:
        place = self._places[name]
        self._file.forget(self._last)
        self._last = place.blob.span
        data = self._file.bytes_at(place.blob.span)
        return data.view(place.blob.dtype).reshape(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def stored_tensors(
    blobs: StoredBlobs, places: Mapping[str, Place], used: Collection[str]
) -> list[StoredTensor]:
    """Return the blobs as tensors; outputs depend on those that are ``used``.

    Layers compute with every blob they have. Numbers of shapes, axes and windows are options.
    """

    def reading(name: str) -> Callable[[], Array]:
        return lambda: blobs[name]

    return [
        StoredTensor(
            name=name,
            place=place.blob.element,
            dtype=place.blob.dtype,
            shape=place.shape,
            values=reading(name),
            uses=frozenset({Use.VALUE}),
            is_needed=name in used,
        )
        for name, place in places.items()
    ]


def parameter_name(layer: Layer, weight: Weight) -> str:
    """Return the name of a parameter: that of its layer, and what it is there."""
    return f"{layer.name}/{weight.name}"


def place_parameters(
    graph: Graph, blobs: Mapping[str, tuple[StoredBlob, ...]], file: str, limit_bytes: int
) -> dict[str, Place]:
    """Return the place of every parameter of ``graph``, then of blobs that it has no layer for.

    ``file`` names the caffemodel. Raises MalformedError for a blob that is missing, that does not
    fit its layer or that its layer does not have, LimitError for more than ``limit_bytes``.
    """
    places: dict[str, Place] = {}
    for layer in graph.layers:
        stored = blobs.get(layer.name, ())
        if len(stored) != len(layer.weights):
            raise _misfit(layer, file, _all_wanted(layer), _all_found(stored))
        for weight, blob in zip(layer.weights, stored, strict=True):
            if not blob.fits(weight.shape):
                found = f"{weight.name} {list(blob.shape)}"
                raise _misfit(layer, file, f"{weight.name} {list(weight.shape)}", found)
            places[parameter_name(layer, weight)] = Place(blob, weight.shape)
    known = {layer.name for layer in graph.layers}
    # In the order of the file: that of a set would change from run to run, and the report with it.
    for name, unknown in blobs.items():
        if name not in known:
            places |= {f"{name}/blob{i}": Place(b, b.shape) for i, b in enumerate(unknown)}
    _check_size(places, file, limit_bytes)
    return places


def check_content(file: MappedFile, places: Mapping[str, Place]) -> None:
    """Raise MalformedError for values that are not finite."""
    for name, place in places.items():
        _check_finite(file, name, place.blob)


def unread_in(file: MappedFile, values: int, layers: int) -> Unread:
    """Return the bytes of a caffemodel that are neither values nor options of its ``layers``.

    ``values`` are the bytes of all blobs. Options are not read either: the prototxt has them.
    """
    spare = file.size - values - ROOM_PER_LAYER * (layers + 1)
    return Unread(file.display, "fields that are neither blobs nor options of layers", spare)


def _check_finite(file: MappedFile, name: str, blob: StoredBlob) -> None:
    values = file.bytes_at(blob.span).view(blob.dtype)
    for start in range(0, values.size, _PIECE):
        with np.errstate(over="ignore"):
            finite = np.isfinite(values[start : start + _PIECE].astype(np.float32))
        begin = blob.span.begin + start * blob.dtype.itemsize
        if not finite.all():
            place = int(np.argmin(finite))
            raise MalformedError(
                f"parameter {name!r} has a value that is not finite in single precision",
                where=Location(
                    file.display,
                    byte_offset=begin + place * blob.dtype.itemsize,
                    element=f"{name}, element {start + place}",
                ),
                expected="finite numbers",
                found=str(values[start + place]),
                fix="Train or save the network again.",
            )
        file.forget(Span(begin, begin + finite.size * blob.dtype.itemsize))


def _check_size(places: Mapping[str, Place], file: str, limit_bytes: int) -> None:
    size = sum(place.blob.span.size for place in places.values())
    if size > limit_bytes:
        raise LimitError(
            "the parameters take more memory than is allowed",
            where=Location(file),
            expected=f"at most {limit_bytes} bytes",
            found=f"{size} bytes",
            fix="Judge the network with a higher memory limit.",
        )


def _misfit(layer: Layer, file: str, wanted: str, found: str) -> MalformedError:
    return MalformedError(
        f"the blobs of layer {layer.name!r} are not those of the prototxt",
        where=Location(file, element=f"layer {layer.name!r} ({layer.node.type})"),
        expected=f"{wanted}, as the prototxt says",
        found=f"{found} in the caffemodel",
        fix=_FIX,
    )


def _all_wanted(layer: Layer) -> str:
    return ", ".join(f"{w.name} {list(w.shape)}" for w in layer.weights) or "no blobs"


def _all_found(stored: tuple[StoredBlob, ...]) -> str:
    return ", ".join(str(list(blob.shape)) for blob in stored) or "no blobs"
