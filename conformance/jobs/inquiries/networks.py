"""What is known of a network before there is a submission: from its file, and from the vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from conformance.jobs.inquiries.asked import Asked
from conformance.runtimes import ANY_DTYPE, ANY_SHAPE, ModelSource, PortInfo, runtime
from conformance.submission.values import Dim, Port
from conformance.tensorfiles import Array, open_tensors
from conformance.verdicts import ConformanceError, Json, Location

ITEMS = "batch"
"""Name of axis 0 of what the network file does not tell the shape of."""


def describe(asked: Asked) -> Json:
    """Print format, inputs, outputs and parameters of a network.

    These are the names that arrays of vectors and tensors of samples must have.
    """
    file, model_format = asked.path("model"), asked.arguments["format"]
    found = runtime(model_format).describe(file)
    files = (file, *(file.parent / name for name in found.external_files))
    shown = (file.name, *found.external_files)
    source = ModelSource(files, shown, file.parent, asked.limits.tensor_bytes)
    with runtime(model_format).open(source) as network:
        unused = set(network.unused_parameters)
        rows = [
            _row(name, array) + (" (no output depends on it)" if name in unused else "")
            for name, array in network.parameters.items()
        ]
        rows += [f"{alias}: the same as {name}" for alias, name in network.aliases.items()]
        counts = network.counts
        scalars = [_row(name, array) for name, array in network.scalars.items()]
        constants = [_row(name, array) for name, array in network.constants.items()]
    asked.print(_section("format", [model_format]))
    asked.print(_section("files", shown))
    asked.print(_section("inputs", map(_text, found.inputs)))
    asked.print(_section("outputs", map(_text, found.outputs)))
    asked.print(_section(f"parameters, which a sample has: {counts.parameters} values", rows))
    if scalars:
        asked.print(_section(f"scalars, which it may have: {counts.scalars} values", scalars))
    if constants:
        title = f"topology, which it may have unchanged: {counts.topology} values"
        asked.print(_section(title, constants))
    return {}


def start(asked: Asked) -> Json:
    """Return what a new submission says of its network and of the vectors.

    Ports are completed by the arrays of the vectors: type and shape are those of the array where
    the network file tells neither. Raises ConformanceError if arrays have other names than ports.
    """
    found = runtime(asked.arguments["format"]).describe(asked.path("model"))
    sides = {"inputs": found.inputs, "outputs": found.outputs}
    ports = {side: _told(side, given, asked) for side, given in sides.items()}
    shapes = {
        f"{side.removesuffix('s')} {name!r}": shape
        for side in ("inputs", "outputs", "targets")
        for name, shape in _shapes(asked.paths(side), asked)
    }
    # Targets of another length are a mistake, not a network that takes no batches.
    compared = {each: shape for each, shape in shapes.items() if not each.startswith("target")}
    declared = {f"input {port.name!r}": port.shape for port in found.inputs}
    unbatched = _unbatched(compared or declared)
    items = next((shape[0] if shape else 1 for shape in shapes.values()), 1)
    return {
        **ports,
        "parameter_count": found.parameter_count,
        "external_files": list(found.external_files),
        "items": 1 if unbatched else items,
        "unbatched": unbatched,
    }


def _section(title: str, rows: Iterator[str] | Sequence[str]) -> Iterator[str]:
    yield title
    for row in rows:
        yield f"  {row}"


def _row(name: str, array: Array) -> str:
    return f"{name}: {array.dtype.name}[{', '.join(map(str, array.shape))}]"


def _text(port: PortInfo) -> str:
    if port.shape == ANY_SHAPE:
        return f"{port.name}: the file tells neither type nor shape"
    return str(Port(port.name, port.dtype, port.shape))


def _told(side: str, ports: Sequence[PortInfo], asked: Asked) -> list[Json]:
    arrays = _arrays(asked.paths(side), asked)
    _check_names(side, [port.name for port in ports], arrays)
    return [asdict(_completed(port, arrays.get(port.name))) for port in ports]


def _arrays(files: Sequence[Path], asked: Asked) -> Mapping[str, tuple[Path, Port]]:
    """Return the arrays of all ``files`` as ports, with the file that each is in."""
    found = {}
    for file in files:
        limit = asked.limits.tensor_bytes
        with open_tensors(file, display=file.name, limit_bytes=limit) as tensors:
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
            fix=f"Name the arrays like the {side} of the network; nothing was written yet.",
        )


def _completed(port: PortInfo, array: tuple[Path, Port] | None) -> Port:
    if array is not None and port.dtype == ANY_DTYPE and port.shape == ANY_SHAPE:
        return array[1]
    return Port(port.name, port.dtype, port.shape)


def _shapes(files: Sequence[Path], asked: Asked) -> Iterator[tuple[str, tuple[int, ...]]]:
    for file in files:
        limit = asked.limits.tensor_bytes
        with open_tensors(file, display=file.name, limit_bytes=limit) as tensors:
            for name in tensors:
                yield name, tensors.stored(name).shape


def _unbatched(shapes: Mapping[str, Sequence[Dim]]) -> str:
    """Return why axis 0 of the arrays, or of ports, cannot count items; empty if it can."""
    flat = next((name for name, shape in shapes.items() if not shape), None)
    if flat is not None:
        return f"{flat} is a single number"
    sizes = {name: shape[0] for name, shape in shapes.items() if isinstance(shape[0], int)}
    (first, size), *others = [*sizes.items()] or [("", 0)]
    for name, other in others:
        if other != size:
            return f"axis 0 has {size} entries in {first}, {other} in {name}"
    return ""
