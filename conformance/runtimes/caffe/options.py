"""The options of a layer: none is skipped that could change what the layer computes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from conformance.runtimes.caffe.layers import Kind, Node
from conformance.runtimes.caffe.messages import label_of
from conformance.runtimes.roles import StoredTensor

_COMMON = frozenset({
    *("name", "type", "bottom", "top", "param", "include", "exclude", "phase"),
    *("loss_weight", "propagate_down", "loss_param", "transform_param"),
})  # fmt: skip
_NEUTRAL = (0, 1)


def check_options(node: Node, kind: Kind, message: Any) -> None:
    """Refuse a wrong number of inputs or outputs, and options that would not be followed.

    Raises MalformedError for what contradicts the type of the layer, UnsupportedError for options
    of a different type, or that mean nothing here.
    """
    for what, number, (least, most) in (
        ("inputs", len(node.bottoms), kind.bottoms),
        ("outputs", node.tops, kind.tops),
    ):
        wanted = str(least) if least == most else f"{least} to {most}"
        node.require(least <= number <= most, f"it has the wrong number of {what}", wanted, number)
    for field, _ in message.ListFields():
        if field.name not in _COMMON and field.name != kind.options:
            raise _not_followed(node, field.name)
    if message.HasField("phase") and label_of(message, "phase") != "TEST":
        raise _not_followed(node, "phase: TRAIN")
    if kind.options:
        _check_own(node, kind)


def numbers_in(node: Node, kind: Kind) -> StoredTensor | None:
    """Return the real numbers among the options of a layer that say what it computes, if any.

    No sample can bring them: weights could hide there, as the coefficients of an Eltwise are a row
    of a matrix. Sizes, offsets and axes are left out, and so are 0 and 1.
    """
    found: list[float] = []
    for field, value in node.options.ListFields() if node.options is not None else ():
        if field.name in kind.read and field.cpp_type == field.CPPTYPE_FLOAT:
            found += value if field.is_repeated else [value]
    numbers = np.array([each for each in found if each not in _NEUTRAL], np.float32)
    if not numbers.size:
        return None
    place = str(node.where.element)
    return StoredTensor(place, place, numbers.dtype, numbers.shape, lambda: numbers)


def _check_own(node: Node, kind: Kind) -> None:
    for field, value in node.options.ListFields():
        if field.name not in kind.read | kind.idle:
            raise _not_followed(node, f"{kind.options} {{ {field.name} }}")
        if field.name in kind.read and field.cpp_type == field.CPPTYPE_FLOAT:
            numbers = list(value) if field.is_repeated else [value]
            node.require(
                all(map(math.isfinite, numbers)),
                f"its {field.name} is not a number",
                "finite numbers",
                numbers,
            )


def _not_followed(node: Node, option: str) -> Exception:
    return node.unsupported(
        f"its option {option} cannot be followed",
        "the options of its type, as BVLC Caffe knows them, for the test phase",
        option,
        "Remove the option, if the outputs do not depend on it.",
    )
