"""Checks of the arrays a metric is given, and their conversion to what it computes with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._protocol import Count, Floats, Roles, Values
from conformance.verdicts import ConformanceError, Location

VALUES = Count("values", 2, "numbers of the prediction, of all items")


def refuse(role: str, message: str, *, expected: str, found: str, fix: str) -> NoReturn:
    """Raise the ConformanceError about the array bound to ``role``."""
    where = Location(element=f"role {role}")
    raise ConformanceError(message, where=where, expected=expected, found=found, fix=fix)


def describe(array: NDArray[Any]) -> str:
    """Return dtype and shape in words, such as ``float32 of shape (360, 10)``."""
    return f"{array.dtype.name} of shape {array.shape}"


def count_items(kind: str, roles: Roles, values: Values) -> int:
    """Return the items of a batch; ConformanceError unless every role has as many, and some."""
    if missing := [role for role in roles.all if role not in values]:
        refuse(
            missing[0],
            f"metric kind {kind!r} got no array for a role",
            expected=f"arrays for {', '.join(roles.all)}",
            found=f"arrays for {', '.join(values) or 'nothing'}",
            fix=f"Bind {missing[0]!r} to an output or a target in the metric's bindings.",
        )
    counts = {role: values[role].shape[0] if values[role].ndim else 0 for role in roles.all}
    first = roles.all[0]
    for role, items in counts.items():
        if items != counts[first]:
            refuse(
                role,
                f"{first} and {role} do not have the same number of items",
                expected=f"{counts[first]} items along axis 0, as in {first}",
                found=describe(values[role]),
                fix="Give every array of a shard the same number of items along axis 0.",
            )
    if counts[first] == 0:
        refuse_empty(kind)
    return counts[first]


def refuse_empty(kind: str) -> NoReturn:
    """Raise the ConformanceError about a metric over nothing."""
    raise ConformanceError(
        f"metric kind {kind!r} was asked about no items at all",
        expected="at least 1 item",
        found="0 items",
        fix="Give reference vectors with at least one item along axis 0.",
    )


def is_floating(array: NDArray[Any]) -> bool:
    """Return whether the dtype is a floating-point type of NumPy or ml_dtypes."""
    return array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float"))


def is_integer(array: NDArray[Any]) -> bool:
    """Return whether the dtype is an integer or Boolean type."""
    return array.dtype.kind in "iub"


def as_float64(role: str, array: NDArray[Any]) -> Floats:
    """Return real numbers as float64; ConformanceError for anything else."""
    if not (is_floating(array) or is_integer(array)):
        refuse(
            role,
            f"{role} does not hold real numbers",
            expected="a floating-point or integer dtype",
            found=describe(array),
            fix=f"Bind {role!r} to an output or target that holds numbers.",
        )
    return array.astype(np.float64, copy=False)


def same_shape(values: Values, prediction: str = "prediction", target: str = "target") -> None:
    """Raise a ConformanceError unless both arrays have the same shape, with some values."""
    ours, theirs = values[prediction], values[target]
    if ours.shape != theirs.shape:
        refuse(
            target,
            f"{prediction} and {target} do not have the same shape",
            expected=f"shape {ours.shape}, as {prediction}",
            found=describe(theirs),
            fix=f"Store {target!r} with the shape of the network's output.",
        )
    if ours.size == 0:
        refuse(
            prediction,
            f"{prediction} holds no values",
            expected="at least one value per item",
            found=describe(ours),
            fix="Bind an output that has values.",
        )


def split_non_finite(roles: Roles, values: Values) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Replace NaN and infinity in predictions by 0, and count them.

    Returns the arrays to compute with, and how many values of each item were replaced (items,).
    A target that is not finite is a ConformanceError.
    """
    finite = dict(values)
    replaced = np.zeros(values[roles.all[0]].shape[0], dtype=np.int64)
    for role in roles.all:
        array = values[role]
        if not is_floating(array) or np.isfinite(array).all():
            continue
        broken = ~np.isfinite(array)
        if role in roles.targets:
            refuse_non_finite(role, int(broken.sum()))
        replaced += broken.reshape(len(broken), -1).sum(axis=1)
        finite[role] = np.where(broken, np.zeros((), array.dtype), array)
    return finite, replaced


def refuse_non_finite(role: str, count: int) -> NoReturn:
    """Raise the ConformanceError about NaN or infinity in what is compared with."""
    refuse(
        role,
        f"{role} holds NaN or infinity",
        expected="finite numbers",
        found=f"{count} values that are NaN or infinite",
        fix=f"Correct {role!r} in the reference vectors.",
    )


def as_texts(role: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an object array of str; ConformanceError unless it holds text (UTF-8 if bytes)."""
    texts = np.empty(array.shape, dtype=object)
    for index, text in np.ndenumerate(array):
        decoded = _decoded(text)
        if decoded is None:
            refuse(
                role,
                f"{role} does not hold text",
                expected="strings, or bytes in UTF-8",
                found=f"{describe(array)} with {type(text).__name__} at {index}",
                fix=f"Bind {role!r} to an output or target of strings.",
            )
        texts[index] = decoded
    return texts


def _decoded(text: object) -> str | None:
    if isinstance(text, bytes):
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return str(text) if isinstance(text, str) else None


def tokens(role: str, item: NDArray[Any], ignore_index: int | None) -> Sequence[str]:
    """Return the words of a text, or the token ids other than ``ignore_index`` as words."""
    if is_integer(item):
        return [str(token) for token in item.ravel().tolist() if token != ignore_index]
    return [word for text in as_texts(role, item).ravel() for word in text.split()]
