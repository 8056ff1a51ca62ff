"""What a decoder keeps between the streams of an update chain.

A stream of differences may code its levels with regard to those of the stream before it. Pass one
:class:`DecoderState` along the chain, in order::

    state = DecoderState()
    for name in ("base.nnc", "update-1.nnc", "update-2.nnc"):
        difference = decode(name, state=state)

A stream that cannot be decoded leaves the state as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.errors import NncEarlierStreamError, NncMalformedError
from conformance.nnc.stream import Unit

Levels = NDArray[np.int32]
History = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Reference:
    """The levels of a tensor as last decoded, int32 in C order, and the node they came from."""

    levels: Levels
    device_id: int | None
    parameter_id: int | None
    put_node_depth: int | None


@dataclass(slots=True)
class DecoderState:
    """References and histories of significance by tensor name.

    A history is an int8 array in C order: 1 where a level of an earlier stream with parent
    signalling was not 0.
    """

    references: dict[str, Reference] = field(default_factory=dict)
    histories: dict[str, History] = field(default_factory=dict)

    def draft(self) -> DecoderState:
        """Return a state to change while decoding; the arrays are shared and never written."""
        return DecoderState(dict(self.references), dict(self.histories))

    def take(self, draft: DecoderState) -> None:
        """Make the contents of ``draft`` this state's own."""
        self.references, self.histories = draft.references, draft.histories

    def reference_for(self, name: str, size: int, unit: Unit) -> Levels:
        """Return the levels that temporal contexts of a tensor look at.

        The node that ``unit`` states must be the next after the reference's.
        """
        reference = self.references.get(name)
        if reference is None:
            raise NncEarlierStreamError(
                f"{name!r} is coded with regard to levels that were not decoded before",
                position=unit.at("temporal_context_modeling_flag"),
                expected="the levels of the tensor from the stream before this one",
                found="none",
                fix="decode the streams of the chain in order, with the same DecoderState",
            )
        require_size(reference.levels.size, size, name, unit)
        require_next_node(reference, unit, name)
        return reference.levels

    def history_for(self, name: str, size: int, unit: Unit) -> History | None:
        """Return the history of a tensor, None where it has none."""
        history = self.histories.get(name)
        if history is not None:
            require_size(history.size, size, name, unit)
        return history

    def remember(self, name: str, levels: Levels, unit: Unit) -> None:
        """Keep a copy of the levels of a tensor as its reference."""
        values = unit.values
        ids: list[Any] = [values[key] for key in ("device_id", "parameter_id", "put_node_depth")]
        self.references[name] = Reference(levels.copy(), *ids)

    def mark_history(self, name: str) -> None:
        """Mark in the history of a tensor where its reference is not 0."""
        significant = (self.references[name].levels != 0).view(np.int8)
        known = self.histories.get(name)
        fits = known is not None and known.size == significant.size
        self.histories[name] = known | significant if fits and known is not None else significant


def require_size(known: int, size: int, name: str, unit: Unit) -> None:
    """Refuse a tensor that had a different number of elements in an earlier stream."""
    if known != size:
        raise NncMalformedError(
            f"{name!r} has a different number of elements in the stream before",
            position=unit.at("tensor_dimensions"),
            expected=f"{known} elements",
            found=str(size),
            fix="an update has the shapes of what it updates; use a new DecoderState per chain",
        )


def require_next_node(reference: Reference, unit: Unit, name: str) -> None:
    """Refuse a node of the parameter update tree that does not follow the reference's."""
    values = unit.values
    if not values["node_id_present_flag"] or reference.put_node_depth is None:
        return
    expected = {
        "device_id": reference.device_id,
        "parameter_id": reference.parameter_id,
        "put_node_depth": reference.put_node_depth + 1,
    }
    for key, value in expected.items():
        if values[key] != value:
            raise NncMalformedError(
                f"The node of {name!r} does not follow the one it was decoded from before",
                position=unit.at(key),
                expected=f"{key} {value}",
                found=str(values[key]),
                fix="decode every stream of the chain, once and in order",
            )
