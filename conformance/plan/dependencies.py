"""What has to be evaluated before a case: the network, the original's run, states of other parts.

A state is what a part of a sample leaves: parameters, and the memory of its decoder. Each step of a
chain needs only the one before it, so that a chain is never decoded again from its root.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.plan.case import Case, Step, sample_of
from conformance.submission.values import Sample, Submission


def prerequisites(case: Case, submission: Submission) -> tuple[Case, ...]:
    """Return the cases that must have succeeded before ``case`` is worth a try."""
    if case.kind == "model":
        return ()
    if case.kind == "compressed-run":
        return (Case("reconstruction", case.model, case.sample, case.vectors),)
    if case.kind == "access":
        return (Case("decode", case.model, case.sample),)
    needed: list[Case] = [Case("model", case.model)]
    if case.kind in ("control", "agreement", "reconstruction", "mixture"):
        needed = [each for each in (case.own, case.reference) if each is not None]
    if case.kind in ("reconstruction", "mixture"):
        sample = sample_of(case, submission)
        if case.part is None:
            needed.append(Case("decode", case.model, sample=sample.id))
    return tuple(dict.fromkeys((*needed, *states(case, submission))))


def states(case: Case, submission: Submission) -> tuple[Case, ...]:
    """Return the states whose evidence the worker reads for ``case``."""
    steps = dict.fromkeys(_steps(case, submission))
    return tuple(state_case(step, submission) for step in steps)


def state_case(step: Step, submission: Submission) -> Case:
    """Return the case that computes a state."""
    name, part = step
    return Case("state", submission.sample(name).model, sample=name, part=part)


def last_step(sample: Sample) -> Step:
    """Return the step at which ``sample`` is complete."""
    return sample.id, len(sample.parts) - 1


def key_of(step: Step) -> str:
    """Return the name of a state in requests to the worker."""
    return f"{step[0]}#{step[1]}"


def contexts_step(step: Step, submission: Submission) -> Step | None:
    """Return the state whose decoder memory a step carries on, if that is not its parent's."""
    sample = submission.sample(step[0])
    update = sample.update_of
    if step[1] or update is None or update.contexts_of is None:
        return None
    return last_step(submission.sample(update.contexts_of))


def parent_step(step: Step, submission: Submission) -> Step | None:
    """Return the state that a step is applied to; None is the original, or nothing at all."""
    name, part = step
    sample = submission.sample(name)
    if part:
        return name, part - 1
    if sample.update_of is None or sample.update_of.sample is None:
        return None
    return last_step(submission.sample(sample.update_of.sample))


def _steps(case: Case, submission: Submission) -> Iterator[Step]:
    if case.kind == "mutation":
        yield from (step for step in (case.start, case.instead_of) if step is not None)
        for step in case.steps:
            yield from _given(contexts_step(step, submission))
    elif case.sample is None:
        return
    elif case.kind == "state":
        sample = sample_of(case, submission)
        yield from (last_step(submission.sample(branch.sample)) for branch in sample.merge_of)
        step = (sample.id, case.part or 0)
        yield from _given(parent_step(step, submission))
        yield from _given(contexts_step(step, submission))
    elif case.kind in ("decode", "layering", "reconstruction", "mixture"):
        sample = sample_of(case, submission)
        if sample.is_derived or sample.layers:
            last = last_step(sample)[1] if case.part is None else case.part
            first = last if case.kind in ("reconstruction", "mixture") else 0
            yield from ((sample.id, part) for part in range(first, last + 1))


def _given(step: Step | None) -> Iterator[Step]:
    if step is not None:
        yield step
