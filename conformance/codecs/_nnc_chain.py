"""What NNC bitstreams of a chain share: decoder state, nodes of the update tree, dimensions.

Between two streams the state is plain data (:class:`~conformance.codecs._chain.Memory`), so that
it can be kept in files and every step is decoded by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from conformance.codecs._chain import Base, Identity, Memory, WrongParent
from conformance.codecs._nnc_reading import without_dimensions
from conformance.codecs._nnc_words import location_of
from conformance.nnc import DecoderState, Options
from conformance.nnc.state import Reference
from conformance.nnc.stream import Stream
from conformance.nnc.tree import Node, nodes_of, verify_parents
from conformance.verdicts import Json

_REFERENCE, _HISTORY = "reference:", "history:"


def state_of(memory: Memory | None) -> DecoderState:
    """Return the state that :func:`memory_of` made ``memory`` of; an empty one without it."""
    state = DecoderState()
    if memory is None:
        return state
    for key, array in memory.arrays.items():
        kind, _, name = key.partition(":")
        if f"{kind}:" == _HISTORY:
            state.histories[name] = array.astype(np.int8, copy=False)
        else:
            ids: Sequence[Any] = memory.facts[name]
            state.references[name] = Reference(array.astype(np.int32, copy=False), *ids)
    return state


def memory_of(state: DecoderState | None, stream: Stream, base: Base | None) -> Memory:
    """Return what the next stream needs: the state after ``stream``, and the nodes.

    Tensors that ``stream`` does not hold keep their nodes in ``base``.
    """
    if state is None:
        return Memory()
    references = {f"{_REFERENCE}{name}": each.levels for name, each in state.references.items()}
    histories = {f"{_HISTORY}{name}": each for name, each in state.histories.items()}
    return Memory(
        arrays={**references, **histories},
        facts={
            name: [each.device_id, each.parameter_id, each.put_node_depth]
            for name, each in state.references.items()
        },
        nodes={**(base.memory.nodes if base is not None else {}), **_nodes_of(stream, base)},
    )


def _nodes_of(stream: Stream, base: Base | None) -> dict[str, list[Json]]:
    nodes = nodes_of(stream, is_update=base is not None)
    return {name: [asdict(node) for node in several] for name, several in nodes.items()}


def identity_of(stream: Stream, nodes: Mapping[str, Json], display: str) -> Identity:
    """Return what the units of ``stream`` say about their parents, compared with ``nodes``."""
    known = {name: [Node(**node) for node in several] for name, several in nodes.items()}
    parents = verify_parents(stream, known)
    return Identity(
        places=parents.units,
        named={str(kind): count for kind, count in parents.named.items()},
        wrong=tuple(
            WrongParent(each.name, location_of(each.position, display), each.expected, each.found)
            for each in parents.wrong
        ),
    )


def options_upon(options: Options, shapes: Mapping[str, tuple[int, ...]]) -> Options:
    """Return the options to read a stream with that may leave out the dimensions of its base."""
    return replace(options, dimensions={**shapes, **options.dimensions})


def options_within(
    options: Options, stream: Stream, shapes: Mapping[str, tuple[int, ...]]
) -> Options:
    """Return the options with the parent's shapes of tensors that come without dimensions.

    NNCodec leaves out the dimensions of blocks in updates: they are those of what is updated.
    """
    wanting = set(without_dimensions(stream, shapes))
    known = {name: shape for name, shape in shapes.items() if name in wanting}
    return replace(options, dimensions={**known, **options.dimensions})
