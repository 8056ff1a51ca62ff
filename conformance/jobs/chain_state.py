"""A state: the parameters that a part of a sample leaves, and the memory of its decoder.

A state never changes: what a step gives is compared with it, and joined to it in a new one. A sum
is computed in the parameter's own type, as a decoder on a device would: one rounding for each
element. States are kept in files: the next step is applied without decoding anything again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from conformance.codecs import Base, Memory, Step
from conformance.jobs.compare import equal_numbers
from conformance.jobs.context import TaskContext
from conformance.jobs.coverage import coverage_of, some, survey_of
from conformance.jobs.name_map import FittedTensors
from conformance.jobs.stored_network import StoredNetwork
from conformance.jobs.tensor_stats import tensor_facts
from conformance.plan.requests import PartSpec, StateRequest, typed
from conformance.plan.results import TensorFacts, TensorProblem
from conformance.runtimes.dtypes import holds
from conformance.sandbox.limits import Limits
from conformance.submission.values import Mode, NameMapping
from conformance.tensorfiles import (
    SAFETENSORS_CODES,
    Array,
    network_digest,
    open_tensors,
    tensor_digest,
    write_tensors,
)
from conformance.verdicts import ConformanceError, Json, Location, UnsupportedError

PARAMETERS = "parameters.safetensors"
ARRAYS = "memory.safetensors"
TEXTS = "memory.json"

_INTEGERS = "iu"
_NO_NUMBERS = "bUSO"


@dataclass(frozen=True, slots=True)
class State:
    """Parameters by the names of the model, facts about each, and the memory of the decoder."""

    parameters: Mapping[str, Array]
    facts: Mapping[str, TensorFacts]
    memory: Memory = field(default_factory=Memory)

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each parameter, as it was when the state was made."""
        return {name: facts.sha256 for name, facts in self.facts.items()}

    @property
    def digest(self) -> str:
        """The one digest of all parameters."""
        return network_digest(
            {name: each.sha256 for name, each in self.facts.items() if not each.optional}
        )

    def base(self, name_map: Sequence[NameMapping]) -> Base:
        """Return what a step is decoded with; the shapes are also by the names before renaming."""
        shapes = {name: array.shape for name, array in self.parameters.items()}
        for entry in name_map:
            if entry.is_renaming and entry.model in shapes:
                shapes[entry.sample[0]] = shapes[entry.model]
        return Base(self.digest, shapes, self.memory)

    def carrying(self, memory: Memory) -> State:
        """Return it with another memory of the decoder; the nodes stay its own."""
        return replace(self, memory=replace(memory, nodes=self.memory.nodes))


def state_of(parameters: Mapping[str, Array], memory: Memory, original: StoredNetwork) -> State:
    """Return the state with these parameters, and all facts about them."""
    optional = {*original.scalars, *original.constants}
    facts = {
        name: replace(tensor_facts(array, original.everything.get(name)), optional=name in optional)
        for name, array in parameters.items()
    }
    return State(parameters, facts, memory)


def original_state(network: StoredNetwork) -> State:
    """Return the parameters and scalars of the original: the state that its updates begin with."""
    return state_of({**network.parameters, **network.scalars}, Memory(), network)


# --- What a step does to a state


def whole_state(
    fitted: FittedTensors, memory: Memory, original: StoredNetwork, file: str
) -> tuple[State | None, list[TensorProblem]]:
    """Return a whole network as a state, or None and what does not fit.

    Its arrays have the types of the original's parameters. Scalars that it does not bring are the
    original's; topology that it brings is bound as well.
    """
    found = list(coverage_of(survey_of(fitted, original), original, file))
    if found:
        return None, found
    own = {**original.parameters, **original.scalars}
    own |= {name: array for name, array in original.constants.items() if name in fitted}
    arrays = {
        name: fitted[name].astype(array.dtype).reshape(array.shape) if name in fitted else array
        for name, array in own.items()
    }
    return state_of(arrays, memory, original), []


def joined_state(
    before: State,
    arrays: Mapping[str, Array],
    part: PartSpec,
    step: Step,
    original: StoredNetwork,
    file: str,
) -> tuple[State | None, list[TensorProblem]]:
    """Return the state after a step that gives ``arrays``, or None and what does not fit."""
    found = list(misfits(before.parameters, arrays, file, mode=part.mode, owner=part.owner))
    if found:
        return None, found
    after = joined(before.parameters, arrays, part.mode, file)
    # What the step holds without a node is at no node any more.
    nodes = {**before.memory.nodes, **{name: [] for name in step.tensors}, **step.memory.nodes}
    memory = replace(step.memory, nodes=nodes)
    made = state_of({name: after[name] for name in arrays}, memory, original)
    return State(after, {**before.facts, **made.facts}, memory), []


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
        elif base.dtype.kind in _NO_NUMBERS or not _fits(base, array):
            yield TensorProblem(
                name,
                file,
                f"tensor {name!r} of the {owner} cannot {joins} the type of its base",
                expected=f"{base.dtype.name}, or a narrower type"
                if base.dtype.kind not in _NO_NUMBERS
                else "numbers",
                found=f"{array.dtype.name} for {base.dtype.name}",
                fix=f"decode the {written} to the type of the parameter",
            )


def _fits(base: Array, array: Array) -> bool:
    if base.dtype.kind in _INTEGERS and array.dtype.kind in _INTEGERS:
        return np.can_cast(array.dtype, base.dtype, "safe")
    return holds(base.dtype, array)


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


def altered(before: Mapping[str, Array], digests: Mapping[str, str]) -> list[str]:
    """Return the names of the arrays that no longer have the digests they had."""
    return sorted(name for name, array in before.items() if tensor_digest(array) != digests[name])


def differing(before: State, after: State) -> int:
    """Return how many tensors hold other numbers after a step.

    Digests tell most of them apart; a zero that was added may have changed the sign of a zero only.
    """
    known = before.digests
    names = (name for name, digest in after.digests.items() if known.get(name) != digest)
    return sum(
        not _same_numbers(before.parameters.get(name), after.parameters[name]) for name in names
    )


def _same_numbers(before: Array | None, after: Array) -> bool:
    if before is None or before.shape != after.shape:
        return False
    return bool(equal_numbers(before, after).all())


# --- In files


def keep_state(folder: Path, state: State, file: str) -> None:
    """Write a state; UnsupportedError for parameters of a type that cannot be kept."""
    for name, array in state.parameters.items():
        if array.dtype.name not in SAFETENSORS_CODES:
            raise UnsupportedError(
                f"the parameter {name!r} is of a type that nothing can be built upon",
                where=Location(file, element=name),
                expected=f"one of {', '.join(sorted(SAFETENSORS_CODES))}",
                found=array.dtype.name,
                fix="submit each network as a sample of its own",
            )
    write_tensors(folder / PARAMETERS, state.parameters)
    # Bitstreams may name tensors as no file of tensors would: the names are among the texts.
    memory = state.memory
    write_tensors(folder / ARRAYS, {str(k): each for k, each in enumerate(memory.arrays.values())})
    texts = {
        "arrays": list(memory.arrays),
        "facts": dict(memory.facts),
        "nodes": dict(memory.nodes),
    }
    (folder / TEXTS).write_text(json.dumps(texts, sort_keys=True), encoding="utf-8")


def state_before(task: TaskContext[StateRequest], original: StoredNetwork) -> State | None:
    """Return the state that the part is joined to; None for a whole network."""
    if task.asked.whole and "parent" not in task.results:
        return None
    before = stored_state(task, "parent") if "parent" in task.results else original_state(original)
    if "contexts" not in task.results:
        return before
    return before.carrying(stored_memory(task.results["contexts"], task.limits))


def stored_state(task: TaskContext[Any], role: str) -> State:
    """Return what :func:`keep_state` wrote for an earlier job."""
    facts: dict[str, Json] = task.result(role)["tensors"]
    return State(
        parameters=stored_parameters(task.results[role], task.limits),
        facts={name: typed(each, TensorFacts, defaults=True) for name, each in facts.items()},
        memory=stored_memory(task.results[role], task.limits),
    )


def stored_parameters(folder: Path, limits: Limits) -> dict[str, Array]:
    """Return the parameters of a state alone."""
    return _arrays(folder / PARAMETERS, limits)


def stored_memory(folder: Path, limits: Limits) -> Memory:
    """Return the memory of a state alone.

    Its arrays are copies: a codec that writes into them is to be reported, and not to fail on the
    spot.
    """
    texts = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
    arrays = _arrays(folder / ARRAYS, limits)
    carried = {name: arrays[str(k)].copy() for k, name in enumerate(texts["arrays"])}
    return Memory(carried, texts["facts"], texts["nodes"])


def _arrays(path: Path, limits: Limits) -> dict[str, Array]:
    with open_tensors(path, display=path.name, limit_bytes=limits.memory_bytes) as held:
        return {name: held[name] for name in held}
