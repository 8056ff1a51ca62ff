"""The state after one part of a sample: computed from the state before it, and kept."""

from __future__ import annotations

from conformance.jobs.compare import equal_numbers
from conformance.jobs.context import METADATA, TaskContext
from conformance.jobs.joining import altered
from conformance.jobs.merging import merged
from conformance.jobs.network_state import (
    State,
    keep_state,
    original_state,
    stored_state,
)
from conformance.jobs.stepping import Stepped, take_step
from conformance.jobs.stored_network import StoredNetwork, stored_network
from conformance.plan.requests import MergeRequest, StateRequest
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import Json


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
        if name not in before.facts or before.facts[name]["sha256"] != facts["sha256"]
    )
    return sum(
        not _same_numbers(before.parameters.get(name), after.parameters[name]) for name in differing
    )


def _same_numbers(before: Array | None, after: Array) -> bool:
    if before is None or before.shape != after.shape:
        return False
    return bool(equal_numbers(before, after).all())


def _digests(state: State) -> dict[str, str]:
    return {name: facts["sha256"] for name, facts in state.facts.items()}


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


def merge_branches(task: TaskContext[MergeRequest]) -> Json:
    """Return the same of the mean of several states by weight."""
    weights = task.asked.weights
    original = stored_network(task.results["parameters"], task.limits)
    states = (stored_state(task, f"branch.{place}") for place in range(len(weights)))
    state, coverage = merged(original, states, weights)
    if state is not None:
        keep_state(task.out, state, METADATA)
    return {
        "size": 0,
        "units": 0,
        "held": 0,
        "features": [],
        "stream": None,
        "coverage": coverage,
        "tensors": dict(state.facts) if state is not None else {},
        "digest": state.digest if state is not None else None,
        "usable": state is not None,
    }
