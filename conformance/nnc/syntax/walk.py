"""Following the description of a unit, once for every use of it.

:func:`walk` goes through items in stream order, decides by their conditions which are there, and
hands every syntax element that is there to a :class:`Coder`: one that reads it, one that writes
it, or one that checks it. A :class:`Context` carries over what later units refer to, and knows the
order that units may come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from conformance.nnc.errors import NncMalformedError, Position
from conformance.nnc.options import USUAL_UNARY_LENGTH, Interpretation
from conformance.nnc.stream import Scalar, Value
from conformance.nnc.syntax.items import Derived, Field, Group, Item, Refusal, UnitSyntax


class Coder(Protocol):
    """What is done with each syntax element."""

    def code(self, field: Field, name: str, parameter: int, given: Any) -> Scalar:
        """Read, write or check one element; return its value.

        ``name`` leads through groups and arrays, ``parameter`` is that of the field's code, and
        ``given`` the value given to :func:`walk`, if any.
        """

    def repeat(self, name: str, count: int, given: Any) -> int:
        """Return how often an array or group is repeated, or refuse ``count``."""

    def refuse(self, refusal: Refusal, scope: Mapping[str, Any]) -> None:
        """Treat a refusal whose condition holds."""


def walk(
    items: Sequence[Item],
    coder: Coder,
    scope: MutableMapping[str, Any],
    given: Mapping[str, Any],
    prefix: str = "",
) -> dict[str, Value]:
    """Code ``items`` in order and return their values by name.

    ``scope`` holds what expressions may refer to and gains every value met. ``given`` are the
    values to write; what is not given is None for the coder.
    """
    values: dict[str, Value] = {}
    for item in items:
        match item:
            case Field():
                value = _field(item, coder, scope, given, prefix)
            case Group():
                value = _group(item, coder, scope, given, prefix)
            case Derived():
                if item.when is None or item.when.evaluate(scope):
                    scope[item.name] = item.value.evaluate(scope)
                continue
            case Refusal():
                if item.when.evaluate(scope):
                    coder.refuse(item, scope)
                continue
        values[item.name] = scope[item.name] = value
    return values


def _field(
    item: Field,
    coder: Coder,
    scope: MutableMapping[str, Any],
    given: Mapping[str, Any],
    prefix: str,
) -> Value:
    if item.when is not None and not item.when.evaluate(scope):
        return None if item.inferred is None else item.inferred.evaluate(scope)
    code = item.code
    number = code.constant if code.parameter is None else code.parameter.evaluate(scope)
    name = prefix + item.name
    if item.count is None:
        return coder.code(item, name, number, given.get(item.name))
    supplied = given.get(item.name) or ()
    count = coder.repeat(name, item.count.evaluate(scope), supplied)
    return tuple(
        coder.code(item, f"{name}[{index}]", number, _at(supplied, index)) for index in range(count)
    )


def _group(
    item: Group,
    coder: Coder,
    scope: MutableMapping[str, Any],
    given: Mapping[str, Any],
    prefix: str,
) -> Value:
    present = item.when is None or item.when.evaluate(scope)
    supplied = given.get(item.name)
    name = prefix + item.name
    if item.count is None:
        if not present:
            return None
        return walk(item.items, coder, scope, supplied or {}, f"{name}.")
    if not present:
        return ()
    count = coder.repeat(name, item.count.evaluate(scope), supplied or ())
    entries = []
    for index in range(count):
        scope["index"] = index
        entry = _at(supplied or (), index) or {}
        entries.append(walk(item.items, coder, scope, entry, f"{name}[{index}]."))
    return tuple(entries)


def _at(supplied: Sequence[Any], index: int) -> Any:
    return supplied[index] if index < len(supplied) else None


class Context:
    """The values of earlier units, as far as the syntax of later ones refers to them."""

    def __init__(self, interpretation: Interpretation) -> None:
        self._seen: set[str] = set()
        self._values: dict[str, Any] = {
            "general_profile_idc": 0,
            "mps_topology_indexed_reference_flag": 0,
            "mps_parent_signalling_enabled_flag": 0,
            "reference_list": None,
            "map_count_excess": 1 if interpretation.map_entries == "count-minus-1" else 0,
        }

    def scope(
        self,
        out_of_band: Callable[[str | None], Sequence[int] | None],
        unary_length: int = USUAL_UNARY_LENGTH,
    ) -> dict[str, Any]:
        """Return the names that expressions of the next unit may refer to.

        ``out_of_band`` gives the dimensions that are known of a tensor by its name;
        ``unary_length`` is that of units that do not state theirs.
        """
        outside = {"out_of_band": out_of_band, "out_of_band_unary_length": unary_length}
        return {**self._values, **outside}

    def update(self, syntax: UnitSyntax, scope: Mapping[str, Any]) -> None:
        """Take over what the unit exports."""
        self._seen.add(syntax.name)
        self._values |= {name: scope[name] for name in syntax.exports}

    def check_order(self, syntax: UnitSyntax, position: Position) -> None:
        """Raise :class:`NncMalformedError` where a unit of this type must not follow."""
        broken = self._broken_order(syntax.name)
        if broken:
            message, expected, fix = broken
            raise NncMalformedError(
                message,
                position=position,
                expected=expected,
                found=syntax.title,
                fix=fix,
            )

    def _broken_order(self, name: str) -> tuple[str, str, str] | None:
        if (name == "STR") != (not self._seen):
            return (
                "The stream does not begin with a start unit"
                if name != "STR"
                else "A start unit is not the first unit",
                "NNR_STR as the first unit, and only there",
                "write one NNR_STR; streams cannot be joined",
            )
        if name == "MPS" and {"MPS", "NDU"} & self._seen:
            return (
                "A model parameter set comes too late",
                "one NNR_MPS, before the first NNR_NDU",
                "write one NNR_MPS after NNR_STR",
            )
        if name == "NDU" and "MPS" not in self._seen:
            return (
                "A data unit comes before the model parameter set",
                "NNR_MPS before the first NNR_NDU",
                "write an NNR_MPS after NNR_STR",
            )
        return None
