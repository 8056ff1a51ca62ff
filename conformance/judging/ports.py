"""Compare declared inputs and outputs with those of the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.submission.values import Dim, Port

UNTOLD_DTYPE, UNTOLD_SHAPE = "any", ("...",)
"""What a runtime gives where the network file tells neither type nor shape."""


@dataclass(frozen=True, slots=True)
class PortDifference:
    """One difference between what is declared and what the network has."""

    message: str
    declared: str
    measured: str


def port_differences(
    declared: Sequence[Port], measured: Sequence[Port]
) -> Iterator[PortDifference]:
    """Yield every difference in names, types and shapes.

    A fixed size must be equal; a dynamic axis may be declared under any name. A shape that the
    network file does not tell, ``()`` or ``("...",)``, contradicts none, and no more does the type
    ``any``: the run that measures the original holds its arrays against what is declared.
    """
    found = {port.name: port for port in measured}
    wanted = {port.name: port for port in declared}
    for name in sorted(wanted.keys() ^ found.keys()):
        side = "declared but not in" if name in wanted else "not declared but in"
        names = ", ".join(sorted(wanted)), ", ".join(sorted(found))
        yield PortDifference(f"{name!r} is {side} the network", *names)
    for name in sorted(wanted.keys() & found.keys()):
        if not _alike(wanted[name], found[name]):
            yield PortDifference(
                f"{name!r} is declared otherwise than in the network",
                str(wanted[name]),
                str(found[name]),
            )


def _alike(declared: Port, measured: Port) -> bool:
    return measured.dtype in {UNTOLD_DTYPE, declared.dtype} and (
        measured.shape in {(), UNTOLD_SHAPE} or _same_shape(declared.shape, measured.shape)
    )


def _same_shape(declared: Sequence[Dim], measured: Sequence[Dim]) -> bool:
    return len(declared) == len(measured) and all(map(_same_size, declared, measured))


def _same_size(declared: Dim, measured: Dim) -> bool:
    if isinstance(declared, int) or isinstance(measured, int):
        return declared == measured
    return True
