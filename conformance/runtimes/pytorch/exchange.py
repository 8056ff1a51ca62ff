"""Arrays into tensors and back: always copies, so that a run changes nothing of its caller's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.tensorfiles import is_extended
from conformance.verdicts import Location, UnsupportedError

_AS_BITS = {1: np.int8, 2: np.int16}


def to_tensor(torch: Any, array: Array) -> Any:
    """Return a tensor with its own memory and the values of ``array``."""
    tensor = torch.empty(array.shape, dtype=getattr(torch, array.dtype.name))
    fill(torch, tensor, array)
    return tensor


def fill(torch: Any, tensor: Any, array: Array) -> None:
    """Copy ``array`` into ``tensor``, which has its shape and element type."""
    target, values = tensor.detach(), array
    if is_extended(array.dtype):
        bits = _AS_BITS[array.dtype.itemsize]
        target, values = target.view(getattr(torch, np.dtype(bits).name)), array.view(bits)
    np.copyto(target.numpy(), values)


def to_array(tensor: Any, name: str, file: str) -> Array:
    """Return a copy of an output; UnsupportedError if NumPy has nothing of its kind."""
    kind = str(tensor.dtype).removeprefix("torch.")
    strided = str(tensor.layout) == "torch.strided" and tensor.device.type == "cpu"
    if not strided or kind not in _PLAIN:
        raise UnsupportedError(
            f"output {name!r} is not a tensor that can be judged",
            where=Location(file, element=name),
            expected="a dense tensor of a type that NumPy has",
            found=f"{tensor.layout} {tensor.dtype} on {tensor.device.type}",
            fix="Convert the output to float32 in the network's forward.",
        )
    return np.array(tensor.detach().resolve_conj().resolve_neg().numpy(), copy=True)


def unchanged(tensors: Mapping[str, Any], before: Iterable[int], file: str) -> None:
    """Raise UnsupportedError if a run wrote to one of the network's own tensors.

    ``before`` are their version counters, which PyTorch advances with every write.
    """
    for (name, tensor), version in zip(tensors.items(), before, strict=True):
        if tensor._version != version:
            raise UnsupportedError(
                f"the network changes {name!r} when it runs",
                where=Location(file, element=name),
                expected="outputs that depend on inputs and parameters alone",
                found="an operator that writes to a parameter or buffer",
                fix="Export the network in inference mode, with its state as input and output.",
            )


def versions_of(tensors: Mapping[str, Any]) -> list[int]:
    """Return the version counter of every tensor."""
    return [tensor._version for tensor in tensors.values()]


_PLAIN = {
    *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
}
