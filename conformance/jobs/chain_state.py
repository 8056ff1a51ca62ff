"""A state: the parameters that a part of a sample leaves, and the memory of its decoder.

It is kept in files, so that the next step is applied to it without decoding anything again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.codecs import Memory
from conformance.jobs.context import TaskContext
from conformance.jobs.stored_network import StoredNetwork
from conformance.jobs.tensor_stats import tensor_facts
from conformance.plan.requests import typed
from conformance.plan.results import TensorFacts
from conformance.sandbox.limits import Limits
from conformance.tensorfiles import (
    SAFETENSORS_CODES,
    Array,
    network_digest,
    open_tensors,
    write_tensors,
)
from conformance.verdicts import Location, UnsupportedError

PARAMETERS = "parameters.safetensors"
ARRAYS = "memory.safetensors"
TEXTS = "memory.json"


@dataclass(frozen=True, slots=True)
class State:
    """Parameters by the names of the model, facts about each, and the memory of the decoder."""

    parameters: Mapping[str, Array]
    facts: Mapping[str, TensorFacts]
    memory: Memory = field(default_factory=Memory)

    @property
    def digest(self) -> str:
        """The one digest of all parameters."""
        return network_digest(
            {name: each.sha256 for name, each in self.facts.items() if not each.optional}
        )


def state_of(parameters: Mapping[str, Array], memory: Memory, original: StoredNetwork) -> State:
    """Return the state with these parameters, and all facts about them."""
    optional = {*original.scalars, *original.constants}
    facts = {
        name: replace(tensor_facts(array, original.everything.get(name)), optional=name in optional)
        for name, array in parameters.items()
    }
    return State(parameters, facts, memory)


def original_state(network: StoredNetwork) -> State:
    """Return the parameters and scalars of the original: the state that its updates begin with."""
    return state_of({**network.parameters, **network.scalars}, Memory(), network)


def keep_state(folder: Path, state: State, file: str) -> None:
    """Write a state; UnsupportedError for parameters of a type that cannot be kept."""
    for name, array in state.parameters.items():
        if array.dtype.name not in SAFETENSORS_CODES:
            raise UnsupportedError(
                f"the parameter {name!r} is of a type that nothing can be built upon",
                where=Location(file, element=name),
                expected=f"one of {', '.join(sorted(SAFETENSORS_CODES))}",
                found=array.dtype.name,
                fix="submit each network as a sample of its own",
            )
    write_tensors(folder / PARAMETERS, state.parameters)
    # Bitstreams may name tensors as no file of tensors would: the names are among the texts.
    memory = state.memory
    write_tensors(folder / ARRAYS, {str(k): each for k, each in enumerate(memory.arrays.values())})
    texts = {
        "arrays": list(memory.arrays),
        "facts": dict(memory.facts),
        "nodes": dict(memory.nodes),
    }
    (folder / TEXTS).write_text(json.dumps(texts, sort_keys=True), encoding="utf-8")


def stored_state(task: TaskContext[Any], role: str) -> State:
    """Return what :func:`keep_state` wrote for an earlier job.

    The arrays of the memory are copies: a codec that writes into them is to be told of it, and not
    to fail on the spot.
    """
    folder, limits = task.results[role], task.limits
    texts = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
    arrays = _arrays(folder / ARRAYS, limits)
    carried = {name: arrays[str(k)].copy() for k, name in enumerate(texts["arrays"])}
    return State(
        parameters=stored_parameters(folder, limits),
        facts={
            name: typed(each, TensorFacts, defaults=True)
            for name, each in task.result(role)["tensors"].items()
        },
        memory=Memory(carried, texts["facts"], texts["nodes"]),
    )


def stored_parameters(folder: Path, limits: Limits) -> dict[str, Array]:
    """Return the parameters of a state alone."""
    return _arrays(folder / PARAMETERS, limits)


def _arrays(path: Path, limits: Limits) -> dict[str, Array]:
    with open_tensors(path, display=path.name, limit_bytes=limits.memory_bytes) as held:
        return {name: held[name] for name in held}
