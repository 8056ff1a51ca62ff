"""The state after one part of a sample: computed from the state before it, and kept."""

from __future__ import annotations

from conformance.jobs.compare import equal_numbers
from conformance.jobs.context import Work
from conformance.jobs.joining import altered
from conformance.jobs.merging import merged
from conformance.jobs.network_state import (
    State,
    keep_state,
    kept_state,
    original_state,
)
from conformance.jobs.stepping import Stepped, take_step
from conformance.plan.dependencies import contexts_step, key_of, last_step, parent_step
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import Json


def compute_state(work: Work) -> Json:
    """Return what one step does: its identity, how it fits, the facts of every parameter after it.

    ``usable`` says whether anything can be built upon it. ``altered`` names the tensors of the
    base, and the arrays of its memory, that are not what they were before.
    """
    if work.sample.merge_of:
        return _merge(work)
    sample, place = work.sample, work.case.part or 0
    step = (sample.id, place)
    parent, contexts = parent_step(step, work.submission), contexts_step(step, work.submission)
    before = _before(work, place)
    carried = kept_state(work.states[key_of(contexts)], work.limits).memory if contexts else None
    digests = _memory_digests(before)
    stepped = take_step(work, sample, place, before, carried)
    changed = [] if before is None else altered(before.parameters, _digests(before))
    changed += [name for name, digest in _memory_digests(before).items() if digest != digests[name]]
    return {
        **_result(work, stepped),
        "parent": key_of(parent) if parent else None,
        "differing": _differing(before, stepped.state),
        "base_tensors": len(before.parameters) if before is not None else 0,
        "altered": changed,
    }


def _before(work: Work, place: int) -> State | None:
    """Return the state that the part is joined to; None for a whole network."""
    parent = parent_step((work.sample.id, place), work.submission)
    if parent is not None:
        return kept_state(work.states[key_of(parent)], work.limits)
    return original_state(work.original()) if work.sample.update_of is not None else None


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


def _result(work: Work, stepped: Stepped) -> dict[str, Json]:
    state, identity = stepped.state, stepped.identity
    if state is not None:
        keep_state(work.out, state, work.sample.files[0].rel_filepath)
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


def _merge(work: Work) -> Json:
    branches = [work.submission.sample(branch.sample) for branch in work.sample.merge_of]
    states = (
        kept_state(work.states[key_of(last_step(sample))], work.limits) for sample in branches
    )
    weights = [branch.weight for branch in work.sample.merge_of]
    state, coverage = merged(work.original(), states, weights)
    if state is not None:
        keep_state(work.out, state, "submission.json")
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
