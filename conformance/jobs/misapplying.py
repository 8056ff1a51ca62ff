"""Bitstreams applied where they do not belong: does anything in them notice?"""

from __future__ import annotations

from conformance.jobs.chain_state import original_state, stored_state
from conformance.jobs.chain_step import take_step
from conformance.jobs.context import TaskContext
from conformance.jobs.stored_network import stored_network
from conformance.plan.requests import MisapplicationRequest
from conformance.verdicts import ConformanceError, Json, Verdict

_TELLING = frozenset({Verdict.FAIL, Verdict.MALFORMED, Verdict.UNSUPPORTED})
"""What says that a bitstream does not fit; running out of time or memory says nothing."""


def apply_steps(task: TaskContext[MisapplicationRequest]) -> Json:
    """Return what noticed that the steps do not follow their start.

    ``detected_by`` is ``parent`` (ids or depth), ``digest`` (a hash of the parent) or ``structure``
    (anything else that cannot be decoded or does not fit), None if no bitstream did; then
    ``same_tensors`` says whether the outcome is that of the true chain all the same.
    """
    original = stored_network(task.results["parameters"], task.limits)
    state = stored_state(task, "start") if "start" in task.results else original_state(original)
    for place, part in enumerate(task.asked.steps):
        step, contexts = task.id(part.role), f"contexts.{place}"
        memory = stored_state(task, contexts).memory if contexts in task.results else None
        try:
            stepped = take_step(task, part, original, state, memory)
        except ConformanceError as error:
            if error.verdict not in _TELLING:
                raise
            return _noticed("structure", step, error.message, error.expected, error.found)
        if stepped.identity.wrong:
            wrong = stepped.identity.wrong[0]
            hashed = stepped.identity.named.get("node", 0) == 0
            by = "digest" if hashed else "parent"
            return _noticed(by, step, "it names another parent", wrong.expected, wrong.found)
        if stepped.state is None:
            first = stepped.coverage[0]
            return _noticed("structure", step, first.message, first.expected, first.found)
        state = stepped.state
    return {"detected_by": None, "same_tensors": state.digest == task.result("instead")["digest"]}


def _noticed(by: str, step: str, message: str, expected: str, found: str) -> Json:
    return {
        "detected_by": by,
        "step": step,
        "message": message,
        "expected": expected,
        "found": found,
        "same_tensors": None,
    }
