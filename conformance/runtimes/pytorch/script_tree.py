"""The objects of a TorchScript archive: which tensor is the attribute of which module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from conformance.runtimes.pytorch.outside import Outside
from conformance.runtimes.pytorch.script_code import Code, values_of
from conformance.runtimes.pytorch.values import Global, Instance, Storage, Tensor, Value
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

MAX_OBJECTS = 100_000
_Path = tuple[str, ...]


@dataclass(slots=True)
class Objects:
    """What the stored objects hold.

    ``registered`` are the tensors of a state dict by their name in it, ``loose`` the others.
    ``places`` are both, all tensors of ``data.pkl``, a shared one at each of its places;
    ``constants`` are those of the code. ``values`` counts the numbers and texts in lists and
    dictionaries.
    """

    registered: dict[str, Tensor] = field(default_factory=dict)
    loose: dict[str, Tensor] = field(default_factory=dict)
    places: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    values: int = 0

    @property
    def outside(self) -> list[Outside]:
        """Every tensor that is none of a state dict; two may have one name, from two pickles."""
        found = (*self.loose.items(), *self.constants.items())
        return [Outside(name, tensor) for name, tensor in found]

    def read_by(self, paths: Iterable[str]) -> set[object]:
        """Return the ``place`` of every tensor at these paths, or inside what is there."""
        wanted = set(paths)
        return {
            tensor.place
            for name, tensor in self.places.items()
            if any(".".join(part) in wanted for part in _beginnings(name.split(".")))
        }


def read_objects(root: Value, constants: Value, code: Code, file: str) -> Objects:
    """Return what ``data.pkl`` and ``constants.pkl`` hold.

    Raises UnsupportedError for a root that is no module and for values that are no data,
    MalformedError for an attribute that its class lacks or does not declare, LimitError for too
    many objects.
    """
    if not isinstance(root, Instance):
        raise _not_data("data.pkl", type(root).__name__, file)
    objects = Objects()
    for path, value, owner in _leaves(root, code, file):
        name = ".".join(path)
        if not isinstance(value, Tensor):
            objects.values += values_of(value)
            continue
        if name in objects.places:
            raise _twice(name, file)
        objects.places[name] = value
        if owner is not None and path[-1] in code.registers(str(owner.kind)):
            objects.registered[name] = value
    for path, value, _ in _leaves(constants, code, file, ("CONSTANTS",)):
        if isinstance(value, Tensor):
            objects.constants[".".join(path)] = value
        else:
            objects.values += values_of(value)
    named = set(map(id, objects.registered.values()))
    objects.loose = {n: t for n, t in objects.places.items() if id(t) not in named}
    return objects


def _beginnings(path: list[str]) -> Iterator[list[str]]:
    for length in range(1, len(path) + 1):
        yield path[:length]


def _leaves(
    root: Value, code: Code, file: str, start: _Path = ()
) -> Iterator[tuple[_Path, Value, Instance | None]]:
    """Yield every value that is no container, its path, and the object it is an attribute of.

    Nothing holds itself (the reader of pickles sees to it), but objects may be shared.
    """
    waiting: list[tuple[_Path, Value, Instance | None]] = [(start, root, None)]
    for _ in range(MAX_OBJECTS):
        if not waiting:
            return
        path, value, owner = waiting.pop()
        children = _children(value)
        if children is None:
            if isinstance(value, Global | Storage):
                raise _not_data(".".join(path), str(value), file)
            yield path, value, owner
            continue
        holder = value if isinstance(value, Instance) else None
        if holder is not None:
            _check_attributes(path, holder, code, file)
        waiting += [((*path, key), child, holder) for key, child in reversed(children)]
    raise LimitError(
        "the model holds too many objects",
        where=Location(file, element="data.pkl"),
        expected=f"at most {MAX_OBJECTS}",
        found="more",
        mend="Export a network with fewer modules and attributes.",
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
            mend="Save the model again with torch.jit.save.",
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
        mend="Save the model again with torch.jit.save.",
    )


def _not_data(element: str, found: str, file: str) -> UnsupportedError:
    return UnsupportedError(
        "the archive does not hold a module with plain attributes",
        where=Location(file, element=element),
        expected="a module whose attributes are tensors, modules, numbers, texts and lists of them",
        found=found,
        mend="Save the module itself with torch.jit.save.",
    )
