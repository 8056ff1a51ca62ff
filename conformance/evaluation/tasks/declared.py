"""Declared inputs and outputs, held against the arrays of a run.

For most formats the model file tells types and shapes, and these are compared with what is
declared. Where it does not, only a run can tell: what goes in and comes out has to be as declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.runtimes import ANY_DTYPE, ANY_SHAPE, PortInfo
from conformance.submission.values import Port
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Location


def check_untold(
    ports: Sequence[PortInfo],
    declared: Sequence[Port],
    arrays: Mapping[str, Array],
    side: str,
) -> None:
    """Raise ConformanceError if an array is not as declared where the model file tells nothing.

    ``side`` is ``inputs`` or ``outputs``.
    """
    by_name = {port.name: port for port in declared}
    for port in ports:
        told = port.dtype != ANY_DTYPE and port.shape != ANY_SHAPE
        if told or port.name not in by_name or port.name not in arrays:
            continue
        wanted, array = by_name[port.name], arrays[port.name]
        if not _fits(wanted, array):
            raise ConformanceError(
                f"{side[:-1]} {port.name!r} is declared otherwise than the network has it",
                where=Location("submission.json", element=f"{side} of the model: {port.name}"),
                expected=f"{wanted.dtype} of shape {_shown(wanted.shape)}, as declared",
                found=f"{array.dtype.name} of shape {_shown(array.shape)}",
                mend=f"declare the {side} as the vectors and the network have them",
            )


def _fits(port: Port, array: Array) -> bool:
    sizes = zip(port.shape, array.shape, strict=False)
    same_shape = len(port.shape) == array.ndim and all(
        not isinstance(wanted, int) or wanted == size for wanted, size in sizes
    )
    return same_shape and port.dtype == array.dtype.name


def _shown(shape: Sequence[object]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
