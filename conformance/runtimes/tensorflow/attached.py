"""Values that a graph holds itself: a replacement of the parameters does not reach them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.runtimes.dtypes import is_floating
from conformance.runtimes.tensorflow.dtypes import STRING, known_dtype
from conformance.runtimes.tensorflow.faults import damaged
from conformance.verdicts import LimitError, Location, UnsupportedError

FEWEST_WEIGHTS = 16
_PER_OPERATOR = 2
_MOST_SHOWN = 10
_SETTING = 16
_LONG_TEXT = 64
_TYPED = (
    *("half_val", "float_val", "double_val", "int_val", "scomplex_val", "int64_val", "bool_val"),
    *("dcomplex_val", "uint32_val", "uint64_val", "float8_val"),
)


@dataclass(frozen=True, slots=True)
class Attached:
    """``values`` numbers (or bytes of text) stored in ``place``, of a type of weights or not."""

    place: str
    values: int
    is_weight: bool

    @property
    def holds_parameters(self) -> bool:
        """Whether they are enough, and of a type, to be parameters."""
        return self.is_weight and self.values >= FEWEST_WEIGHTS


def attached_values(
    places: Iterable[tuple[str, Any]], file: str, limit_bytes: int
) -> tuple[Attached, ...]:
    """Return the constants of nodes, and settings too long to be mere settings.

    Raises LimitError for tensors that unfold to more than ``limit_bytes`` together.
    """
    found: list[Attached] = []
    room = limit_bytes
    for place, node in places:
        for name, value in node.attr.items():
            here = f"{place}.{name}"
            for tensor in (value.tensor, *value.list.tensor):
                if tensor.ByteSize():
                    room -= _unfolded(tensor, here, file)
                    found.append(_of_tensor(tensor, here))
            found += _settings(value, here)
        if room < 0:
            raise LimitError(
                "the constants of the graph unfold to more memory than is allowed",
                where=Location(file=file, element=place),
                expected=f"at most {limit_bytes} bytes in all",
                found="more",
                mend="Submit smaller tensors, or judge them with a higher memory limit.",
            )
    return tuple(found)


def check_replaceable(
    found: Sequence[Attached], listed: int, parameters: int, operators: int, file: str
) -> None:
    """Raise UnsupportedError if a replacement would leave parameters of the original in place.

    That is so if a tensor holds parameters, or if all hold more values, of whatever type, than a
    graph of so many ``operators`` needs for shapes, axes and scalars. ``listed`` values are in
    variables that are no parameters; ``parameters`` are the elements of those that the network
    uses.
    """
    stuck = [each for each in found if each.holds_parameters]
    if stuck:
        raise _stuck(stuck, parameters, file, "every parameter in a variable")
    allowed = max(FEWEST_WEIGHTS, min(parameters // 10, 4096 + parameters // 1000))
    allowed += min(_PER_OPERATOR * operators, parameters // 4)
    if listed + sum(each.values for each in found) > allowed:
        stuck = sorted(found, key=lambda each: -each.values)
        raise _stuck(stuck, parameters, file, f"at most {allowed} values outside the parameters")


def _stuck(
    stuck: Sequence[Attached], parameters: int, file: str, expected: str
) -> UnsupportedError:
    shown = [f"{each.place} ({each.values} values)" for each in stuck[:_MOST_SHOWN]]
    if len(stuck) > _MOST_SHOWN:
        shown.append(f"and {len(stuck) - _MOST_SHOWN} more")
    frozen = (
        "The graph is frozen: it has no variables at all. Export the network from where it was "
        "trained, with tf.saved_model.save, and do not convert its variables to constants."
    )
    mend = "Keep them in variables (tf.Variable, or weights of a Keras layer), and export again."
    return UnsupportedError(
        "the model stores parameters where a sample's cannot take their place",
        where=Location(file=file, element=stuck[0].place if stuck else None),
        expected=expected,
        found="; ".join(shown) or "values in variables of integers",
        mend=mend if parameters else frozen,
    )


def _settings(value: Any, place: str) -> Iterator[Attached]:
    """Yield what an attribute holds, if it is more than strides, an equation or the like."""
    if len(value.list.f) > 1:
        yield Attached(place, len(value.list.f), is_weight=True)
    if len(value.list.i) > _SETTING:
        yield Attached(place, len(value.list.i), is_weight=False)
    text = len(value.s) + sum(len(each) for each in value.list.s)
    if text > _LONG_TEXT:
        yield Attached(place, text, is_weight=False)


def _of_tensor(tensor: Any, place: str) -> Attached:
    if tensor.dtype == STRING:
        text = len(tensor.tensor_content) + sum(len(text) for text in tensor.string_val)
        return Attached(place, text, is_weight=False)
    dtype = known_dtype(tensor.dtype)
    if dtype is None:
        # Quantised, of 8 bits or less, or lists of tensors: a bitcast makes numbers of them.
        return Attached(place, tensor.ByteSize(), is_weight=True)
    values = len(tensor.tensor_content) // dtype.itemsize
    values += sum(len(getattr(tensor, name)) for name in _TYPED)
    # An empty tensor has no values, but its sizes are numbers that a graph can compute with.
    values = max(values, len(tensor.tensor_shape.dim))
    narrow = dtype.itemsize == 1 and dtype.kind != "b"
    return Attached(place, values, is_weight=is_floating(dtype) or dtype.kind == "c" or narrow)


def _unfolded(tensor: Any, place: str, file: str) -> int:
    """Return the bytes of all elements of a tensor, of which one value may stand for many."""
    dtype = known_dtype(tensor.dtype)
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0:
        raise damaged(
            file,
            "a constant has an impossible shape",
            element=place,
            expected="sizes that are not negative",
            found=str(sizes[:20]),
        )
    return math.prod(map(int, sizes)) * (dtype.itemsize if dtype is not None else 1)
