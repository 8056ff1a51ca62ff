"""One step of a chain: a part of a sample is decoded and joined to the state before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.codecs import Base, ChainCodec, DecodedModel, Identity, Memory, Step
from conformance.jobs.context import TaskContext
from conformance.jobs.coverage import coverage_of
from conformance.jobs.inspecting import inspected
from conformance.jobs.joining import joined, misfits
from conformance.jobs.name_map import FittedTensors, fitted_tensors
from conformance.jobs.network_state import State, state_of
from conformance.jobs.stored_network import StoredNetwork, require_replaceable
from conformance.jobs.tensor_stats import Survey
from conformance.plan.requests import PartSpec
from conformance.tensorfiles import Array
from conformance.verdicts import Json, Location, UnsupportedError


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
    task: TaskContext[Any],
    part: PartSpec,
    original: StoredNetwork,
    before: State | None,
    contexts: Memory | None = None,
) -> Stepped:
    """Decode a part upon ``before``; None is nothing: it is a whole network.

    ``contexts`` is the memory that is carried on, if not that of ``before``. What is wrong with
    the bitstream itself is raised.
    """
    file = task.display(part.files[0])
    step = _decoded(task, part, _base(part, before, contexts))
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
        mapped = _mapped(task, part, tensors, original, whole=before is None)
        if before is None:
            state, coverage = _whole(task, original, mapped, step, file)
        else:
            fitted = {name: mapped[name] for name in mapped}
            facts["changed"] = sorted(fitted)
            found = misfits(before.parameters, fitted, file, mode=part.mode, owner=part.owner)
            coverage = list(found)
            state = None if coverage else _joined(original, before, fitted, part, step, file)
    return Stepped(state, step.identity, coverage, facts)


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
        raise not_tensors(part.codec, task.display(part.files[0]))
    return Step(decoded, Memory(), Identity(1, {}), sum(file.size for file in part.files))


def not_tensors(codec: str, file: str) -> UnsupportedError:
    """Return the error that a sample is no set of parameters."""
    return UnsupportedError(
        "parameters of this sample cannot be taken one by one",
        where=Location(file),
        expected="a sample that decodes to the parameters of the original",
        found=f"codec {codec!r}, whose samples are networks of their own",
        fix="name a sample of tensors",
    )


def _base(part: PartSpec, before: State | None, contexts: Memory | None) -> Base | None:
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
    task: TaskContext[Any],
    part: PartSpec,
    tensors: Mapping[str, Array],
    original: StoredNetwork,
    *,
    whole: bool,
) -> FittedTensors:
    """Return the tensors under the model's names; what an update does not hold needs no entry."""
    entries = part.name_map
    if not whole:
        entries = tuple(e for e in entries if any(name in tensors for name in e.sample))
    return fitted_tensors(task, part, tensors, original, entries)


def _whole(
    task: TaskContext[Any], original: StoredNetwork, mapped: FittedTensors, step: Step, file: str
) -> tuple[State | None, list[Json]]:
    """Return a whole network as a state, in the types of the original's parameters.

    Scalars that it does not bring are the original's; topology that it brings is bound as well.
    """
    require_replaceable(task.result("parameters"), task.id("model"))
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
    original: StoredNetwork,
    before: State,
    fitted: Mapping[str, Array],
    part: PartSpec,
    step: Step,
    file: str,
) -> State:
    after = joined(before.parameters, fitted, part.mode, file)
    changed = state_of({name: after[name] for name in fitted}, step.memory, original)
    return State(after, {**before.facts, **changed.facts}, _remembered(before, step))


def _remembered(before: State, step: Step) -> Memory:
    """Return the memory after a step: what it holds without a node is at no node any more."""
    nodeless: dict[str, list[Json]] = {name: [] for name in step.tensors}
    nodes = {**before.memory.nodes, **nodeless, **step.memory.nodes}
    return replace(step.memory, nodes=nodes)
