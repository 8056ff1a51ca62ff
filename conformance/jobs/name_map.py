"""Name maps: decoded tensors become parameters under the names and in the layout of the model.

Frameworks store one network differently: kernels are HWIO or OIHW, the gates of an LSTM stand in
another order, two biases are fused to one. An entry of a ``name_map`` says what to do to tensors to
make a parameter of them; a tensor may be used a few times only, so that what a sample holds is in
its files and not in the metadata.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import final

import numpy as np

from conformance.jobs.stored_network import StoredNetwork
from conformance.plan.requests import PartSpec
from conformance.runtimes import Network
from conformance.submission.values import (
    Combination,
    GatePermutation,
    NameMapping,
    Padding,
    Slice,
)
from conformance.tensorfiles import Array, DType, is_floating
from conformance.verdicts import ConformanceError, Location

_SHOWN = 20


def fitted_tensors(
    part: PartSpec,
    tensors: Mapping[str, Array],
    network: Network | StoredNetwork,
    pointer: str,
    limit_bytes: int,
    entries: Sequence[NameMapping] | None = None,
) -> FittedTensors:
    """Return the tensors of a part under the names of the model, rounded as it declares.

    ``entries`` are those of its name map, at ``pointer``, that are used, all if None. Errors as
    FittedTensors.
    """
    rounded: dict[str, DType] = {}
    if part.dtype is not None:
        learned = {**network.parameters, **network.scalars}
        rounded = {n: a.dtype for n, a in learned.items() if a.dtype.name == part.dtype}
    used = part.name_map if entries is None else entries
    return FittedTensors(tensors, used, pointer, limit_bytes, network.aliases, rounded)


@final
class FittedTensors(Mapping[str, Array]):
    """The tensors of a sample as parameters; each made anew when it is asked for.

    ``sources`` are the tensors of the sample that each parameter is made of, and ``renamed`` the
    parameters that are one tensor, as it is but for its name.

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
        self._entries = {first(e.model): (index, e) for index, e in enumerate(entries)}
        self.sources: Mapping[str, tuple[str, ...]] = {
            **{name: (source,) for name, source in self._own.items()},
            **{name: entry.sample for name, (_, entry) in self._entries.items()},
        }
        renaming = {name for name, (_, entry) in self._entries.items() if entry.is_renaming}
        self.renamed = frozenset({*self._own, *renaming} - rounded.keys())

    def __getitem__(self, name: str) -> Array:
        if name in self._entries:
            return self._arranged(name)
        return self._as_declared(name, self._tensors[self._own[name]])

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._entries

    def __len__(self) -> int:
        return len(self._own) + len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._entries

    def _as_declared(self, name: str, array: Array) -> Array:
        wanted = self._rounded.get(name)
        if wanted is None or array.dtype == wanted or not is_floating(array.dtype):
            return array
        with np.errstate(over="ignore"):
            rounded: Array = array.astype(wanted)
        return rounded

    def _arranged(self, name: str) -> Array:
        index, entry = self._entries[name]
        try:
            arrays = [self._tensors[source] for source in entry.sample]
            made = arranged(entry, arrays, self._limit_bytes)
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


class MisfitError(Exception):
    """An entry cannot be applied to the tensors it names; the text says what cannot."""


def arranged(entry: NameMapping, arrays: Sequence[Array], limit_bytes: int) -> Array:
    """Return the parameter that ``entry`` makes of its tensors, in their element type.

    Raises MisfitError if their shapes do not allow it, or if it would take more than
    ``limit_bytes``.
    """
    if entry.combine is None and len(arrays) > 1:
        raise MisfitError(f"{len(arrays)} tensors, and no combine")
    try:
        return _arranged(entry, arrays, limit_bytes)
    except (ValueError, TypeError, OverflowError) as error:
        # Sizes and numbers of axes that no array can have, and types that cannot be added.
        shapes = [list(array.shape) for array in arrays]
        raise MisfitError(f"{str(error)[:200]} (shapes {shapes})") from error


def _arranged(entry: NameMapping, arrays: Sequence[Array], limit_bytes: int) -> Array:
    parts = [_each(entry, array) for array in arrays]
    whole = parts[0] if entry.combine is None else _combined(entry.combine, parts, limit_bytes)
    return whole if entry.pad is None else _padded(entry.pad, whole, limit_bytes)


def _each(entry: NameMapping, array: Array) -> Array:
    if entry.slice is not None:
        array = _sliced(entry.slice, array)
    if entry.permute_gates is not None:
        array = _gates_permuted(entry.permute_gates, array)
    if entry.transpose is not None:
        if sorted(entry.transpose) != list(range(array.ndim)):
            raise MisfitError(f"transpose {list(entry.transpose)} of shape {list(array.shape)}")
        array = array.transpose(entry.transpose)
    if entry.reshape is not None:
        if math.prod(entry.reshape) != array.size:
            raise MisfitError(f"reshape {list(entry.reshape)} of shape {list(array.shape)}")
        array = array.reshape(entry.reshape)
    return array


def _sliced(cut: Slice, array: Array) -> Array:
    if cut.axis >= array.ndim or not cut.begin < cut.end <= array.shape[cut.axis]:
        raise MisfitError(
            f"slice from {cut.begin} to {cut.end} of axis {cut.axis} of shape {list(array.shape)}"
        )
    return array[(slice(None),) * cut.axis + (slice(cut.begin, cut.end),)]


def _gates_permuted(gates: GatePermutation, array: Array) -> Array:
    count = len(gates.source)
    distinct = len(set(gates.source)) == count and sorted(gates.source) == sorted(gates.target)
    if not distinct or gates.axis >= array.ndim or array.shape[gates.axis] % count:
        raise MisfitError(
            f"permute_gates {gates.source!r} to {gates.target!r} along axis {gates.axis} "
            f"of shape {list(array.shape)}"
        )
    blocks = np.split(array, count, axis=gates.axis)
    return np.concatenate([blocks[gates.source.index(gate)] for gate in gates.target], gates.axis)


def _combined(combination: Combination, parts: Sequence[Array], limit_bytes: int) -> Array:
    shapes = [list(part.shape) for part in parts]
    if sum(part.nbytes for part in parts) > limit_bytes:
        raise MisfitError(f"{combination.how} of shapes {shapes}: more than {limit_bytes} bytes")
    if len({part.dtype.name for part in parts}) > 1:
        raise MisfitError(f"{combination.how} of {', '.join(part.dtype.name for part in parts)}")
    if combination.how == "concatenate":
        try:
            return np.concatenate(parts, axis=combination.axis)
        except ValueError as error:
            raise MisfitError(f"concatenate of shapes {shapes}: {error}") from error
    if len({part.shape for part in parts}) > 1:
        raise MisfitError(f"add of shapes {shapes}")
    total = parts[0]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite shows in the facts
        for part in parts[1:]:
            total = np.add(total, part, dtype=total.dtype)
    return total


def _padded(pad: Padding, array: Array, limit_bytes: int) -> Array:
    if pad.axis >= array.ndim:
        raise MisfitError(f"pad of axis {pad.axis} of shape {list(array.shape)}")
    shape = list(array.shape)
    shape[pad.axis] += pad.before + pad.after
    if math.prod(shape) * array.dtype.itemsize > limit_bytes:
        raise MisfitError(f"pad to shape {shape}: more than {limit_bytes} bytes")
    whole: Array = np.zeros(shape, array.dtype)
    inside = slice(pad.before, pad.before + array.shape[pad.axis])
    whole[(slice(None),) * pad.axis + (inside,)] = array
    return whole


MOST_USES = 4
"""Times that a tensor may be used in all: tied parameters are mostly two."""


@dataclass(slots=True)
class _Uses:
    """Uses of one tensor: as a whole, and the indices that slices take along each axis."""

    wholes: int = 0
    taken: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    ends: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, cut: Slice | None) -> None:
        if cut is None:
            self.wholes += 1
            return
        self.taken[cut.axis] += max(cut.end - cut.begin, 0)
        self.ends[cut.axis] = max(self.ends[cut.axis], cut.end)

    @property
    def times(self) -> float:
        """How often each value is used on average, at least: an axis is as long as its last end."""
        sliced = (count / max(self.ends[axis], 1) for axis, count in self.taken.items())
        return self.wholes + sum(sliced)


def overused(entries: Sequence[NameMapping]) -> tuple[str, float] | None:
    """Return the tensor that ``entries`` use most, and how often, if that is too often."""
    uses: dict[str, _Uses] = defaultdict(_Uses)
    for name, cut in _uses_in(entries):
        uses[name].add(cut)
    most = max(uses.items(), key=lambda item: item[1].times, default=None)
    return (most[0], most[1].times) if most and most[1].times > MOST_USES else None


def _uses_in(entries: Iterable[NameMapping]) -> Iterable[tuple[str, Slice | None]]:
    return ((name, entry.slice) for entry in entries for name in entry.sample)
