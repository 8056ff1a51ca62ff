"""One part of a chain: decoded with the state before it, joined to it, and kept.

What is decoded is a whole network, differences that are added, or values that replace others. What
does not fit is reported tensor by tensor, and then nothing is joined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from conformance.jobs.chain_state import (
    State,
    altered,
    differing,
    joined_state,
    keep_state,
    state_before,
    whole_state,
)
from conformance.jobs.context import TaskContext
from conformance.jobs.decoding import decoded_step, described
from conformance.jobs.name_map import fitted_tensors
from conformance.jobs.stored_network import StoredNetwork, require_replaceable, stored_network
from conformance.plan.requests import PartSpec, StateRequest
from conformance.plan.results import StateResult
from conformance.tensorfiles import tensor_digest


@dataclass(frozen=True, slots=True)
class Stepped:
    """What came of a step: the state after it, and what is known of it.

    ``state`` is None if the step names a different parent or does not fit.
    """

    state: State | None
    result: StateResult


def apply_part(task: TaskContext[StateRequest]) -> StateResult:
    """Return what one step does: its identity, how it fits, the facts of every parameter after it.

    The state after it is kept, if anything can be built on it.
    """
    part = task.asked.part
    original = stored_network(task.results["parameters"], task.limits)
    before = state_before(task, original)
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


def take_step(
    task: TaskContext[Any], part: PartSpec, original: StoredNetwork, before: State | None
) -> Stepped:
    """Decode a part with what ``before`` holds; None is nothing: it is a whole network.

    What is wrong with the bitstream itself is raised.
    """
    step = decoded_step(task, part, None if before is None else before.base(part.name_map))
    file, pointer = task.display(part.files[0]), task.name_map(part)
    limit = task.limits.tensor_bytes
    with step.tensors as tensors:
        result = described(step)
        if step.identity.wrong:
            return Stepped(None, result)
        if before is None:
            require_replaceable(task.result("parameters"), task.id("model"))
            fitted = fitted_tensors(part, tensors, original, pointer, limit)
            state, coverage = whole_state(fitted, step.memory, original, file)
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
