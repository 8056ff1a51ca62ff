"""How the tensors of a sample fit the network: what makes each parameter, and what keeps it out.

:func:`survey_of` measures every parameter that tensors make, one at a time; :func:`coverage_of`
says from that whether a sample holds the whole network: every parameter as it is, and nothing else.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from conformance.jobs.name_map import FittedTensors
from conformance.jobs.stored_network import StoredNetwork
from conformance.jobs.tensor_stats import (
    Correlation,
    likeness,
    tensor_error,
    tensor_facts,
    tensor_text,
)
from conformance.plan.results import ParameterError, TensorFacts, TensorProblem
from conformance.runtimes import ANY_SHAPE, PortInfo
from conformance.runtimes.dtypes import holds, same_values
from conformance.runtimes.fitting import fits_shape
from conformance.runtimes.roles import Role
from conformance.tensorfiles import Array, tensor_digest

SHOWN = 8
ROUNDED = ("float16", "bfloat16")
UNTOLD = "a type and shape that the original's file does not tell"


@dataclass(frozen=True, slots=True)
class Survey:
    """What was measured of the parameters that the tensors of a sample make, by the model's names.

    Errors and likeness are of parameters that the network has; ``other_types`` names those in whose
    type they do not fit, and ``other_values`` the topology that differs from the original's.
    ``converted`` has the digests of those that came in a different type, in the type of their
    parameter.
    """

    fitted: dict[str, TensorFacts] = field(default_factory=dict)
    errors: dict[str, ParameterError] = field(default_factory=dict)
    likeness: dict[str, Correlation] = field(default_factory=dict)
    converted: dict[str, str] = field(default_factory=dict)
    other_types: set[str] = field(default_factory=set)
    other_values: set[str] = field(default_factory=set)


def survey_of(
    mapped: FittedTensors,
    network: StoredNetwork,
    stored_bits: Mapping[str, int] = MappingProxyType({}),
    *,
    with_errors: bool = False,
) -> Survey:
    """Make and measure one parameter after the other; none is kept.

    They come in the order of the tensors that they are made of, those made of several at the end.
    """
    found = Survey()
    for name in sorted(mapped, key=lambda name: _place(mapped.sources[name])):
        array, own = mapped[name], network.everything.get(name)
        topology = name in network.constants
        if own is not None and topology:
            if own.shape == array.shape and not same_values(own, array):
                found.other_values.add(name)
        elif own is not None and not holds(own.dtype, array):
            found.other_types.add(name)
        elif (
            own is not None
            and not with_errors
            and own.dtype != array.dtype
            and own.size == array.size
        ):
            found.converted[name] = tensor_digest(array.astype(own.dtype).reshape(own.shape))
        found.fitted[name] = tensor_facts(array, own)
        if own is None or topology or not with_errors:
            continue
        bits = [stored_bits.get(source) for source in mapped.sources[name]]
        known = [each for each in bits if each is not None]
        cost = sum(known) if len(known) == len(bits) else None
        found.errors[name] = tensor_error(array, own, cost)
        if (alike := likeness(array, own)) is not None:
            found.likeness[name] = alike
    return found


def _place(sources: Sequence[str]) -> tuple[bool, str]:
    return (False, sources[0]) if len(sources) == 1 else (True, "")


def facts_of(
    tensors: Mapping[str, Array], mapped: FittedTensors, survey: Survey
) -> dict[str, TensorFacts]:
    """Return the facts of the sample's tensors, under its own names.

    Values that are not finite are counted as in the parameters that a tensor makes: where the
    original is not finite either is only known in the original's layout. Of several tensors those
    are blamed that are not finite themselves; all of them, if only their sum is not.
    """
    made: dict[str, list[str]] = {name: [] for name in tensors}
    for parameter in survey.fitted:
        if len(mapped.sources[parameter]) == 1:
            made[mapped.sources[parameter][0]].append(parameter)
    facts = {}
    for name in sorted(tensors):
        # What is one parameter, as it is, has been measured.
        same = made[name] if mapped.renamed.issuperset(made[name]) else []
        facts[name] = (
            survey.fitted[same[0]] if len(same) == 1 else tensor_facts(tensors[name], None)
        )
    counted: dict[str, int] = {}
    for parameter, fitted in survey.fitted.items():
        sources = dict.fromkeys(mapped.sources[parameter])
        for name in [each for each in sources if facts[each].non_finite] or sources:
            counted[name] = counted.get(name, 0) + fitted.non_finite
    return {
        name: replace(each, non_finite=counted.get(name, each.non_finite))
        for name, each in facts.items()
    }


def coverage_of(survey: Survey, network: StoredNetwork, file: str) -> Iterator[TensorProblem]:
    """Yield what keeps the tensors of a sample from taking the place of all parameters.

    Scalars, topology and parameters that no output depends on may be in the sample, but need not
    be; nothing else may.
    """
    tensors = survey.fitted
    parameters, optional = network.parameters, {**network.scalars, **network.constants}
    brought = {network.aliases.get(name, name) for name in tensors}
    known = {*parameters, *optional, *network.aliases}
    spare = {n: t.shape for n, t in tensors.items() if n not in parameters}
    for name in sorted(parameters.keys() - brought - set(network.unused_parameters)):
        entry = tensor_that_fits(name, parameters[name].shape, spare, optional)
        also = [alias for alias, first in network.aliases.items() if first == name]
        yield TensorProblem(
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
        yield TensorProblem(
            name,
            file,
            f"the sample holds a tensor {name!r} that is not a parameter of the network",
            expected=f"parameters named {some(sorted(parameters))}",
            found=tensor_text(tensors[name]),
            fix="remove the tensor, or map its name with name_map",
        )
    yield from _shapes(tensors, network, file)
    yield from _values(survey, network, file)


def _shapes(
    tensors: Mapping[str, TensorFacts], network: StoredNetwork, file: str
) -> Iterator[TensorProblem]:
    for name in sorted(tensors):
        first = network.aliases.get(name, name)
        stored = _stored(first, network)
        if stored is None:
            continue
        decoded, wanted = list(tensors[name].shape), list(stored.shape)
        role = Role.SCALAR if first in network.scalars else Role.PARAMETER
        if not fits_shape(tensors[name].shape, stored.shape, role):
            layout = " (it has as many values)" if math.prod(decoded) == math.prod(wanted) else ""
            entry = entry_that_fits(name, name, decoded, wanted)
            yield TensorProblem(
                name,
                file,
                f"tensor {name!r} has a different shape than the parameter",
                expected=str(wanted),
                found=f"{decoded}{layout}",
                fix="write the tensor in the parameter's layout"
                + (f", or add to name_map what would fit: {entry}" if entry else ""),
            )


def _values(survey: Survey, network: StoredNetwork, file: str) -> Iterator[TensorProblem]:
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
        yield TensorProblem(
            name,
            file,
            f"tensor {name!r} has values that the type of the parameter does not hold",
            expected=f"{held}, or values that are exact in it",
            found=survey.fitted[name].dtype,
            fix=f"decode to the parameter's type: the decoder rounds, not this tool{rounding}",
        )
    for name in sorted(survey.other_values):
        yield TensorProblem(
            name,
            file,
            f"tensor {name!r} belongs to the topology, and its values are not the original's",
            expected="the values of the original, in any type that holds them exactly",
            found=tensor_text(survey.fitted[name]),
            fix="leave the tensor out of the sample, or do not compress it",
        )
    for alias, first in network.aliases.items():
        one, other = survey.fitted.get(alias), survey.fitted.get(first)
        if one and other and one.sha256 != other.sha256:
            yield TensorProblem(
                alias,
                file,
                f"{alias!r} and {first!r} are one parameter of the network, and have different "
                "values in the sample",
                expected="the same values under both names, or one of them alone",
                found=f"sha256 {one.sha256} and {other.sha256}",
                fix=f"leave {alias!r} out of the sample, or untie the two in the original",
            )


def _stored(name: str, network: StoredNetwork) -> Array | None:
    for held in (network.parameters, network.scalars, network.constants):
        if name in held:
            return held[name]
    return None


def port_coverage(
    sides: Mapping[str, tuple[Sequence[PortInfo], Sequence[PortInfo]]], file: str
) -> Iterator[TensorProblem]:
    """Yield where the sample's own network has other inputs or outputs than the original.

    ``sides`` are the ports of both, the sample's first, by ``inputs`` and ``outputs``.
    """
    for side, (own, of_original) in sides.items():
        there, wanted = _by_name(own), _by_name(of_original)
        for name in sorted(there.keys() | wanted.keys()):
            expected, found = wanted.get(name, "none"), there.get(name, "none")
            if expected != found and not (name in there and name in wanted and UNTOLD in expected):
                yield TensorProblem(
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


def some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "(none)") + more


_USUAL = (
    (1, 0),
    (3, 2, 0, 1),
    (2, 3, 1, 0),
    (0, 3, 1, 2),
    (0, 2, 3, 1),
    (2, 1, 0),
    (4, 3, 0, 1, 2),
)
"""Orders of axes that frameworks differ by; the first that fits is named."""

_MOST_AXES = 6
_MOST_CANDIDATES = 200


def entry_that_fits(
    sample: str, model: str, given: Sequence[int], wanted: Sequence[int]
) -> str | None:
    """Return the JSON of a name_map entry from shape ``given`` to ``wanted``; None if none would.

    Shapes cannot tell one order of equal axes, or of rows, from another: it is a suggestion.
    """
    entry: dict[str, object] = {"sample": sample, "model": model}
    if list(given) != list(wanted):
        order = _order(tuple(given), tuple(wanted))
        if order is not None:
            entry["transpose"] = list(order)
        elif math.prod(given) == math.prod(wanted):
            entry["reshape"] = list(wanted)
        else:
            return None
    return json.dumps(entry, ensure_ascii=False)


def tensor_that_fits(
    model: str, wanted: Sequence[int], spare: Mapping[str, Sequence[int]], taken: Collection[str]
) -> str | None:
    """Return the entry for a parameter that no tensor of the sample is named after.

    It is that of the only tensor in ``spare`` (names and shapes) that has as many values, names in
    ``taken`` left out; None if there is none, or more than one.
    """
    size = math.prod(wanted)
    names = itertools.islice(
        (name for name, shape in spare.items() if math.prod(shape) == size and name not in taken),
        _MOST_CANDIDATES,
    )
    found = list(names)
    if len(found) != 1:
        return None
    return entry_that_fits(found[0], model, spare[found[0]], wanted)


def _order(given: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    if sorted(given) != sorted(wanted) or len(given) > _MOST_AXES:
        return None
    usual = (order for order in _USUAL if len(order) == len(given))
    for order in itertools.chain(usual, itertools.permutations(range(len(given)))):
        if tuple(given[axis] for axis in order) == wanted:
            return order
    return None
