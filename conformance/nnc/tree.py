"""The parameter update tree: which node each tensor comes from, and which one a unit names.

A data unit of a difference names its parent: by the ids of the node, or by a hash of its payload.
:func:`verify_parents` compares that with the nodes that were decoded before, so that an update is
never added to anything but what it was made for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from conformance.nnc.errors import Position
from conformance.nnc.planning import active_parameters, unit_names
from conformance.nnc.stream import Stream, Unit

NamedBy: TypeAlias = Literal["node", "sha256", "sha512"]
"""How a unit names its parent."""

_ONLY_BY_HASH = "a hash of its payload: the parent is an update without ids"
_TYPES: tuple[NamedBy, ...] = ("node", "sha256", "sha512")


@dataclass(frozen=True, slots=True)
class Node:
    """The node of a tensor that was decoded last: its ids, and the hashes of its payload.

    Ids are None where the unit had none: that of a whole network is a root all the same, one of an
    update is none. Hashes are in lower-case hexadecimal.
    """

    device_id: int | None
    parameter_id: int | None
    put_node_depth: int | None
    sha256: str
    sha512: str
    is_update: bool = False


_NAMELESS = Node(None, None, None, "", "", is_update=True)


@dataclass(frozen=True, slots=True)
class WrongParent:
    """A unit that names a different parent than the one it would be added to."""

    name: str
    position: Position
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Parents:
    """What came of :func:`verify_parents`.

    ``units`` counts the data units, ``named`` those that name a parent, by how they do it;
    ``wrong`` are those that name a different one.
    """

    units: int
    named: Mapping[NamedBy, int]
    wrong: tuple[WrongParent, ...]


Nodes: TypeAlias = Mapping[str, Sequence[Node]]
"""The node of each tensor by name; several where branches of the tree were merged.

There is none, but an entry, where something without nodes has changed the tensor.
"""


def nodes_of(stream: Stream, *, is_update: bool = False) -> dict[str, tuple[Node, ...]]:
    """Return, by the name of a tensor, the node that the stream leaves it at."""
    nodes: dict[str, tuple[Node, ...]] = {}
    for unit, names in _units(stream):
        values: Mapping[str, Any] = unit.values
        payload = stream.data[unit.payload_byte : unit.payload_byte + unit.payload_size]
        node = Node(
            values.get("device_id"),
            values.get("parameter_id"),
            values.get("put_node_depth"),
            hashlib.sha256(payload).hexdigest(),
            hashlib.sha512(payload).hexdigest(),
            is_update,
        )
        nodes |= dict.fromkeys(names, (node,))
    return nodes


def verify_parents(stream: Stream, nodes: Nodes) -> Parents:
    """Compare the parent that each unit names with ``nodes``, those of the tensors so far.

    Where there are several, it must be one of them. A tensor that has no entry, or a whole one
    without ids, is a root: its depth is 0, and its device and parameter id are not known. It has no
    payload, which a hash could be of, unless it was decoded. What an update without ids has
    changed is no root any more, and no ids name it.
    """
    named: dict[NamedBy, int] = {}
    wrong: list[WrongParent] = []
    units = 0
    for unit, names in _units(stream):
        units += 1
        if not unit.values["parent_node_id_present_flag"]:
            continue
        kind = _TYPES[int(str(unit.values["parent_node_id_type"]))]
        named[kind] = named.get(kind, 0) + 1
        known = next((nodes[name] for name in names if name in nodes), (None,))
        found = [_wrong_parent(unit, names[0], node, kind) for node in known or (_NAMELESS,)]
        if None not in found:
            wrong += filter(None, found[:1])
    return Parents(units, named, tuple(wrong))


def _units(stream: Stream) -> Iterator[tuple[Unit, tuple[str, ...]]]:
    for unit, active in active_parameters(stream):
        yield unit, tuple(unit_names(unit, active))


def _wrong_parent(unit: Unit, name: str, node: Node | None, kind: NamedBy) -> WrongParent | None:
    return _wrong_ids(unit, name, node) if kind == "node" else _wrong_hash(unit, name, node, kind)


def _wrong_ids(unit: Unit, name: str, node: Node | None) -> WrongParent | None:
    """Return the first id of the parent that is not that of ``node``."""
    values: Mapping[str, Any] = unit.values
    own = bool(values["node_id_present_flag"])
    depth = values["put_node_depth"] - 1 if own else values["parent_put_node_depth"]
    parameter = values["parameter_id"] if own else values["parent_parameter_id"]
    found = {
        "parent_device_id": values["parent_device_id"],
        "parameter_id" if own else "parent_parameter_id": parameter,
        "put_node_depth" if own else "parent_put_node_depth": depth,
    }
    if node is not None and node.is_update and node.put_node_depth is None:
        place = unit.at("parent_node_id_type")
        return WrongParent(name, place, _ONLY_BY_HASH, f"ids, put_node_depth {depth}")
    if node is None or node.put_node_depth is None:
        expected: tuple[int | None, ...] = (None, None, 0)
    else:
        expected = (node.device_id, node.parameter_id, node.put_node_depth)
    for (key, value), wanted in zip(found.items(), expected, strict=True):
        if wanted is not None and value != wanted:
            what = key.removeprefix("parent_")
            return WrongParent(
                name, unit.at(key), f"a parent of {what} {wanted}", f"{what} {value}"
            )
    return None


def _wrong_hash(unit: Unit, name: str, node: Node | None, kind: NamedBy) -> WrongParent | None:
    key = f"parent_node_payload_{kind}"
    found = str(unit.values[key])
    actual = "" if node is None else node.sha256 if kind == "sha256" else node.sha512
    if found == actual:
        return None
    expected = actual or "no hash: the parent was not decoded from a payload of NNC"
    return WrongParent(name, unit.at(key), expected, found)
