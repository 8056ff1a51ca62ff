"""Bitstreams applied where they do not belong: does anything in them notice?"""

from __future__ import annotations

from conformance.jobs.context import Work
from conformance.jobs.network_state import (
    State,
    kept_result,
    kept_state,
    original_state,
)
from conformance.jobs.stepping import Stepped, take_step
from conformance.plan.case import Step
from conformance.plan.dependencies import contexts_step, key_of
from conformance.verdicts import ConformanceError, Json, Verdict

_TELLING = frozenset({Verdict.FAIL, Verdict.MALFORMED, Verdict.UNSUPPORTED})
"""What says that a bitstream does not fit; running out of time or memory says nothing."""


def apply_mutation(work: Work) -> Json:
    """Return what noticed that the steps of the case do not follow its start.

    ``detected_by`` is ``parent`` (ids or depth), ``digest`` (a hash of the parent) or ``structure``
    (anything else that cannot be decoded or does not fit), None if no bitstream did; then
    ``same_tensors`` tells whether the outcome is that of the true chain all the same.
    """
    state = _start(work)
    for step in work.case.steps:
        try:
            stepped = _stepped(work, step, state)
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
            return _noticed("structure", step, first["message"], first["expected"], first["found"])
        state = stepped.state
    return {"detected_by": None, "same_tensors": state.digest == _true_digest(work)}


def _start(work: Work) -> State:
    if work.case.start is None:
        return original_state(work.original())
    return kept_state(work.states[key_of(work.case.start)], work.limits)


def _stepped(work: Work, step: Step, state: State) -> Stepped:
    contexts = contexts_step(step, work.submission)
    memory = kept_state(work.states[key_of(contexts)], work.limits).memory if contexts else None
    return take_step(work, work.submission.sample(step[0]), step[1], state, memory)


def _true_digest(work: Work) -> str:
    if work.case.instead_of is None:
        raise ValueError(f"{work.case.name} is compared with nothing")
    digest: str = kept_result(work.states[key_of(work.case.instead_of)])["digest"]
    return digest


def _noticed(by: str, step: Step, message: str, expected: str, found: str) -> Json:
    return {
        "detected_by": by,
        "step": key_of(step),
        "message": message,
        "expected": expected,
        "found": found,
        "same_tensors": None,
    }
