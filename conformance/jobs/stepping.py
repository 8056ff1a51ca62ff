"""One step of a chain: a part of a sample is decoded and joined to the state before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from conformance.codecs import Base, Identity, Memory, Step
from conformance.jobs.context import Work
from conformance.jobs.coverage import coverage_of
from conformance.jobs.fitted import FittedTensors, mapped_tensors
from conformance.jobs.inspecting import inspected
from conformance.jobs.joining import joined, misfits
from conformance.jobs.network_state import State, state_of
from conformance.jobs.survey import Survey
from conformance.submission.values import Part, Sample
from conformance.tensorfiles import Array
from conformance.verdicts import Json


@dataclass(frozen=True, slots=True)
class Stepped:
    """What came of a step.

    ``state`` is None if the step names another parent or does not fit; ``coverage`` then tells
    every tensor that does not. ``facts`` are JSON: what the bitstream is, and what it changed.
    """

    state: State | None
    identity: Identity
    coverage: list[Json]
    facts: dict[str, Json]


def take_step(
    work: Work, sample: Sample, place: int, before: State | None, contexts: Memory | None = None
) -> Stepped:
    """Decode part ``place`` of ``sample`` upon ``before``; None is nothing: it is a whole network.

    ``contexts`` is the memory that is carried on, if not that of ``before``. What is wrong with
    the bitstream itself is raised.
    """
    part = sample.parts[place]
    file = part.files[0].rel_filepath
    step = work.step(sample, part, _base(part, before, contexts))
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
        mapped = _mapped(work, sample, place, tensors, whole=before is None)
        if before is None:
            state, coverage = _whole(work, mapped, step, file)
        else:
            fitted = {name: mapped[name] for name in mapped}
            facts["changed"] = sorted(fitted)
            owner = "layer" if sample.layers else "update"
            coverage = list(misfits(before.parameters, fitted, file, mode=part.mode, owner=owner))
            state = None if coverage else _joined(work, before, fitted, part, step)
    return Stepped(state, step.identity, coverage, facts)


def _base(part: Part, before: State | None, contexts: Memory | None) -> Base | None:
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
    work: Work, sample: Sample, place: int, tensors: Mapping[str, Array], *, whole: bool
) -> FittedTensors:
    """Return the tensors under the model's names; what an update does not hold needs no entry."""
    part = sample.parts[place]
    entries = part.name_map
    if not whole:
        entries = tuple(e for e in entries if any(name in tensors for name in e.sample))
    own = sample.layers and part.name_map != sample.name_map
    pointer = work.pointer_to(sample) + (f"/layers/{place}/name_map" if own else "/name_map")
    return mapped_tensors(work, sample, tensors, entries, pointer)


def _whole(
    work: Work, mapped: FittedTensors, step: Step, file: str
) -> tuple[State | None, list[Json]]:
    """Return a whole network as a state, in the types of the original's parameters.

    Scalars that it does not bring are the original's; topology that it brings is bound as well.
    """
    original = work.replaceable()
    survey = Survey(mapped, original, {})
    survey.look_at(step.tensors, with_errors=False)
    coverage = list(coverage_of(survey, original, file))
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
    work: Work, before: State, fitted: Mapping[str, Array], part: Part, step: Step
) -> State:
    after = joined(before.parameters, fitted, part.mode, part.files[0].rel_filepath)
    changed = state_of({name: after[name] for name in fitted}, step.memory, work.original())
    return State(after, {**before.facts, **changed.facts}, _remembered(before, step))


def _remembered(before: State, step: Step) -> Memory:
    """Return the memory after a step: what it holds without a node is at no node any more."""
    nodeless: dict[str, list[Json]] = {name: [] for name in step.tensors}
    nodes = {**before.memory.nodes, **nodeless, **step.memory.nodes}
    return replace(step.memory, nodes=nodes)
