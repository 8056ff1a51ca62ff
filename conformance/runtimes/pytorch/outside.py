"""Values that a network holds where a sample's cannot take their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.runtimes.pytorch.values import Tensor
from conformance.tensorfiles import DType, is_floating
from conformance.verdicts import Location, UnsupportedError

_FEWEST_WEIGHTS = 16
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Outside:
    """A tensor that is stored in ``place``, which is none of a parameter or buffer."""

    place: str
    tensor: Tensor

    @property
    def holds_parameters(self) -> bool:
        """Whether it is large enough, and of a type, to hold parameters: floats or few bits."""
        return self.tensor.elements >= _FEWEST_WEIGHTS and is_weight_type(self.tensor.dtype)


def is_weight_type(dtype: DType) -> bool:
    """Say whether parameters come in this type: floats, complex numbers, integers of 8 bits."""
    return is_floating(dtype) or dtype.kind == "c" or (dtype.itemsize == 1 and dtype.kind != "b")


def is_topology(dtype: DType, rank: int) -> bool:
    """Say whether a tensor of a state dict belongs to the graph, as in every format.

    Those are lists and scalars of int64 and booleans, and scalars of int32: sizes, indices, flags.
    """
    name = dtype.name
    return (name in ("int64", "bool") and rank <= 1) or (name == "int32" and rank == 0)


def check_outside(tensors: Sequence[Outside], listed: int, parameters: int, file: str) -> None:
    """Raise UnsupportedError if a replacement would leave parameters of the original in place.

    That is so if one of ``tensors`` holds parameters, and if they hold, with ``listed`` values in
    the code and in integer buffers, more in all than a network needs for indices and settings:
    weights can be hidden in any type, and in many small pieces. ``parameters`` counts the elements
    of those that the network uses.
    """
    allowed = max(_FEWEST_WEIGHTS, min(parameters // 10, 4096 + parameters // 1000))
    stuck = [each for each in tensors if each.holds_parameters]
    if stuck:
        raise _stuck(stuck, file, "every parameter in a parameter or buffer of a module", 0)
    if listed + sum(each.tensor.elements for each in tensors) > allowed:
        stuck = sorted(tensors, key=lambda each: -each.tensor.elements)
        raise _stuck(stuck, file, f"at most {allowed} values outside the parameters", listed)


def _stuck(stuck: Sequence[Outside], file: str, expected: str, listed: int) -> UnsupportedError:
    places = [f"{listed} values in code and integer buffers"] if listed else []
    places += [f"{each.place} ({each.tensor.elements} elements)" for each in stuck]
    more = [f"and {len(places) - _MOST_SHOWN} more"] if len(places) > _MOST_SHOWN else []
    return UnsupportedError(
        "the model stores parameters where a sample's cannot take their place",
        where=Location(file, element=stuck[0].place if stuck else None),
        expected=expected,
        found="; ".join([*places[:_MOST_SHOWN], *more]),
        mend="Register them as parameters or buffers of a module before exporting the network; do "
        "not freeze it.",
    )
