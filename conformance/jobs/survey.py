"""One look at every tensor of a sample, each decoded once: what it is, and how it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from conformance.jobs.facts import Facts, tensor_facts
from conformance.jobs.fitted import FittedTensors
from conformance.jobs.tensor_error import likeness, tensor_error
from conformance.runtimes import Network
from conformance.runtimes.fitting import holds, same_values
from conformance.tensorfiles import Array, tensor_digest
from conformance.verdicts import Json


@final
class Survey:
    """Facts about the tensors of a sample, about the parameters made of them, and their errors.

    ``tensors`` are by the sample's names; ``fitted``, ``errors`` and ``likeness`` by the model's.
    Errors are of parameters that the network has; ``other_types`` names those in whose type they do
    not fit, and ``other_values`` the topology that differs from the original's. ``converted`` has
    the digests of those that came in a different type, in the type of their parameter.
    """

    def __init__(
        self,
        mapped: FittedTensors,
        network: Network,
        stored_bits: Mapping[str, int],
    ) -> None:
        self._mapped = mapped
        self._stored = network.everything
        self._constants = network.constants
        self._stored_bits = stored_bits
        self._with_errors = False
        self.tensors: dict[str, Facts] = {}
        self.fitted: dict[str, Facts] = {}
        self.errors: dict[str, Json] = {}
        self.likeness: dict[str, dict[str, float]] = {}
        self.converted: dict[str, str] = {}
        self.other_types: set[str] = set()
        self.other_values: set[str] = set()

    def look_at(self, decoded: Mapping[str, Array], *, with_errors: bool) -> None:
        """Decode every tensor; those that are combined are decoded twice."""
        self._with_errors = with_errors
        for name in sorted(decoded):
            self._look_at_tensor(name, decoded[name])
        for name in self._mapped.made_of_several():
            self._keep(name, self._mapped[name])
        self._blame()

    def _look_at_tensor(self, name: str, array: Array) -> None:
        made = self._mapped.made_of(name)
        for parameter in made:
            self._keep(parameter, self._mapped.from_array(parameter, array))
        if len(made) == 1 and self._mapped.is_renamed(made[0]):
            self.tensors[name] = self.fitted[made[0]]
        else:
            self.tensors[name] = tensor_facts(array, None)

    def _blame(self) -> None:
        """Count values that are not finite in the sample's tensors as in the parameters they make.

        Where the original is not finite either is only known in the original's layout. Of several
        tensors those are blamed that are not finite themselves; all of them, if only their sum is
        not.
        """
        own = {name: facts["non_finite"] for name, facts in self.tensors.items()}
        counted: dict[str, int] = {}
        for parameter, facts in self.fitted.items():
            sources = dict.fromkeys(self._mapped.sources(parameter))
            for name in [each for each in sources if own[each]] or sources:
                counted[name] = counted.get(name, 0) + facts["non_finite"]
        for name, count in counted.items():
            self.tensors[name] = {**self.tensors[name], "non_finite": count}

    def _keep(self, parameter: str, array: Array) -> None:
        if parameter in self._constants:
            original = self._constants[parameter]
            self.fitted[parameter] = tensor_facts(array, original)
            if original.shape == array.shape and not same_values(original, array):
                self.other_values.add(parameter)
            return
        own = self._stored.get(parameter)
        self.fitted[parameter] = tensor_facts(array, own)
        if own is None:
            return
        if not holds(own.dtype, array):
            self.other_types.add(parameter)
        elif not self._with_errors and own.dtype != array.dtype and own.size == array.size:
            self.converted[parameter] = tensor_digest(array.astype(own.dtype).reshape(own.shape))
        if self._with_errors:
            self.errors[parameter] = tensor_error(array, own, self._bits_of(parameter))
            if (found := likeness(array, own)) is not None:
                self.likeness[parameter] = found

    def _bits_of(self, parameter: str) -> int | None:
        bits = [self._stored_bits.get(name) for name in self._mapped.sources(parameter)]
        known = [each for each in bits if each is not None]
        return sum(known) if len(known) == len(bits) else None
