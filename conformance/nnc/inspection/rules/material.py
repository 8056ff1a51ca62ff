"""What rules look at: an examined file, its outline and broken constraints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.nnc.inspection.examination import DecodedTensor, Examination
from conformance.nnc.inspection.rules.outline import OutlinedUnit, outline
from conformance.nnc.stream import Unit
from conformance.nnc.syntax.constraints import BrokenConstraint, broken_constraints
from conformance.nnc.tensors import NduPlan


@dataclass(frozen=True, slots=True)
class Material:
    """A file, examined and outlined."""

    examination: Examination
    outline: tuple[OutlinedUnit, ...]
    broken_constraints: tuple[BrokenConstraint, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that could be read."""
        return self.examination.units

    @property
    def data_units(self) -> Iterator[Unit]:
        """The compressed data units that could be read."""
        return (unit for unit in self.units if unit.name == "NDU")

    @property
    def plans(self) -> tuple[NduPlan, ...]:
        """The plans of the data units whose tensors are known."""
        return self.examination.plans

    @property
    def tensors(self) -> tuple[DecodedTensor, ...]:
        """The tensors that could be decoded."""
        return self.examination.tensors

    @property
    def failed_unit(self) -> int | None:
        """The index of the unit whose tensors could not be decoded."""
        error = self.examination.payload_error
        return None if error is None else error.position.unit

    def unit_of(self, tensor: DecodedTensor) -> Unit:
        """Return the unit that holds a tensor."""
        return self.units[tensor.record.unit]


def material_of(examination: Examination) -> Material:
    """Return what rules look at in an examined file."""
    options = examination.options
    return Material(
        examination,
        tuple(outline(examination.data, options.limits.units)),
        tuple(broken_constraints(examination.units, options.interpretation)),
    )
