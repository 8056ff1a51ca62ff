"""One part of a chain: decoded upon the state before it, joined to it, and kept.

What is decoded is a whole network, differences that are added, or values that replace others. What
does not fit is reported tensor by tensor, and then nothing is joined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from conformance.codecs import Base, ChainCodec, DecodedModel, Identity, Memory, Step
from conformance.jobs.chain_state import (
    State,
    altered,
    differing,
    joined_state,
    keep_state,
    original_state,
    state_of,
    stored_memory,
    stored_state,
)
from conformance.jobs.context import TaskContext
from conformance.jobs.coverage import coverage_of, survey_of
from conformance.jobs.decoding import inspected
from conformance.jobs.name_map import FittedTensors, fitted_tensors
from conformance.jobs.stored_network import StoredNetwork, require_replaceable, stored_network
from conformance.plan.requests import PartSpec, StateRequest
from conformance.plan.results import ParentIdentity, StateResult, TensorProblem, WrongParent
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import Location, UnsupportedError


@dataclass(frozen=True, slots=True)
class Stepped:
    """What came of a step: the state after it, and what is known of it.

    ``state`` is None if the step names a different parent or does not fit.
    """

    state: State | None
    result: StateResult


def apply_part(task: TaskContext[StateRequest]) -> StateResult:
    """Return what one step does: its identity, how it fits, the facts of every parameter after it.

    The state after it is kept, if anything can be built upon it.
    """
    part = task.asked.part
    original = stored_network(task.results["parameters"], task.limits)
    before = _before(task, original)
    memory = before.memory.arrays if before is not None else {}
    digests = {name: tensor_digest(array) for name, array in memory.items()}
    stepped = take_step(task, part, original, before)
    if stepped.state is not None:
        keep_state(task.out, stepped.state, task.display(part.files[0]))
    if before is None:
        return stepped.result
    return replace(
        stepped.result,
        parent=task.id("parent") if "parent" in task.results else None,
        differing=None if stepped.state is None else differing(before, stepped.state),
        base_tensors=len(before.parameters),
        altered=(*altered(before.parameters, before.digests), *altered(memory, digests)),
    )


def _before(task: TaskContext[StateRequest], original: StoredNetwork) -> State | None:
    """Return the state that the part is joined to; None for a whole network."""
    if task.asked.whole and "parent" not in task.results:
        return None
    before = stored_state(task, "parent") if "parent" in task.results else original_state(original)
    if "contexts" not in task.results:
        return before
    return before.carrying(stored_memory(task.results["contexts"], task.limits))


def take_step(
    task: TaskContext[Any], part: PartSpec, original: StoredNetwork, before: State | None
) -> Stepped:
    """Decode a part upon ``before``; None is nothing: it is a whole network.

    What is wrong with the bitstream itself is raised.
    """
    base = None if before is None else _base(part, before)
    step, file = _decoded(task, part, base), task.display(part.files[0])
    pointer, limit = task.name_map(part), task.limits.tensor_bytes
    with step.tensors as tensors:
        result = _described(step)
        if step.identity.wrong:
            return Stepped(None, result)
        if before is None:
            fitted = fitted_tensors(part, tensors, original, pointer, limit)
            state, coverage = _whole(task, original, fitted, step.memory, file)
        else:
            # What an update does not hold needs no entry.
            entries = tuple(e for e in part.name_map if any(n in tensors for n in e.sample))
            fitted = fitted_tensors(part, tensors, original, pointer, limit, entries)
            arrays = {name: fitted[name] for name in fitted}
            state, coverage = joined_state(before, arrays, part, step, original, file)
            result = replace(result, changed=tuple(sorted(arrays)))
    if state is None:
        return Stepped(None, replace(result, coverage=tuple(coverage)))
    return Stepped(state, replace(result, tensors=state.facts, digest=state.digest, usable=True))


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
        raise UnsupportedError(
            "parameters of this sample cannot be taken one by one",
            where=Location(task.display(part.files[0])),
            expected="a sample that decodes to the parameters of the original",
            found=f"codec {part.codec!r}, whose samples are networks of their own",
            fix="name a sample of tensors",
        )
    return Step(decoded, Memory(), Identity(1, {}), sum(file.size for file in part.files))


def _base(part: PartSpec, before: State) -> Base:
    shapes = {name: array.shape for name, array in before.parameters.items()}
    for entry in part.name_map:
        if entry.is_renaming and entry.model in shapes:
            shapes[entry.sample[0]] = shapes[entry.model]
    return Base(before.digest, shapes, before.memory)


def _described(step: Step) -> StateResult:
    """Return what the bitstream is and says of its parent; nothing can be built upon that yet."""
    tensors, identity = step.tensors, step.identity
    return StateResult(
        size=step.size,
        units=step.units,
        held=len(tensors),
        features=tuple(sorted(tensors.features)),
        stream=inspected(tensors.inspect) if tensors.inspect else None,
        coverage=(),
        tensors={},
        digest=None,
        usable=False,
        identity=ParentIdentity(
            places=identity.places,
            named=dict(identity.named),
            wrong=tuple(
                WrongParent(w.tensor, w.message, w.where or Location(), w.expected, w.found, w.fix)
                for w in identity.wrong
            ),
        ),
    )


def _whole(
    task: TaskContext[Any],
    original: StoredNetwork,
    mapped: FittedTensors,
    memory: Memory,
    file: str,
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
    return state_of(arrays, memory, original), []
