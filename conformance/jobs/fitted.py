"""Decoded tensors as parameters of the model: under the names and in the layout of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import final

import numpy as np

from conformance.jobs.context import Work
from conformance.jobs.layout import MisfitError, arranged
from conformance.jobs.uses import MOST_USES, overused
from conformance.submission.values import NameMapping, Sample
from conformance.tensorfiles import Array, DType, is_floating
from conformance.verdicts import ConformanceError, Location

_SHOWN = 20


def fitted_tensors(work: Work, tensors: Mapping[str, Array]) -> FittedTensors:
    """Return the tensors of the sample as its name map gives them; errors as FittedTensors."""
    pointer = f"{work.pointer_to(work.sample)}/name_map"
    return mapped_tensors(work, work.sample, tensors, work.sample.name_map, pointer)


def mapped_tensors(
    work: Work,
    sample: Sample,
    tensors: Mapping[str, Array],
    entries: Sequence[NameMapping],
    pointer: str,
) -> FittedTensors:
    """Return ``tensors`` of ``sample`` under the names of the model, rounded as it declares."""
    network = work.original()
    rounded: dict[str, DType] = {}
    if sample.dtype is not None:
        learned = {**network.parameters, **network.scalars}
        rounded = {n: a.dtype for n, a in learned.items() if a.dtype.name == sample.dtype}
    limit = work.limits.tensor_bytes
    return FittedTensors(tensors, entries, pointer, limit, network.aliases, rounded)


@final
class FittedTensors(Mapping[str, Array]):
    """The tensors of a sample as parameters; each made anew when it is asked for.

    ``pointer`` is the place of the name map. A tied parameter that comes under one of its
    ``aliases`` alone is given under its first name. Numbers for the parameters in ``rounded`` are
    rounded to that type, to nearest even. Raises ConformanceError where the map names no tensor
    of the sample, makes one parameter twice, or uses a tensor again and again.
    """

    def __init__(
        self,
        tensors: Mapping[str, Array],
        entries: Sequence[NameMapping],
        pointer: str,
        limit_bytes: int,
        aliases: Mapping[str, str] = MappingProxyType({}),
        rounded: Mapping[str, DType] = MappingProxyType({}),
    ) -> None:
        self._tensors = tensors
        self._pointer = pointer
        self._limit_bytes = limit_bytes
        self._rounded = rounded
        mapped = {name for entry in entries for name in entry.sample}
        own = {name: None for name in tensors if name not in mapped}
        _check(tensors, entries, own, pointer)
        _check_uses(entries, pointer)
        given = {*own, *(entry.model for entry in entries)}

        def first(name: str) -> str:
            known = aliases.get(name, name)
            return name if known in given else known

        self._own = {first(name): name for name in own}
        self._name_of = {tensor: name for name, tensor in self._own.items()}
        self._entries = {first(e.model): (index, e) for index, e in enumerate(entries)}

    def __getitem__(self, name: str) -> Array:
        if name in self._entries:
            return self._arranged(name, lambda source: self._tensors[source])
        return self._as_declared(name, self._tensors[self._own[name]])

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._entries

    def __len__(self) -> int:
        return len(self._own) + len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._entries

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the tensors of the sample that the parameter ``name`` is made of."""
        return self._entries[name][1].sample if name in self._entries else (self._own[name],)

    def is_renamed(self, name: str) -> bool:
        """Say whether the parameter ``name`` is one tensor, as it is but perhaps for its name."""
        if name in self._rounded:
            return False
        return name in self._own or self._entries[name][1].is_renaming

    def made_of(self, source: str) -> tuple[str, ...]:
        """Return the parameters that are made of the tensor ``source`` and of no other."""
        if source in self._name_of:
            return (self._name_of[source],)
        return tuple(name for name, (_, e) in self._entries.items() if e.sample == (source,))

    def made_of_several(self) -> tuple[str, ...]:
        """Return the parameters that several tensors are combined to."""
        return tuple(name for name, (_, e) in self._entries.items() if len(e.sample) > 1)

    def from_array(self, name: str, array: Array) -> Array:
        """Return the parameter ``name`` if ``array`` is the tensor that it is made of."""
        if name in self._entries:
            return self._arranged(name, lambda _: array)
        return self._as_declared(name, array)

    def _as_declared(self, name: str, array: Array) -> Array:
        wanted = self._rounded.get(name)
        if wanted is None or array.dtype == wanted or not is_floating(array.dtype):
            return array
        with np.errstate(over="ignore"):
            rounded: Array = array.astype(wanted)
        return rounded

    def _arranged(self, name: str, read: Callable[[str], Array]) -> Array:
        index, entry = self._entries[name]
        try:
            made = arranged(entry, [read(source) for source in entry.sample], self._limit_bytes)
            return self._as_declared(name, made)
        except MisfitError as misfit:
            raise ConformanceError(
                f"the layout given for {name!r} cannot be applied to {', '.join(entry.sample)}",
                where=Location("submission.json", pointer=f"{self._pointer}/{index}", element=name),
                expected="an entry of name_map that the shapes of its tensors allow",
                found=str(misfit),
                fix="correct the entry; docs/codecs.md says what is done in which order",
            ) from misfit


def _check(
    tensors: Mapping[str, Array],
    entries: Sequence[NameMapping],
    own: Mapping[str, None],
    pointer: str,
) -> None:
    unknown = sorted({name for entry in entries for name in entry.sample} - tensors.keys())
    made = Counter([*own, *(entry.model for entry in entries)])
    twice = [name for name, count in made.items() if count > 1]
    if not unknown and not twice:
        return
    found = (
        f"{_some(unknown)}, which the sample does not hold"
        if unknown
        else f"one name for two tensors: {_some(twice)}"
    )
    raise ConformanceError(
        "the name map does not fit the sample",
        where=Location("submission.json", pointer=pointer),
        expected=f"names of decoded tensors ({_some(sorted(tensors))}), and each parameter once",
        found=found,
        fix="correct the entries of name_map",
    )


def _check_uses(entries: Sequence[NameMapping], pointer: str) -> None:
    found = overused(entries)
    if found is None:
        return
    name, times = found
    raise ConformanceError(
        f"the name map uses tensor {name!r} again and again",
        where=Location("submission.json", pointer=pointer, element=name),
        expected=f"each tensor of the sample used at most {MOST_USES} times: what a parameter "
        "holds is in the sample's files, not in the metadata",
        found=f"{name!r} used {times:.4g} times",
        fix="store the parameters in the sample themselves; there are codecs that need few bits "
        "for values that repeat",
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
