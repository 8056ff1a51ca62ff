"""One part of a chain: decoded upon the state before it, joined to it, and kept.

What is decoded is a whole network, differences that are added, or values that replace others. A sum
is computed in the parameter's own type, as a decoder on a device would: one rounding for each
element. What does not fit is reported tensor by tensor, and then nothing is joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.codecs import Base, ChainCodec, DecodedModel, Identity, Memory, Step
from conformance.jobs.chain_state import (
    State,
    keep_state,
    original_state,
    state_of,
    stored_state,
)
from conformance.jobs.compare import equal_numbers
from conformance.jobs.context import TaskContext
from conformance.jobs.coverage import coverage_of, some, survey_of
from conformance.jobs.decoding import inspected
from conformance.jobs.name_map import FittedTensors, fitted_tensors
from conformance.jobs.stored_network import StoredNetwork, require_replaceable, stored_network
from conformance.plan.requests import PartSpec, StateRequest
from conformance.plan.results import TensorProblem
from conformance.runtimes.dtypes import holds
from conformance.submission.values import Mode
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import ConformanceError, Json, Location, UnsupportedError


def apply_part(task: TaskContext[StateRequest]) -> Json:
    """Return what one step does: its identity, how it fits, the facts of every parameter after it.

    ``usable`` says whether anything can be built upon it. ``altered`` names the tensors of the
    base, and the arrays of its memory, that are not what they were before.
    """
    original = stored_network(task.results["parameters"], task.limits)
    before = _before(task, original)
    carried = stored_state(task, "contexts").memory if "contexts" in task.results else None
    digests = _memory_digests(before)
    stepped = take_step(task, task.asked.part, original, before, carried)
    changed = [] if before is None else altered(before.parameters, _digests(before))
    changed += [name for name, digest in _memory_digests(before).items() if digest != digests[name]]
    return {
        **_result(task, stepped),
        "parent": task.id("parent") if "parent" in task.results else None,
        "differing": _differing(before, stepped.state),
        "base_tensors": len(before.parameters) if before is not None else 0,
        "altered": changed,
    }


def _before(task: TaskContext[StateRequest], original: StoredNetwork) -> State | None:
    """Return the state that the part is joined to; None for a whole network."""
    if "parent" in task.results:
        return stored_state(task, "parent")
    return None if task.asked.whole else original_state(original)


def _differing(before: State | None, after: State | None) -> int | None:
    """Return how many tensors hold other numbers after the step; None where nothing was before.

    Digests tell most of them apart; a zero that was added may have changed the sign of a zero only.
    """
    if before is None or after is None:
        return None
    differing = (
        name
        for name, facts in after.facts.items()
        if name not in before.facts or before.facts[name].sha256 != facts.sha256
    )
    return sum(
        not _same_numbers(before.parameters.get(name), after.parameters[name]) for name in differing
    )


def _same_numbers(before: Array | None, after: Array) -> bool:
    if before is None or before.shape != after.shape:
        return False
    return bool(equal_numbers(before, after).all())


def _digests(state: State) -> dict[str, str]:
    return {name: facts.sha256 for name, facts in state.facts.items()}


def _memory_digests(state: State | None) -> dict[str, str]:
    arrays = state.memory.arrays if state is not None else {}
    return {name: tensor_digest(array) for name, array in arrays.items()}


def _result(task: TaskContext[StateRequest], stepped: Stepped) -> dict[str, Json]:
    state, identity = stepped.state, stepped.identity
    if state is not None:
        keep_state(task.out, state, task.display(task.asked.part.files[0]))
    return {
        **stepped.facts,
        "identity": {
            "places": identity.places,
            "named": dict(identity.named),
            "wrong": [each.to_json() for each in identity.wrong],
        },
        "coverage": stepped.coverage,
        "tensors": dict(state.facts) if state is not None else {},
        "digest": state.digest if state is not None else None,
        "usable": state is not None,
    }


@dataclass(frozen=True, slots=True)
class Stepped:
    """What came of a step.

    ``state`` is None if the step names another parent or does not fit; ``coverage`` then tells
    every tensor that does not. ``facts`` are JSON: what the bitstream is, and what it changed.
    """

    state: State | None
    identity: Identity
    coverage: list[TensorProblem]
    facts: dict[str, Json]


def take_step(
    task: TaskContext[Any],
    part: PartSpec,
    original: StoredNetwork,
    before: State | None,
    contexts: Memory | None = None,
) -> Stepped:
    """Decode a part upon ``before``; None is nothing: it is a whole network.

    ``contexts`` is the memory that is carried on, if not that of ``before``. What is wrong with
    the bitstream itself is raised.
    """
    file = task.display(part.files[0])
    step = _decoded(task, part, _base(part, before, contexts))
    with step.tensors as tensors:
        facts: dict[str, Json] = {
            "size": step.size,
            "units": step.units,
            "held": len(tensors),
            "features": sorted(tensors.features),
            "stream": inspected(tensors.inspect) if tensors.inspect else None,
        }
        if step.identity.wrong:
            return Stepped(None, step.identity, [], facts)
        mapped = _mapped(task, part, tensors, original, whole=before is None)
        if before is None:
            state, coverage = _whole(task, original, mapped, step, file)
        else:
            fitted = {name: mapped[name] for name in mapped}
            facts["changed"] = sorted(fitted)
            found = misfits(before.parameters, fitted, file, mode=part.mode, owner=part.owner)
            coverage = list(found)
            state = None if coverage else _joined(original, before, fitted, part, step, file)
    return Stepped(state, step.identity, coverage, facts)


def _decoded(task: TaskContext[Any], part: PartSpec, base: Base | None) -> Step:
    """Return a part, decoded upon ``base``.

    A codec that knows nothing of chains decodes it by itself; UnsupportedError for samples that
    are networks of their own.
    """
    decoder, source = task.codec(part.codec, part.role), task.source(part)
    if isinstance(decoder, ChainCodec):
        return decoder.decode_step(source, base)
    decoded = decoder.decode(source)
    if isinstance(decoded, DecodedModel):
        raise not_tensors(part.codec, task.display(part.files[0]))
    return Step(decoded, Memory(), Identity(1, {}), sum(file.size for file in part.files))


def not_tensors(codec: str, file: str) -> UnsupportedError:
    """Return the error that a sample is no set of parameters."""
    return UnsupportedError(
        "parameters of this sample cannot be taken one by one",
        where=Location(file),
        expected="a sample that decodes to the parameters of the original",
        found=f"codec {codec!r}, whose samples are networks of their own",
        fix="name a sample of tensors",
    )


def _base(part: PartSpec, before: State | None, contexts: Memory | None) -> Base | None:
    if before is None:
        return None
    memory = before.memory
    if contexts is not None:
        memory = replace(contexts, nodes=before.memory.nodes)
    shapes = {name: array.shape for name, array in before.parameters.items()}
    for entry in part.name_map:
        if entry.is_renaming and entry.model in shapes:
            shapes[entry.sample[0]] = shapes[entry.model]
    return Base(before.digest, shapes, memory)


def _mapped(
    task: TaskContext[Any],
    part: PartSpec,
    tensors: Mapping[str, Array],
    original: StoredNetwork,
    *,
    whole: bool,
) -> FittedTensors:
    """Return the tensors under the model's names; what an update does not hold needs no entry."""
    entries = part.name_map
    if not whole:
        entries = tuple(e for e in entries if any(name in tensors for name in e.sample))
    pointer, limit = task.name_map(part), task.limits.tensor_bytes
    return fitted_tensors(part, tensors, original, pointer, limit, entries)


def _whole(
    task: TaskContext[Any], original: StoredNetwork, mapped: FittedTensors, step: Step, file: str
) -> tuple[State | None, list[TensorProblem]]:
    """Return a whole network as a state, in the types of the original's parameters.

    Scalars that it does not bring are the original's; topology that it brings is bound as well.
    """
    require_replaceable(task.result("parameters"), task.id("model"))
    coverage = list(coverage_of(survey_of(mapped, original), original, file))
    if coverage:
        return None, coverage
    own = {**original.parameters, **original.scalars}
    own |= {name: array for name, array in original.constants.items() if name in mapped}
    arrays = {
        name: mapped[name].astype(array.dtype).reshape(array.shape) if name in mapped else array
        for name, array in own.items()
    }
    return state_of(arrays, step.memory, original), []


def _joined(
    original: StoredNetwork,
    before: State,
    fitted: Mapping[str, Array],
    part: PartSpec,
    step: Step,
    file: str,
) -> State:
    after = joined(before.parameters, fitted, part.mode, file)
    changed = state_of({name: after[name] for name in fitted}, step.memory, original)
    return State(after, {**before.facts, **changed.facts}, _remembered(before, step))


def _remembered(before: State, step: Step) -> Memory:
    """Return the memory after a step: what it holds without a node is at no node any more."""
    nodeless: dict[str, list[Json]] = {name: [] for name in step.tensors}
    nodes = {**before.memory.nodes, **nodeless, **step.memory.nodes}
    return replace(step.memory, nodes=nodes)


_INTEGERS = "iu"


def joined(
    before: Mapping[str, Array], tensors: Mapping[str, Array], mode: Mode, file: str
) -> dict[str, Array]:
    """Return the parameters after a step; those that ``tensors`` lack are the arrays before.

    ``tensors`` have been found to fit by :func:`misfits`. Raises ConformanceError where a sum of
    integers leaves their type.
    """
    after = dict(before)
    for name, array in tensors.items():
        converted = np.ascontiguousarray(array, dtype=before[name].dtype)
        if mode == "add":
            converted = _sum(before[name], converted, name, file)
        after[name] = converted.reshape(before[name].shape)
    return after


def misfits(
    before: Mapping[str, Array],
    tensors: Mapping[str, Array],
    file: str,
    *,
    mode: Mode = "add",
    owner: str = "update",
) -> Iterator[TensorProblem]:
    """Yield what keeps tensors from being joined: unknown names, other shapes, other types.

    ``owner`` is what they are part of, for people: an update or a layer.
    """
    names = sorted(before)
    written, joins = ("difference", "be added in") if mode == "add" else ("tensor", "be held by")
    for name in sorted(tensors):
        if name not in before:
            yield TensorProblem(
                name,
                file,
                f"the {owner} holds a tensor {name!r} that its base lacks",
                expected=f"parameters named {some(names)}",
                found=f"{tensors[name].dtype.name}{list(tensors[name].shape)}",
                fix="remove the tensor, or map its name with name_map",
            )
            continue
        array, base = tensors[name], before[name]
        if array.shape != base.shape:
            yield TensorProblem(
                name,
                file,
                f"tensor {name!r} of the {owner} has another shape than in its base",
                expected=str(list(base.shape)),
                found=str(list(array.shape)),
                fix=f"write the {written} in the layout of the base, or map it with name_map",
            )
        elif base.dtype.kind in "bUSO" or not _fits(base, array):
            yield TensorProblem(
                name,
                file,
                f"tensor {name!r} of the {owner} cannot {joins} the type of its base",
                expected=f"{base.dtype.name}, or a narrower type"
                if base.dtype.kind not in "bUSO"
                else "numbers",
                found=f"{array.dtype.name} for {base.dtype.name}",
                fix=f"decode the {written} to the type of the parameter",
            )


def altered(before: Mapping[str, Array], digests: Mapping[str, str]) -> list[str]:
    """Return the names of the arrays that no longer have the digests they had."""
    return sorted(name for name, array in before.items() if tensor_digest(array) != digests[name])


def _fits(base: Array, array: Array) -> bool:
    if base.dtype.kind in _INTEGERS and array.dtype.kind in _INTEGERS:
        return np.can_cast(array.dtype, base.dtype, "safe")
    return holds(base.dtype, array)


def _sum(base: Array, difference: Array, name: str, file: str) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        total: Array = np.add(base, difference, dtype=base.dtype)
    if base.dtype.kind in _INTEGERS and _wrapped(base, difference, total):
        raise ConformanceError(
            f"the sum for {name!r} leaves the type of the parameter",
            where=Location(file, element=name),
            expected=f"values that {base.dtype.name} holds",
            found="an overflow",
            fix="apply the update to the network that it was made for",
        )
    return total


def _wrapped(base: Array, difference: Array, total: Array) -> bool:
    """Return whether any element of a sum of integers went past the ends of its type."""
    grows = difference > 0
    return bool(np.any(np.where(grows, total < base, total > base)))
