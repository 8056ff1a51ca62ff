"""What is known of a network before there is a submission: from its file, and from the vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.runtimes import ANY_DTYPE, ANY_SHAPE, ModelSource, PortInfo, runtime
from conformance.session.command import READ_LIMIT
from conformance.session.ports import port_text
from conformance.submission.values import Dim, Port
from conformance.tensorfiles import Array, open_tensors
from conformance.verdicts import ConformanceError, Location

ITEMS = "batch"
"""Name of axis 0 of what the network file does not tell the shape of."""


def describe_network(file: Path, model_format: str) -> str:
    """Return format, inputs, outputs and parameters of the network in ``file`` as a text.

    These are the names that arrays of vectors and tensors of samples have to have.
    """
    found = runtime(model_format).describe(file)
    files = (file, *(file.parent / name for name in found.external_files))
    shown = (file.name, *found.external_files)
    with runtime(model_format).open(ModelSource(files, shown, file.parent, READ_LIMIT)) as network:
        unused = set(network.unused_parameters)
        rows = [
            _row(name, array) + (" (no output depends on it)" if name in unused else "")
            for name, array in network.parameters.items()
        ]
        rows += [f"{alias}: the same as {name}" for alias, name in network.aliases.items()]
        counts = network.counts
        scalars = [_row(name, array) for name, array in network.scalars.items()]
        constants = [_row(name, array) for name, array in network.constants.items()]
    lines = [
        *_section("format", [model_format]),
        *_section("files", shown),
        *_section("inputs", map(_text, found.inputs)),
        *_section("outputs", map(_text, found.outputs)),
        *_section(f"parameters, which a sample has: {counts.parameters} values", rows),
    ]
    if scalars:
        lines += _section(f"scalars, which it may have: {counts.scalars} values", scalars)
    if constants:
        title = f"topology, which it may have unchanged: {counts.topology} values"
        lines += _section(title, constants)
    return "\n".join(lines)


def told_ports(side: str, ports: Sequence[PortInfo], files: Sequence[Path]) -> tuple[Port, ...]:
    """Return the ``inputs`` or ``outputs`` of a network, completed by the arrays in ``files``.

    Type and shape are those of the array where the network file tells neither. Raises
    ConformanceError if the arrays have other names than the ports.
    """
    arrays = _arrays(files)
    _check_names(side, [port.name for port in ports], arrays)
    return tuple(_told(port, arrays.get(port.name)) for port in ports)


def _section(title: str, rows: Iterator[str] | Sequence[str]) -> Iterator[str]:
    yield title
    for row in rows:
        yield f"  {row}"


def _row(name: str, array: Array) -> str:
    return f"{name}: {array.dtype.name}[{', '.join(map(str, array.shape))}]"


def _text(port: PortInfo) -> str:
    if port.shape == ANY_SHAPE:
        return f"{port.name}: the file tells neither type nor shape"
    return port_text(Port(port.name, port.dtype, port.shape))


def _arrays(files: Sequence[Path]) -> Mapping[str, tuple[Path, Port]]:
    """Return the arrays of all ``files`` as ports, with the file that each is in."""
    found = {}
    for file in files:
        with open_tensors(file, display=file.name, limit_bytes=READ_LIMIT) as tensors:
            for name in tensors:
                stored = tensors.stored(name)
                shape: tuple[Dim, ...] = (ITEMS, *stored.shape[1:]) if stored.shape else ()
                found[name] = file, Port(name, stored.dtype.name, shape)
    return found


def _check_names(side: str, ports: Sequence[str], arrays: Mapping[str, tuple[Path, Port]]) -> None:
    """Refuse arrays that the network does not have; an array without a name may be any."""
    strange = [name for name in arrays if name and name not in ports]
    if strange:
        raise ConformanceError(
            f"the network has no {side.removesuffix('s')} {strange[0]!r}",
            where=Location(file=str(arrays[strange[0]][0]), element=strange[0]),
            expected=f"arrays with the names of the {side}: {', '.join(ports)}",
            found=", ".join(arrays),
            mend=f"Name the arrays like the {side} of the network; nothing was written yet.",
        )


def _told(port: PortInfo, array: tuple[Path, Port] | None) -> Port:
    if array is not None and port.dtype == ANY_DTYPE and port.shape == ANY_SHAPE:
        return array[1]
    return Port(port.name, port.dtype, port.shape)
