"""The objects of a TorchScript archive: which tensor is the attribute of which module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from conformance.runtimes.pytorch.literals import MAX_LISTED, loose, may_be_learned
from conformance.runtimes.pytorch.script_code import Code
from conformance.runtimes.pytorch.values import Global, Instance, Storage, Tensor, Value
from conformance.runtimes.roles import StoredTensor
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

MAX_OBJECTS = 100_000
_Path = tuple[str, ...]


@dataclass(slots=True)
class Objects:
    """What the stored objects hold; the storage of each tensor has the name of its member.

    ``registered`` are the tensors of a state dict by their name in it, ``kept`` all others of
    ``data.pkl``, ``constants`` those of the code, by the names that it has for them. ``places`` are
    all tensors of ``data.pkl``, a shared one at each of its places. ``literals`` are the numbers
    and strings in attributes, lists and dictionaries that are not sizes or messages.
    """

    registered: dict[str, Tensor] = field(default_factory=dict)
    kept: dict[str, Tensor] = field(default_factory=dict)
    places: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    literals: list[StoredTensor] = field(default_factory=list)

    @property
    def every(self) -> dict[str, Tensor]:
        """All tensors by name; those of a state dict come first."""
        return {**self.registered, **self.kept, **self.constants}

    def by_path(self) -> dict[str, list[str]]:
        """Return, for each path of attributes, the names of the tensors there, or inside it."""
        found: dict[str, list[str]] = {}
        for name in self.places:
            for end in (place for place, sign in enumerate(f"{name}.") if sign == "."):
                found.setdefault(name[:end], []).append(name)
        return found


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A value that is not a container; ``owner`` is the object that it is an attribute of.

    ``attribute`` leads to the attribute that it is, or is inside of.
    """

    path: _Path
    value: Value
    owner: Instance | None
    attribute: _Path


def read_objects(root: Value, constants: Value, code: Code, file: str) -> Objects:
    """Return what ``data.pkl`` and ``constants.pkl`` hold.

    Raises UnsupportedError for a root that is not a module and for values that are not data,
    MalformedError for an attribute that its class lacks or does not declare, LimitError for too
    many objects.
    """
    if not isinstance(root, Instance):
        raise _not_data("data.pkl", type(root).__name__, file)
    objects = Objects()
    known: dict[int, Tensor] = {}
    plain: dict[_Path, list[object]] = {}
    for leaf in _leaves(root, code, file):
        name = ".".join(leaf.path)
        if not isinstance(leaf.value, Tensor):
            plain.setdefault(leaf.attribute, []).append(leaf.value)
            continue
        if name in objects.places:
            raise _twice(name, file)
        objects.places[name] = known.setdefault(id(leaf.value), _in_folder("data", leaf.value))
        if leaf.owner is not None and leaf.path[-1] in code.registers(str(leaf.owner.kind)):
            objects.registered[name] = objects.places[name]
    objects.kept = {n: t for n, t in objects.places.items() if n not in objects.registered}
    for leaf in _leaves(constants, code, file):
        # The code calls its constants c0, c1 and so on.
        path = ("CONSTANTS", *(f"c{each}" for each in leaf.path[:1]), *leaf.path[1:])
        name = ".".join(path)
        if not isinstance(leaf.value, Tensor):
            plain.setdefault(path[:2], []).append(leaf.value)
        elif name in objects.places:
            raise _twice(name, file)
        else:
            objects.constants[name] = _in_folder("constants", leaf.value)
    objects.literals = [each for path, values in plain.items() for each in _literals(path, values)]
    return objects


def _literals(path: _Path, values: list[object]) -> Iterator[StoredTensor]:
    """Yield what of the plain values of one attribute is neither a size nor a message."""
    place = ".".join(path)
    numbers = [value for value in values if isinstance(value, bool | int | float | complex)]
    if len(numbers) > MAX_LISTED:
        yield loose(place, numbers)
        values = [value for value in values if isinstance(value, str)]
    yield from (loose(place, [value]) for value in values if may_be_learned(value))


def _in_folder(folder: str, tensor: Tensor) -> Tensor:
    return replace(tensor, storage=replace(tensor.storage, key=f"{folder}/{tensor.storage.key}"))


def _leaves(root: Value, code: Code, file: str) -> Iterator[_Leaf]:
    """Yield every value that is not a container.

    Nothing holds itself (the reader of pickles sees to it), but objects may be shared.
    """
    waiting = [_Leaf((), root, None, ())]
    for _ in range(MAX_OBJECTS):
        if not waiting:
            return
        leaf = waiting.pop()
        children = _children(leaf.value)
        if children is None:
            if isinstance(leaf.value, Global | Storage):
                raise _not_data(".".join(leaf.path), str(leaf.value), file)
            yield leaf
            continue
        holder = leaf.value if isinstance(leaf.value, Instance) else None
        if holder is not None:
            _check_attributes(leaf.path, holder, code, file)
        for key, child in reversed(children):
            path = (*leaf.path, key)
            waiting.append(_Leaf(path, child, holder, path if holder else leaf.attribute))
    raise LimitError(
        "the model holds too many objects",
        where=Location(file, element="data.pkl"),
        expected=f"at most {MAX_OBJECTS}",
        found="more",
        fix="Export a network with fewer modules and attributes.",
    )


def _check_attributes(path: _Path, instance: Instance, code: Code, file: str) -> None:
    """Compare the attributes of an object with those that its class declares."""
    declared = code.attributes.get(str(instance.kind), set())
    for name in sorted(declared ^ instance.state.keys()):
        missing = name in declared
        element = ".".join((*path, name))[:300]
        raise MalformedError(
            f"the model has no {element!r}, which its code declares"
            if missing
            else f"the model has {element!r}, which its code does not declare",
            where=Location(file, element=element),
            expected=f"the attributes of {instance.kind}: {', '.join(sorted(declared))}"[:400],
            found=", ".join(sorted(instance.state))[:400] or "none",
            fix="Save the model again with torch.jit.save.",
        )


def _children(value: Value) -> list[tuple[str, Value]] | None:
    if isinstance(value, Instance):
        return list(value.state.items())
    if isinstance(value, dict):
        return [(str(key), child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        return [(str(index), child) for index, child in enumerate(value)]
    return None


def _twice(name: str, file: str) -> MalformedError:
    return MalformedError(
        f"the model has two tensors at {name!r}",
        where=Location(file, element=name),
        expected="one value for each path of attributes",
        found="another one: an attribute has a dot in its name, or keys differ in type only",
        fix="Save the model again with torch.jit.save.",
    )


def _not_data(element: str, found: str, file: str) -> UnsupportedError:
    return UnsupportedError(
        "the archive does not hold a module with plain attributes",
        where=Location(file, element=element),
        expected="a module of tensors, modules, numbers, strings and lists of them",
        found=found,
        fix="Save the module itself with torch.jit.save.",
    )
