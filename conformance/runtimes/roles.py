"""What a stored tensor is to its network, in every format: a parameter, a scalar, or topology.

A sample must bring what a network has learned, and nothing that an exporter wrote down to make
the graph compute. The two lie side by side in every format, and where an exporter puts a tensor
(an initializer, a Constant node, an attribute, a buffer) says nothing about it: what it is follows
from its element type, its number of elements, and how operators read it.

- A *parameter* must be in every sample: real or complex numbers, two or more; and integers, two
  or more, that a quantised operator reads as weight, bias or zero point, or that are the rows of an
  embedding. In a network that has none of these, its single numbers are its parameters.
- A *scalar* may be in a sample, with any value: every other single number of these types (a bias of
  shape [1], a slope, a temperature, an epsilon, the zero point of a whole tensor).
- *Topology* may be in a sample, with the values of the original: strings, truth values, all other
  integers; what says how to shape, slice, pad, resize, clip or encode; masks of real numbers; and
  tensors without elements.

A format supplies a :class:`StoredTensor` for each, with its :class:`Use`; :class:`Inventory` sorts
them, and says whether a sample leaves too much of the original in place::

    inventory = Inventory(tensors, file="net.onnx")
    inventory.parameters["fc.weight"]
    inventory.check_replaceable()
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar, final

import numpy as np

from conformance.runtimes._protocol import Array, Counts, Unread
from conformance.runtimes.dtypes import DType, is_floating, packed_bytes
from conformance.verdicts import Location, UnsupportedError

_FEWEST_ALLOWED = 96
"""What any graph may hold: a table of a few hundred regular indices has about as much content."""

_FEWEST_WEIGHTS = 16
_MOST_SHOWN = 10
_MASKED = -1e4
_CHUNK = 1 << 20

_Value = TypeVar("_Value")


class Role(StrEnum):
    """What a stored tensor is to its network."""

    PARAMETER = "parameter"
    SCALAR = "scalar"
    TOPOLOGY = "topology"


class Use(StrEnum):
    """How an operator reads a tensor."""

    QUANTISED = "quantised"
    """As weight, bias or zero point of a quantised operator, or of DequantizeLinear."""

    LOOKUP = "look-up"
    """As the rows among which an embedding looks up: indices of it are computed."""

    OPERAND = "operand"
    """As what says how to shape, slice, reshape, pad, resize, range, clip or one-hot encode."""

    VALUE = "value"
    """In any other way: as numbers that results are computed from."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that a model stores, unread.

    ``name`` is what a sample calls it, ``place`` where it is in the file, for messages. ``values``
    reads it. ``uses`` are those of all operators that read it, also through others that only
    rearrange it (see :func:`traced_uses`); empty if nothing does. ``is_needed`` says whether an
    output depends on it, ``is_replaceable`` whether a sample's tensor can take its place.
    """

    name: str
    place: str
    dtype: DType
    shape: tuple[int, ...]
    values: Callable[[], Array] = field(compare=False)
    uses: frozenset[Use] = frozenset()
    is_needed: bool = True
    is_replaceable: bool = True

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def traced_uses(
    direct: Mapping[str, Collection[Use]], passed: Iterable[tuple[str, str]]
) -> dict[str, frozenset[Use]]:
    """Return how the elements of each value are used, by its name.

    ``direct`` are the uses that operators make of a value; ``passed`` are pairs (input, output) of
    operators that hand on the elements as they are: Identity, Reshape, Transpose, Slice, Concat,
    Cast, Unsqueeze, Expand and their like. Cycles are allowed; time is linear in the pairs.
    """
    sources: dict[str, list[str]] = {}
    for source, result in passed:
        sources.setdefault(result, []).append(source)
    uses = {name: set(found) for name, found in direct.items()}
    waiting = list(uses)
    while waiting:
        name = waiting.pop()
        for source in sources.get(name, ()):
            known = uses.setdefault(source, set())
            if not uses[name] <= known:
                known |= uses[name]
                waiting.append(source)
    return {name: frozenset(found) for name, found in uses.items()}


def roles_of(tensors: Sequence[StoredTensor]) -> dict[str, Role]:
    """Return the role of each tensor, by name: the one place where this is decided."""
    roles = {tensor.name: _role(tensor) for tensor in tensors}
    if Role.PARAMETER not in roles.values():
        scalars = [name for name, role in roles.items() if role is Role.SCALAR]
        roles.update(dict.fromkeys(scalars, Role.PARAMETER))
    return roles


@final
class Inventory:
    """The stored tensors of one network, sorted by role.

    ``aliases`` are further names of tied parameters, each with the name that ``tensors`` has.
    ``loose`` is what the graph holds and no sample can bring (long attributes, numbers in code);
    their roles do not matter. ``operators`` counts those of the graph.
    """

    def __init__(
        self,
        tensors: Sequence[StoredTensor],
        *,
        file: str,
        aliases: Mapping[str, str] | None = None,
        loose: Sequence[StoredTensor] = (),
        operators: int = 0,
    ) -> None:
        self.file = file
        self.aliases: Mapping[str, str] = dict(aliases or {})
        self.roles: Mapping[str, Role] = roles_of(tensors)
        self._tensors = {tensor.name: tensor for tensor in tensors}
        self._loose = tuple(loose)
        self._operators = operators
        self.parameters: Mapping[str, Array] = self._only(Role.PARAMETER)
        self.scalars: Mapping[str, Array] = self._only(Role.SCALAR)
        self.constants: Mapping[str, Array] = self._only(Role.TOPOLOGY)
        self.everything: Mapping[str, Array] = self._read_late(
            name for name, each in self._tensors.items() if each.dtype.kind not in "OUS"
        )

    @property
    def topology_bytes(self) -> int:
        """Bytes of the topology that outputs depend on, without strings."""
        return sum(
            tensor.elements * tensor.dtype.itemsize
            for name, tensor in self._tensors.items()
            if self.roles[name] is Role.TOPOLOGY and tensor.is_needed and name in self.everything
        )

    @property
    def used_bytes(self) -> int:
        """Bytes of the parameters that outputs depend on."""
        used = (self._tensors[name] for name in self.parameters)
        return sum(packed_bytes(each.dtype, each.elements) for each in used if each.is_needed)

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that no output depends on."""
        return tuple(name for name in self.parameters if not self._tensors[name].is_needed)

    @property
    def counts(self) -> Counts:
        """Elements of all tensors of each role, whether a sample can bring them or not."""
        found, unused = dict.fromkeys(Role, 0), 0
        for name, tensor in self._tensors.items():
            if self.roles[name] is Role.PARAMETER and not tensor.is_needed:
                unused += tensor.elements
            else:
                found[self.roles[name]] += tensor.elements
        return Counts(found[Role.PARAMETER], found[Role.SCALAR], found[Role.TOPOLOGY], unused)

    def unread(self) -> Iterator[Unread]:
        """Yield the tensors that no output depends on, but for parameters that samples bring."""
        for name, tensor in self._tensors.items():
            if not tensor.is_needed and name not in self.parameters and tensor.elements:
                is_text = tensor.dtype.kind in "OUS"
                size = (
                    len(_bytes_of(tensor.values()))
                    if is_text
                    else packed_bytes(tensor.dtype, tensor.elements)
                )
                yield Unread(self.file, f"{tensor.place}, which no output depends on", size)

    def stored(self, name: str) -> StoredTensor:
        """Return one tensor by its name."""
        return self._tensors[name]

    def can_bring(self, name: str) -> bool:
        """Return whether a sample can have the tensor ``name``: strings stay in the graph."""
        tensor = self._tensors[name]
        return tensor.is_replaceable and tensor.dtype.kind not in "OUS"

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if a sample would leave too much of the original in place.

        That is so if parameters cannot be replaced, and if what a sample need not bring holds more
        than a graph needs for shapes, axes and scalars: weights can be hidden as integers, masks
        and strings, or in many small pieces. What counts is content (see :func:`content_of`), equal
        tensors once, in proportion to the parameters that outputs depend on: any number of others
        could be stored to be allowed more.
        """
        every = self._tensors.values()
        learned = [t for t in every if self.roles[t.name] is Role.PARAMETER]
        used = sum(t.elements for t in learned if t.is_needed and t.is_replaceable)
        stuck = [t for t in learned if not t.is_replaceable and t.elements >= _FEWEST_WEIGHTS]
        if stuck:
            found = [(t.place, f"{t.elements} elements") for t in stuck]
            raise _unreachable(found, self.file, "parameters that a sample can bring")
        left = [
            t for t in every if self.roles[t.name] is not Role.PARAMETER or not t.is_replaceable
        ]
        allowed = allowed_content(used, self._operators)
        counted = list(_contents([*left, *self._loose], allowed))
        total = sum(content for _, content in counted)
        if total > allowed:
            counted.sort(key=lambda each: -each[1])
            found = [(t.place, f"{content} of content") for t, content in counted if content]
            expected = f"content of at most {allowed} outside the parameters"
            raise _unreachable(found, self.file, expected, f"{total} in all: ")

    def _only(self, role: Role) -> Mapping[str, Array]:
        return self._read_late(
            name for name in self._tensors if self.roles[name] is role and self.can_bring(name)
        )

    def _read_late(self, names: Iterable[str]) -> Mapping[str, Array]:
        return MadeLate(names, lambda name: self._tensors[name].values())


def allowed_content(parameters: int, operators: int) -> int:
    """Return how much content a network may hold that a sample does not replace.

    ``parameters`` counts the elements of the parameters that outputs depend on. A tenth of them,
    but no more than 8192 and a thousandth; and for each of the graph's ``operators`` one, as far as
    that is no more than another tenth. In any case 96.
    """
    share = min(parameters // 10, 8192 + parameters // 1000)
    return max(_FEWEST_ALLOWED, share + min(operators, parameters // 10))


def content_of(values: Array, enough: int) -> int:
    """Return how much an array holds: its elements, or its bytes after zlib if those are fewer.

    Each byte of a string is an element; of two distinct numbers one is true and the other false.
    Whatever is beyond ``enough`` is not counted to the end.
    """
    is_text = values.dtype.kind in "OUS"
    if not is_text and _has_two_values(values):
        values = values == values.max()
    data = _bytes_of(values)
    elements = len(data) if is_text else values.size
    packer, size = zlib.compressobj(9), 0
    for begin in range(0, len(data), _CHUNK):
        size += len(packer.compress(data[begin : begin + _CHUNK]))
        if size > enough:
            return min(elements, size)
    return min(elements, size + len(packer.flush()))


def _role(tensor: StoredTensor) -> Role:
    if tensor.elements == 0:
        return Role.TOPOLOGY
    number = is_floating(tensor.dtype) or tensor.dtype.kind == "c"
    integer = not number and tensor.dtype.kind not in "OUSb"
    if not (number or (integer and tensor.uses & {Use.QUANTISED, Use.LOOKUP})):
        return Role.TOPOLOGY
    if number and tensor.uses == {Use.OPERAND}:
        return Role.TOPOLOGY
    if tensor.elements == 1:
        return Role.SCALAR
    return Role.TOPOLOGY if number and _is_mask(tensor) else Role.PARAMETER


def _is_mask(tensor: StoredTensor) -> bool:
    """Return whether a tensor holds at most two distinct values, one of which masks out."""
    if not is_floating(tensor.dtype):
        return False
    values = tensor.values().reshape(-1)
    # Weights differ within their first elements: few are read to the end.
    if not _has_two_values(values[:64]):
        return False
    return bool(values.min() <= _MASKED and values.max() < np.inf) and _has_two_values(values)


def _has_two_values(values: Array) -> bool:
    return bool(np.all((values == values.min()) | (values == values.max())))


def _contents(tensors: Iterable[StoredTensor], enough: int) -> Iterator[tuple[StoredTensor, int]]:
    """Yield the tensors that are counted, with their content: of equal ones the first."""
    seen: set[tuple[str, bytes]] = set()
    for tensor in tensors:
        if not tensor.elements:
            # An empty tensor has no values, but its sizes are numbers that a graph can read.
            yield tensor, len(tensor.shape)
            continue
        values = tensor.values()
        key = (values.dtype.name, hashlib.sha256(_bytes_of(values)).digest())
        if key not in seen:
            seen.add(key)
            yield tensor, content_of(values, enough)


def _bytes_of(values: Array) -> bytes | memoryview:
    if values.dtype.kind in "OUS":
        return b"\0".join(
            text if isinstance(text, bytes) else str(text).encode(errors="surrogatepass")
            for text in values.reshape(-1).tolist()
        )
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _unreachable(
    found: Sequence[tuple[str, str]], file: str, expected: str, prefix: str = ""
) -> UnsupportedError:
    shown = [f"{place} ({what})" for place, what in found[:_MOST_SHOWN]]
    shown += [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
    return UnsupportedError(
        "the model stores parameters where a sample's cannot take their place",
        where=Location(file=file, element=found[0][0] if found else None),
        expected=expected,
        found=prefix + "; ".join(shown),
        fix="Export the model with its parameters as real numbers in parameters, variables or "
        "initializers, not frozen into the graph; or submit the sample as a whole model.",
    )


@final
class MadeLate(Mapping[str, _Value], Generic[_Value]):
    """Values by name, each made by ``make`` whenever it is asked for, and not kept."""

    def __init__(self, names: Iterable[str], make: Callable[[str], _Value]) -> None:
        self._names = dict.fromkeys(names)
        self._make = make

    def __getitem__(self, name: str) -> _Value:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names
