"""Inputs for a network: checked against its ports, and cast to their floating-point types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from conformance.runtimes._protocol import ANY_DTYPE, ANY_SHAPE, Array, Dim, PortInfo
from conformance.verdicts import ConformanceError, Location


class Feed:
    """Fits inputs to the ports of one network; remembers which of them were cast."""

    def __init__(self, ports: Sequence[PortInfo], file: str) -> None:
        self._ports = tuple(ports)
        self._file = file
        self.casts: dict[str, str] = {}

    def check_names(self, inputs: Mapping[str, Array]) -> None:
        """Raise ConformanceError unless ``inputs`` are named as the ports are."""
        wanted = [port.name for port in self._ports]
        if set(wanted) != set(inputs):
            raise ConformanceError(
                "the inputs given are not those of the network",
                where=Location(file=self._file, element="inputs"),
                expected=", ".join(wanted),
                found=", ".join(inputs) or "none",
                fix="Name the tensors of the input files after the network's inputs.",
            )

    def fitted(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return an array for every port, in its element type; strings as Python objects.

        Raises ConformanceError if names, shapes or types do not fit.
        """
        self.check_names(inputs)
        return {port.name: self._fitted(port, inputs[port.name]) for port in self._ports}

    def _fitted(self, port: PortInfo, array: Array) -> Array:
        given = "string" if array.dtype.kind in "USO" else array.dtype.name
        if port.dtype == ANY_DTYPE and given != "string" and _matches(array.shape, port.shape):
            return np.ascontiguousarray(array).reshape(array.shape)
        floating = _is_float(given) and _is_float(port.dtype)
        if not _matches(array.shape, port.shape) or not (given == port.dtype or floating):
            raise self._misfit(port, given, array)
        if port.dtype == "string":
            return array.astype(object)
        if given != port.dtype:
            self.casts[port.name] = f"{given} -> {port.dtype}"
        return np.ascontiguousarray(array, dtype=np.dtype(port.dtype)).reshape(array.shape)

    def _misfit(self, port: PortInfo, given: str, array: Array) -> ConformanceError:
        return ConformanceError(
            f"input {port.name!r} does not fit the network",
            where=Location(file=self._file, element=port.name),
            expected=f"{port.dtype} of shape {_shown(port.shape)}",
            found=f"{given} of shape {_shown(array.shape)}",
            fix="Correct the input files of the vectors, or the shape the model declares.",
        )


def _is_float(name: str) -> bool:
    return name in {"float16", "bfloat16", "float32", "float64"}


def _matches(shape: tuple[int, ...], wanted: tuple[Dim, ...]) -> bool:
    if wanted == ANY_SHAPE:
        return True
    if len(shape) != len(wanted):
        return False
    return all(not isinstance(w, int) or w == s for s, w in zip(shape, wanted, strict=True))


def _shown(shape: tuple[Dim, ...]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
