"""What is in force at a compressed data unit: profile, quantization parameters, names.

:func:`active_parameters` walks the units of a stream once. A layer parameter set holds for the
compressed data units after it, until the next one; so does a topology unit with a list of ids,
which :func:`unit_names` looks up the indices of a data unit in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.nnc.errors import NncMalformedError, NncUnsupportedError, at
from conformance.nnc.options import Dialect
from conformance.nnc.stream import Stream, Unit

QUANTIZED = 3
"""The bits of the quantization method flags that bring quantization parameters with them."""


@dataclass(frozen=True, slots=True)
class ActiveParameters:
    """What the units before a compressed data unit say about it.

    ``qp_density`` is None as long as no parameter set gave one, ``names`` without a topology unit
    that lists the names that indices refer to.
    """

    profile: int
    dialect: Dialect
    qp_density: int | None = None
    quantization_parameter: int = 0
    parent_signalling: bool = False
    names: tuple[str, ...] | None = None

    def after(self, unit: Unit) -> ActiveParameters:
        """Return what is in force after ``unit``."""
        values: Mapping[str, Any] = unit.values
        if unit.name == "MPS":
            enabled = bool(values["mps_parent_signalling_enabled_flag"])
            return replace(self, parent_signalling=enabled).quantized_by(values, "mps")
        if unit.name == "LPS":
            return self.quantized_by(values, "lps")
        if unit.name == "TPL":
            return replace(self, names=values["topology_elem_ids"])
        return self

    def quantized_by(self, values: Mapping[str, Any], prefix: str) -> ActiveParameters:
        """Return the same with the quantization parameters of a parameter set."""
        if not values[f"{prefix}_quantization_method_flags"] & QUANTIZED:
            return self
        return replace(
            self,
            qp_density=values[f"{prefix}_qp_density"],
            quantization_parameter=values[f"{prefix}_quantization_parameter"],
        )

    def require_quantization(self, unit: Unit) -> None:
        """Refuse quantized values without a density of quantization parameters."""
        if self.qp_density is None:
            raise NncMalformedError(
                "No parameter set gives the quantization parameters of the unit",
                position=at(unit, "nnr_compressed_data_unit_payload_type"),
                expected="a parameter set with uniform or codebook quantization before the unit",
                found="method flags without either",
                fix="set bit 0 or 1 of mps_quantization_method_flags",
            )


def active_parameters(stream: Stream) -> Iterator[tuple[Unit, ActiveParameters]]:
    """Yield each compressed data unit with what is in force there.

    Raises :class:`NncUnsupportedError` at a unit that may change those after it in unknown ways.
    """
    active = ActiveParameters(stream.profile, stream.interpretation.dialect)
    for unit in stream.units:
        if unit.name in {"QNT", "AGG"}:
            raise NncUnsupportedError(
                f"The stream has a unit of type {unit.name}",
                position=at(unit, "nnr_unit_type"),
                expected="parameter sets, topology units and compressed data units",
                found=unit.name,
                fix="this decoder knows no rule for what such a unit changes in those after it",
            )
        if unit.name == "NDU":
            yield unit, active
        active = active.after(unit)


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
