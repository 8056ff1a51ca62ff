"""Bitstreams applied where they do not belong: does anything in them notice?"""

from __future__ import annotations

from conformance.jobs.chain_state import original_state, stored_memory, stored_state
from conformance.jobs.chain_step import take_step
from conformance.jobs.context import TaskContext
from conformance.jobs.stored_network import stored_network
from conformance.plan.requests import MisapplicationRequest
from conformance.plan.results import MisapplicationResult
from conformance.verdicts import ConformanceError, Verdict

_TELLING = frozenset({Verdict.FAIL, Verdict.MALFORMED, Verdict.UNSUPPORTED})
"""What says that a bitstream does not fit; running out of time or memory says nothing."""


def apply_steps(task: TaskContext[MisapplicationRequest]) -> MisapplicationResult:
    """Return what noticed that the steps do not follow their start.

    That is ``parent`` (ids or depth), ``digest`` (a hash of the parent) or ``structure`` (anything
    else that cannot be decoded or does not fit).
    """
    original = stored_network(task.results["parameters"], task.limits)
    state = stored_state(task, "start") if "start" in task.results else original_state(original)
    for place, part in enumerate(task.asked.steps):
        step, contexts = task.id(part.role), f"contexts.{place}"
        if contexts in task.results:
            state = state.carrying(stored_memory(task.results[contexts], task.limits))
        try:
            stepped = take_step(task, part, original, state)
        except ConformanceError as error:
            if error.verdict not in _TELLING:
                raise
            words = error.message, error.expected, error.found
            return MisapplicationResult("structure", None, step, *words)
        identity = stepped.result.identity
        if identity.wrong:
            wrong = identity.wrong[0]
            hashed = identity.named.get("node", 0) == 0
            words = wrong.message, wrong.expected, wrong.found
            return MisapplicationResult("digest" if hashed else "parent", None, step, *words)
        if stepped.state is None:
            first = stepped.result.coverage[0]
            words = first.message, first.expected, first.found
            return MisapplicationResult("structure", None, step, *words)
        state = stepped.state
    return MisapplicationResult(None, state.digest == task.result("instead")["digest"])
