"""The few functions that a pickle of PyTorch names, and what each describes.

None of them is PyTorch's own: they check their arguments and return plain values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from conformance.runtimes.dtypes import is_floating
from conformance.runtimes.pytorch.values import (
    Global,
    Storage,
    Tensor,
    Value,
    dtype_of_name,
    dtype_of_storage,
    shown,
)

MAX_DIMENSIONS = 32
_MAX_SIZE = 1 << 48
_KEY = re.compile(r"[0-9A-Za-z_]{1,64}", re.ASCII)
_STORAGE_FIELDS = 5


class Misfit(ValueError):  # noqa: N818 - it never leaves this package
    """Arguments that do not describe what the function makes."""


def stored_in(persistent: Value) -> Storage:
    """Return the storage that a persistent id of PyTorch names; Misfit if it names none."""
    if not isinstance(persistent, tuple) or len(persistent) != _STORAGE_FIELDS:
        raise Misfit("not five fields")
    tag, kind, key, _, elements = persistent
    if tag != "storage" or not isinstance(kind, Global) or not isinstance(key, str):
        raise Misfit("no storage")
    if not _KEY.fullmatch(key):
        raise Misfit(f"the key {key[:80]!r}")
    try:
        dtype = dtype_of_storage(kind)
    except KeyError as error:
        raise Misfit(f"a storage of {error}") from error
    return Storage(key, dtype, _size(elements))


def _tensor_v2(
    storage: Value,
    offset: Value,
    shape: Value,
    strides: Value,
    requires_grad: Value,
    hooks: Value,
    metadata: Value = None,
) -> Tensor:
    del requires_grad
    if not isinstance(storage, Storage) or storage.dtype is None:
        raise Misfit("a tensor without a typed storage")
    return _tensor(
        storage, Global("torch", storage.dtype.name), offset, shape, strides, hooks, metadata
    )


def _tensor_v3(
    storage: Value,
    offset: Value,
    shape: Value,
    strides: Value,
    requires_grad: Value,
    hooks: Value,
    dtype: Value,
    metadata: Value = None,
) -> Tensor:
    if not isinstance(storage, Storage):
        raise Misfit("a tensor without a storage")
    made = _tensor(storage, dtype, offset, shape, strides, hooks, metadata)
    return _with_gradient(made, requires_grad)


def _tensor(
    storage: Storage,
    dtype: Value,
    offset: Value,
    shape: Value,
    strides: Value,
    hooks: Value,
    metadata: Value,
) -> Tensor:
    if hooks or metadata:
        raise Misfit("a tensor with hooks, or conjugated or negated lazily")
    try:
        known = dtype_of_name(dtype)
    except KeyError as error:
        raise Misfit(f"elements of type {error}") from error
    made = Tensor(storage, known, _size(offset), _sizes(shape), _sizes(strides))
    if len(made.shape) != len(made.strides):
        raise Misfit(f"sizes {made.shape} and strides {made.strides}")
    if not made.elements and not made.is_addressable:
        raise Misfit(f"sizes {made.shape}, which no array can have")
    if made.elements and made.span[1] > storage.nbytes:
        raise Misfit(f"a tensor that ends at byte {made.span[1]} of {storage.nbytes}")
    return made


def _with_gradient(tensor: Tensor, wanted: Value) -> Tensor:
    if wanted and tensor.dtype.kind not in "fc" and not is_floating(tensor.dtype):
        raise Misfit(f"a tensor of {tensor.dtype.name} that requires a gradient")
    return tensor


def _parameter(data: Value, requires_grad: Value, hooks: Value) -> Tensor:
    del requires_grad
    if not isinstance(data, Tensor) or hooks:
        raise Misfit("a parameter that is not a tensor, or has hooks")
    return data


def _dictionary() -> dict[str, Value]:
    return {}


def _list(values: Value) -> list[Value]:
    if not isinstance(values, list):
        raise Misfit("no list")
    return values


def _tagged(value: Value, type_name: Value) -> Value:
    """Return a container as it is: its type, such as ``Dict[str, int]``, is written next to it."""
    if not isinstance(type_name, str) or not isinstance(value, list | dict):
        raise Misfit("no list or dictionary with the name of its type")
    return value


def _device(name: Value) -> str:
    if not isinstance(name, str):
        raise Misfit("no device")
    return name


def _size(value: Value) -> int:
    if type(value) is not int or not 0 <= value < _MAX_SIZE:
        raise Misfit(f"{shown(value)}, which is not a size")
    return value


def _sizes(values: Value) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > MAX_DIMENSIONS:
        raise Misfit("no sizes")
    return tuple(_size(value) for value in values)


BUILDERS: Mapping[Global, Callable[..., Value]] = {
    Global("collections", "OrderedDict"): _dictionary,
    Global("torch._utils", "_rebuild_tensor_v2"): _tensor_v2,
    Global("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    Global("torch._utils", "_rebuild_parameter"): _parameter,
    Global("torch", "device"): _device,
    Global("torch.jit._pickle", "restore_type_tag"): _tagged,
    Global("torch.jit._pickle", "build_intlist"): _list,
    Global("torch.jit._pickle", "build_doublelist"): _list,
    Global("torch.jit._pickle", "build_boollist"): _list,
    Global("torch.jit._pickle", "build_tensorlist"): _list,
}
"""What each name builds from its arguments; Misfit or TypeError if they do not fit."""
