"""Whether a sample holds the whole network: every parameter as it is, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from conformance.evaluation.tasks.facts import Facts, tensor_text
from conformance.evaluation.tasks.suggestion import entry_that_fits, tensor_that_fits
from conformance.runtimes import ANY_SHAPE, Network, PortInfo
from conformance.tensorfiles import Array
from conformance.verdicts import Json

SHOWN = 8
UNTOLD = "a type and shape that the original's file does not tell"


def parameter_coverage(
    tensors: Mapping[str, Facts],
    parameters: Mapping[str, Array],
    constants: Collection[str],
    file: str,
) -> Iterator[dict[str, Json]]:
    """Yield what keeps the tensors from taking the place of all parameters, and of nothing else.

    ``constants`` of the topology (shapes, axes) may be in the sample, but need not be.
    """
    spare = {n: t["shape"] for n, t in tensors.items() if n not in parameters}
    for name in sorted(parameters.keys() - tensors.keys()):
        entry = tensor_that_fits(name, parameters[name].shape, spare, constants)
        yield problem(
            name,
            file,
            f"the sample holds no tensor for the parameter {name!r}",
            expected=f"a tensor of shape {list(parameters[name].shape)}",
            found=f"tensors named {some(sorted(tensors))}",
            mend="put the parameter into the sample, or map its name with name_map"
            + (f"; this entry would fit: {entry}" if entry else ""),
        )
    for name in sorted(tensors.keys() - parameters.keys() - set(constants)):
        yield problem(
            name,
            file,
            f"the sample holds a tensor {name!r} that is no parameter of the network",
            expected=f"parameters named {some(sorted(parameters))}",
            found=tensor_text(tensors[name]),
            mend="remove the tensor, or map its name with name_map",
        )
    for name in sorted(tensors.keys() & parameters.keys()):
        decoded, wanted = tensors[name]["shape"], list(parameters[name].shape)
        if decoded != wanted:
            layout = " (it has as many values)" if math.prod(decoded) == math.prod(wanted) else ""
            entry = entry_that_fits(name, name, decoded, wanted)
            yield problem(
                name,
                file,
                f"tensor {name!r} has another shape than the parameter",
                expected=str(wanted),
                found=f"{decoded}{layout}",
                mend="write the tensor in the parameter's layout"
                + (f", or add to name_map what would fit: {entry}" if entry else ""),
            )


def type_coverage(
    tensors: Mapping[str, Facts],
    parameters: Mapping[str, Array],
    others: Collection[str],
    file: str,
) -> Iterator[dict[str, Json]]:
    """Yield the tensors named in ``others``: their parameter cannot hold their values exactly."""
    for name in sorted(others):
        yield problem(
            name,
            file,
            f"tensor {name!r} has another type than the parameter",
            expected=f"{parameters[name].dtype.name}, or a narrower floating-point type for a "
            "floating-point parameter",
            found=tensors[name]["dtype"],
            mend="decode to the parameter's type: to round is the decoder's business",
        )


def port_coverage(network: Network, original: Network, file: str) -> Iterator[dict[str, Json]]:
    """Yield where the sample's own network has other inputs or outputs than the original."""
    for side in ("inputs", "outputs"):
        there = _by_name(getattr(network, side))
        wanted = _by_name(getattr(original, side))
        for name in sorted(there.keys() | wanted.keys()):
            expected, found = wanted.get(name, "none"), there.get(name, "none")
            if expected != found and not (name in there and name in wanted and UNTOLD in expected):
                yield problem(
                    name,
                    file,
                    f"the sample's network has another {side[:-1]} {name!r} than the original",
                    expected=expected,
                    found=found,
                    mend=f"keep the {side} of the original in the compressed network",
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
