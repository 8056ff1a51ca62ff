"""What a metric is: configured once, fed batch by batch, asked for one measurement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

from conformance.metrics._arguments import Arg, check_arguments
from conformance.verdicts import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.float64]"
"""An array of float64."""

Values: TypeAlias = "Mapping[str, NDArray[Any]]"
"""The arrays of one batch by role; axis 0 of every array counts items."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The arrays a metric needs: outputs of the network, and what they are compared with."""

    predictions: tuple[str, ...] = ("prediction",)
    targets: tuple[str, ...] = ("target",)

    @property
    def all(self) -> tuple[str, ...]:
        """Every role, predictions first."""
        return (*self.predictions, *self.targets)


@dataclass(frozen=True, slots=True)
class About:
    """A metric kind in words, for the documentation.

    ``better`` is the direction in which values improve, ``statistics`` says what the per-item
    statistics are, ``library`` what computes the values.
    """

    summary: str
    inputs: str
    unit: str
    range: str
    better: Literal["higher", "lower"]
    statistics: str
    library: str


@dataclass(frozen=True, slots=True)
class Count:
    """What a metric kind counts, and the least number of it by which a value can be judged.

    Of fewer a value says nothing: any network is right about vectors of one class that it always
    names. ``of`` says what is counted, for the documentation.
    """

    noun: str
    least: int
    of: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """The value of a metric over ``items`` items.

    ``counted`` has, by noun, the numbers of what the kind counts (:attr:`Metric.counts`).
    ``statistics`` is a float64 array (items, k) with ``value == finish(statistics.sum(axis=0))``,
    or None where the metric is not a function of sums over items. ``details`` is JSON.
    """

    value: float
    items: int
    statistics: Floats | None = None
    details: Mapping[str, Json] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)


class Metric(ABC):
    """One kind of metric; an instance measures one network on one set of vectors.

    ``binary`` says that an item is either correct or not; then the statistics are two columns:
    1 if correct else 0, and 1. ``counts`` is what it counts in addition to items, of which one is
    enough; a kind that states nothing is judged on any number of them.
    """

    kind: ClassVar[str]
    about: ClassVar[About]
    roles: ClassVar[Roles] = Roles()
    arguments: ClassVar[tuple[Arg, ...]] = ()
    binary: ClassVar[bool] = False
    counts: ClassVar[tuple[Count, ...]] = ()

    @classmethod
    def configure(cls, args: Mapping[str, Json]) -> Self:
        """Return a metric with these arguments; ConformanceError if they do not fit."""
        return cls(**check_arguments(cls.kind, cls.arguments, args))

    @abstractmethod
    def update(self, values: Values) -> None:
        """Take in one batch; ConformanceError if the arrays do not fit the metric."""

    @abstractmethod
    def result(self) -> Measurement:
        """Return the measurement of all batches; ConformanceError if there was no item."""

    def finish(self, totals: Floats) -> Floats:  # noqa: ARG002
        """Return the values (...) of sums of statistics (..., k).

        A metric that is not additive keeps this, which raises TypeError.
        """
        raise TypeError(f"{self.kind} is not a function of sums over items")
