"""The names of a compressed data unit's tensors: written out, or indices into a topology unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.nnc.active import ActiveParameters
from conformance.nnc.errors import NncMalformedError, NncUnsupportedError
from conformance.nnc.places import at
from conformance.nnc.stream import Unit


def unit_names(unit: Unit, active: ActiveParameters) -> tuple[str, ...]:
    """Return the names of the unit's tensors, in the order of the header."""
    values: Mapping[str, Any] = unit.values
    single, several = values["topology_elem_id"], values["topology_elem_ids"]
    if single is not None:
        return (single,)
    if several is not None:
        return tuple(several)
    index = values["topology_elem_id_index"]
    if index is not None:
        return names_at(unit, active, "topology_elem_id_index", (index,))
    indices = values["topology_elem_id_indices"]
    return names_at(unit, active, "topology_elem_id_indices", indices)


def names_at(
    unit: Unit, active: ActiveParameters, field: str, indices: Sequence[int]
) -> tuple[str, ...]:
    """Return the names that indexed references stand for."""
    if active.names is None:
        raise NncUnsupportedError(
            "The unit names its tensors by indices, and no list of names is in the stream",
            position=at(unit, field),
            expected="a topology unit with a list of element ids (format 6) before the unit",
            found="none",
            fix="write names, or such a topology unit",
        )
    if max(indices) >= len(active.names):
        raise NncMalformedError(
            "An index points past the end of the topology's list of element ids",
            position=at(unit, field),
            expected=f"at most {len(active.names) - 1}",
            found=str(max(indices)),
            fix="write the place of the tensor's id in the list, counted from 0",
        )
    return tuple(active.names[index] for index in indices)


def refuse_unless_whole(unit: Unit) -> None:
    """Refuse a unit that is a part of a larger one."""
    if unit.values["partial_data_counter_present_flag"]:
        raise NncUnsupportedError(
            "The compressed data unit is one of several parts",
            position=at(unit, "partial_data_counter"),
            expected="a unit that is complete in itself",
            found=f"partial_data_counter {unit.values['partial_data_counter']}",
            fix="this decoder knows no rule for joining the parts; write the unit in one piece",
        )
