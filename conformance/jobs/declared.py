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
        if port.name not in by_name or port.name not in arrays:
            continue
        wanted, array = by_name[port.name], arrays[port.name]
        if not _fits(port, wanted, array):
            raise ConformanceError(
                f"{side[:-1]} {port.name!r} is declared otherwise than the network has it",
                where=Location("submission.json", element=f"{side} of the model: {port.name}"),
                expected=f"{wanted.dtype} of shape {_shown(wanted.shape)}, as declared",
                found=f"{array.dtype.name} of shape {_shown(array.shape)}",
                fix=f"declare the {side} as the vectors and the network have them",
            )


def _fits(told: PortInfo, wanted: Port, array: Array) -> bool:
    """Say whether ``array`` is as ``wanted``, in all that is not ``told``."""
    if told.dtype == ANY_DTYPE or told.shape == ANY_SHAPE:
        return _same_sizes(wanted.shape, array.shape) and wanted.dtype == array.dtype.name
    if told.shape == () and len(wanted.shape) == array.ndim:
        # Type and batches are those of the network: of its shape, items are not a part.
        return _same_sizes(wanted.shape[1:], array.shape[1:])
    return told.shape != () or wanted.shape == array.shape


def _same_sizes(wanted: Sequence[object], found: Sequence[int]) -> bool:
    sizes = zip(wanted, found, strict=False)
    return len(wanted) == len(found) and all(
        not isinstance(each, int) or each == size for each, size in sizes
    )


def _shown(shape: Sequence[object]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
