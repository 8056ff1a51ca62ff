"""What units leave behind for the units after them, and the order they may come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.nnc.errors import NncMalformedError, Position
from conformance.nnc.options import USUAL_UNARY_LENGTH, Interpretation
from conformance.nnc.syntax.items import UnitSyntax


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
