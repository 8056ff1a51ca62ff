"""Whether a sample holds the whole network: every parameter as it is, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from conformance.jobs.name_map import entry_that_fits, tensor_that_fits
from conformance.jobs.stored_network import StoredNetwork
from conformance.jobs.tensor_stats import Facts, Survey, tensor_text
from conformance.runtimes import ANY_SHAPE, PortInfo
from conformance.runtimes.fitting import fits_shape
from conformance.runtimes.roles import Role
from conformance.tensorfiles import Array
from conformance.verdicts import Json

SHOWN = 8
ROUNDED = ("float16", "bfloat16")
UNTOLD = "a type and shape that the original's file does not tell"


def coverage_of(survey: Survey, network: StoredNetwork, file: str) -> Iterator[dict[str, Json]]:
    """Yield what keeps the tensors of a sample from taking the place of all parameters.

    Scalars, topology and parameters that no output depends on may be in the sample, but need not
    be; nothing else may.
    """
    tensors = survey.fitted
    parameters, optional = network.parameters, {**network.scalars, **network.constants}
    brought = {network.aliases.get(name, name) for name in tensors}
    known = {*parameters, *optional, *network.aliases}
    spare = {n: t["shape"] for n, t in tensors.items() if n not in parameters}
    for name in sorted(parameters.keys() - brought - set(network.unused_parameters)):
        entry = tensor_that_fits(name, parameters[name].shape, spare, optional)
        also = [alias for alias, first in network.aliases.items() if first == name]
        yield problem(
            name,
            file,
            f"the sample holds no tensor for the parameter {name!r}"
            + (f", which is also called {some(also)}" if also else ""),
            expected=f"a tensor of shape {list(parameters[name].shape)}",
            found=f"tensors named {some(sorted(tensors))}",
            fix="put the parameter into the sample, or map its name with name_map"
            + (f"; this entry would fit: {entry}" if entry else ""),
        )
    for name in sorted(tensors.keys() - known):
        yield problem(
            name,
            file,
            f"the sample holds a tensor {name!r} that is no parameter of the network",
            expected=f"parameters named {some(sorted(parameters))}",
            found=tensor_text(tensors[name]),
            fix="remove the tensor, or map its name with name_map",
        )
    yield from _shapes(tensors, network, file)
    yield from _values(survey, network, file)


def _shapes(
    tensors: Mapping[str, Facts], network: StoredNetwork, file: str
) -> Iterator[dict[str, Json]]:
    for name in sorted(tensors):
        first = network.aliases.get(name, name)
        stored = _stored(first, network)
        if stored is None:
            continue
        decoded, wanted = tensors[name]["shape"], list(stored.shape)
        role = Role.SCALAR if first in network.scalars else Role.PARAMETER
        if not fits_shape(tuple(decoded), stored.shape, role):
            layout = " (it has as many values)" if math.prod(decoded) == math.prod(wanted) else ""
            entry = entry_that_fits(name, name, decoded, wanted)
            yield problem(
                name,
                file,
                f"tensor {name!r} has a different shape than the parameter",
                expected=str(wanted),
                found=f"{decoded}{layout}",
                fix="write the tensor in the parameter's layout"
                + (f", or add to name_map what would fit: {entry}" if entry else ""),
            )


def _values(survey: Survey, network: StoredNetwork, file: str) -> Iterator[dict[str, Json]]:
    """Yield the tensors whose values their parameter cannot hold, or that differ from the graph."""
    for name in sorted(survey.other_types):
        stored = _stored(network.aliases.get(name, name), network)
        held = stored.dtype.name if stored is not None else ""
        rounding = (
            f'; a sample that was compressed in higher precision may declare "dtype": "{held}" '
            "in its entry, next to codec"
            if held in ROUNDED
            else ""
        )
        yield problem(
            name,
            file,
            f"tensor {name!r} has values that the type of the parameter does not hold",
            expected=f"{held}, or values that are exact in it",
            found=survey.fitted[name]["dtype"],
            fix=f"decode to the parameter's type: the decoder rounds, not this tool{rounding}",
        )
    for name in sorted(survey.other_values):
        yield problem(
            name,
            file,
            f"tensor {name!r} belongs to the topology, and its values are not the original's",
            expected="the values of the original, in any type that holds them exactly",
            found=tensor_text(survey.fitted[name]),
            fix="leave the tensor out of the sample, or do not compress it",
        )
    for alias, first in network.aliases.items():
        one, other = survey.fitted.get(alias), survey.fitted.get(first)
        if one and other and one["sha256"] != other["sha256"]:
            yield problem(
                alias,
                file,
                f"{alias!r} and {first!r} are one parameter of the network, and have different "
                "values in the sample",
                expected="the same values under both names, or one of them alone",
                found=f"sha256 {one['sha256']} and {other['sha256']}",
                fix=f"leave {alias!r} out of the sample, or untie the two in the original",
            )


def _stored(name: str, network: StoredNetwork) -> Array | None:
    for held in (network.parameters, network.scalars, network.constants):
        if name in held:
            return held[name]
    return None


def port_coverage(
    sides: Mapping[str, tuple[Sequence[PortInfo], Sequence[PortInfo]]], file: str
) -> Iterator[dict[str, Json]]:
    """Yield where the sample's own network has other inputs or outputs than the original.

    ``sides`` are the ports of both, the sample's first, by ``inputs`` and ``outputs``.
    """
    for side, (own, of_original) in sides.items():
        there, wanted = _by_name(own), _by_name(of_original)
        for name in sorted(there.keys() | wanted.keys()):
            expected, found = wanted.get(name, "none"), there.get(name, "none")
            if expected != found and not (name in there and name in wanted and UNTOLD in expected):
                yield problem(
                    name,
                    file,
                    f"the sample's network has another {side[:-1]} {name!r} than the original",
                    expected=expected,
                    found=found,
                    fix=f"keep the {side} of the original in the compressed network",
                )


def _by_name(ports: Sequence[PortInfo]) -> dict[str, str]:
    """Return each port with rank and fixed sizes; floating-point types may differ in precision."""
    return {
        port.name: ("float" if "float" in port.dtype else port.dtype)
        + f"[{', '.join(str(size) if isinstance(size, int) else '?' for size in port.shape)}]"
        if port.shape != ANY_SHAPE
        else UNTOLD
        for port in ports
    }


def problem(tensor: str, file: str, message: str, **words: str) -> dict[str, Json]:
    """Return one thing that is wrong with a tensor, as JSON."""
    return {"tensor": tensor, "file": file, "message": message, **words}


def some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "(none)") + more
