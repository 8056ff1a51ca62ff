"""What the opcodes of a pickle do here: build plain values on a stack, and call nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from conformance.runtimes.pytorch.rebuilding import BUILDERS, Misfit, stored_in
from conformance.runtimes.pytorch.values import Global, Instance, Value, shown
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

MAX_DEPTH = 100
AGAIN = "Save the model again with PyTorch: the file is damaged or was edited."
_PROTOCOL = 2
_CLASSES = "__torch__"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pickle is: the file as displayed, its member, and whether it may have instances."""

    file: str
    member: str
    instances: bool = False

    def at(self, offset: int) -> Location:
        """Return the place of an opcode."""
        return Location(self.file, element=f"{self.member}: opcode at byte {offset}")


@dataclass(slots=True)
class Machine:
    """The stack and the memo of one pickle."""

    place: Place
    stack: list[Value] = field(default_factory=list)
    memo: dict[int, Value] = field(default_factory=dict)
    marks: list[int] = field(default_factory=list)
    depths: dict[int, int] = field(default_factory=dict)
    """Nesting of every container by its identity."""

    closed: set[int] = field(default_factory=set)
    """Containers that are part of another one, or at two places: they do not change any more."""

    kept: list[Value] = field(default_factory=list)
    """Every container, so that no other value ever gets its identity."""

    offset: int = 0

    @property
    def result(self) -> Value:
        """The one value that is left."""
        if len(self.stack) != 1:
            self.broken("one value at its end", f"{len(self.stack)} values")
        return self.stack[0]

    def step(self, name: str, argument: Any, offset: int) -> None:
        """Carry out one opcode."""
        self.offset = offset
        if name in _CONSTANTS:
            self.push(_CONSTANTS[name])
        elif name in _LITERALS:
            self.push(argument)
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise UnsupportedError(
                f"a pickle uses the opcode {name}, which PyTorch does not write for tensors",
                where=self.place.at(offset),
                expected="the opcodes of tensors in dictionaries and lists, protocol 2",
                found=name,
                fix="Save nothing but tensors, with the default protocol of PyTorch.",
            )

    def push(self, value: Value) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Value:
        """Take the last value off the stack; it must be there, above the last mark."""
        if not self.stack or (self.marks and len(self.stack) == self.marks[-1]):
            self.broken("a value to work on", "an empty stack")
        return self.stack.pop()

    def top(self) -> Value:
        """Return the last value and leave it there."""
        value = self.pop()
        self.stack.append(value)
        return value

    def pop_to_mark(self) -> list[Value]:
        """Take everything above the last mark, and the mark, off the stack."""
        if not self.marks:
            self.broken("a mark", "none")
        begin = self.marks.pop()
        values = self.stack[begin:]
        del self.stack[begin:]
        return values

    def nested(self, container: Value, values: Sequence[Value]) -> Value:
        """Return ``container`` after noting how deep it is now that it holds ``values``.

        What is part of another container is complete: no value can come to hold itself.
        """
        if id(container) in self.closed:
            self.broken("a list or dictionary that is filled when it is made", "a change to one")
        self.closed.update(id(value) for value in values if id(value) in self.depths)
        inner = max((self.depths.get(id(value), 0) for value in values), default=0)
        depth = max(self.depths.get(id(container), 1), inner + 1)
        if depth > MAX_DEPTH:
            raise LimitError(
                "a pickle nests its values too deeply",
                where=self.place.at(self.offset),
                expected=f"at most {MAX_DEPTH} levels",
                found="more",
                fix="Store the tensors in one dictionary.",
            )
        if id(container) not in self.depths:
            self.kept.append(container)
        self.depths[id(container)] = depth
        return container

    def broken(self, expected: str, found: str) -> NoReturn:
        """Raise MalformedError for the opcode at hand."""
        raise MalformedError(
            "a pickle is damaged",
            where=self.place.at(self.offset),
            expected=expected,
            found=found,
            fix=AGAIN,
        )

    def refuse(self, name: Value) -> NoReturn:
        """Raise UnsupportedError for a name that the pickle refers to."""
        raise UnsupportedError(
            f"a pickle refers to {shown(name)}, which is not part of a stored network",
            where=self.place.at(self.offset),
            expected="tensors, and the dictionaries, lists and plain values around them",
            found=shown(name),
            fix="Save the tensors only: for a state dict, torch.save(model.state_dict(), path).",
        )


def _protocol(reader: Machine, argument: Any) -> None:
    if argument != _PROTOCOL or reader.offset:
        reader.broken(f"protocol {_PROTOCOL} at byte 0", f"protocol {argument}")


def _global(reader: Machine, argument: Any) -> None:
    module, _, name = str(argument).partition(" ")
    known = Global(module, name)
    own = module.partition(".")[0] == _CLASSES and reader.place.instances
    if not (own or known in BUILDERS or module == "torch"):
        reader.refuse(known)
    reader.push(known)


def _get(reader: Machine, argument: Any) -> None:
    if argument not in reader.memo:
        reader.broken("a value that was put into the memo before", f"index {argument}")
    value = reader.memo[argument]
    if isinstance(value, list | dict | Instance):
        reader.closed.add(id(value))  # what is at two places changes at none: nothing holds itself
    reader.push(value)


def _put(reader: Machine, argument: Any) -> None:
    # A reader may keep a table as long as the largest index; PyTorch counts them up from 0.
    if argument > len(reader.memo):
        reader.broken(f"the memo's next index, {len(reader.memo)}", f"index {argument}")
    reader.memo[argument] = reader.top()


def _mark(reader: Machine, argument: Any) -> None:
    del argument
    reader.marks.append(len(reader.stack))


def _tuple(reader: Machine, argument: Any) -> None:
    del argument
    values = tuple(reader.pop_to_mark())
    # Python has one empty tuple only: its identity says nothing.
    reader.push(reader.nested(values, values) if values else values)


def _short_tuple(size: int) -> Callable[[Machine, Any], None]:
    def make(reader: Machine, argument: Any) -> None:
        del argument
        values = tuple(reversed([reader.pop() for _ in range(size)]))
        reader.push(reader.nested(values, values))

    return make


def _append(reader: Machine, argument: Any) -> None:
    del argument
    _extend(reader, [reader.pop()])


def _appends(reader: Machine, argument: Any) -> None:
    del argument
    _extend(reader, reader.pop_to_mark())


def _extend(reader: Machine, values: list[Value]) -> None:
    target = reader.top()
    if not isinstance(target, list):
        reader.broken("a list to append to", type(target).__name__)
    target.extend(values)
    reader.nested(target, values)


def _set_item(reader: Machine, argument: Any) -> None:
    del argument
    value = reader.pop()
    _set(reader, [reader.pop(), value])


def _set_items(reader: Machine, argument: Any) -> None:
    del argument
    _set(reader, reader.pop_to_mark())


def _set(reader: Machine, values: list[Value]) -> None:
    target = reader.top()
    keys = values[::2]
    plain = all(isinstance(key, str | int | float | bool) for key in keys)
    if not isinstance(target, dict) or len(values) % 2 or not plain:
        reader.broken("names and values for a dictionary", f"{len(values)} values")
    for key, value in zip(keys, values[1::2], strict=True):
        if key in target:
            reader.broken("each name once", f"{key!r} again")
        target[key] = value
    reader.nested(target, values[1::2])


def _new_list(reader: Machine, argument: Any) -> None:
    del argument
    reader.push(reader.nested([], ()))


def _new_dict(reader: Machine, argument: Any) -> None:
    del argument
    reader.push(reader.nested({}, ()))


def _new_object(reader: Machine, argument: Any) -> None:
    del argument
    arguments, kind = reader.pop(), reader.pop()
    if arguments != () or not isinstance(kind, Global) or kind.module.split(".")[0] != _CLASSES:
        reader.refuse(kind)
    reader.push(reader.nested(Instance(kind), ()))


def _build(reader: Machine, argument: Any) -> None:
    del argument
    state, target = reader.pop(), reader.top()
    if isinstance(target, dict) and isinstance(state, dict) and set(state) <= {"_metadata"}:
        return  # versions of modules, that PyTorch hangs on a state dict
    if not isinstance(target, Instance) or target.state:
        reader.broken("an object without a state", type(target).__name__)
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise UnsupportedError(
            f"an object of {target.kind} is stored in its own form",
            where=reader.place.at(reader.offset),
            expected="attributes by name",
            found="what a __getstate__ returned: loading it would run its __setstate__",
            fix="Export a network without quantised or packed modules, and without __setstate__.",
        )
    target.state = state
    reader.nested(target, list(state.values()))


def _persistent(reader: Machine, argument: Any) -> None:
    del argument
    try:
        reader.push(stored_in(reader.pop()))
    except Misfit as error:
        reader.broken("the place of a storage", str(error))


def _reduce(reader: Machine, argument: Any) -> None:
    del argument
    arguments, function = reader.pop(), reader.pop()
    if not isinstance(function, Global) or function not in BUILDERS:
        reader.refuse(function)
    if not isinstance(arguments, tuple):
        reader.broken("arguments", type(arguments).__name__)
    try:
        made = BUILDERS[function](*arguments)
    except (Misfit, TypeError) as error:
        reader.broken(f"what {function} takes", str(error)[:200])
    fresh = isinstance(made, list | dict) and id(made) not in reader.depths
    reader.push(reader.nested(made, ()) if fresh else made)


def _stop(reader: Machine, argument: Any) -> None:
    del argument
    if reader.marks:
        reader.broken("no open mark", f"{len(reader.marks)}")


_CONSTANTS: dict[str, Hashable] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_CONSTANTS |= {"EMPTY_TUPLE": ()}
_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"}
_ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    "PROTO": _protocol,
    "GLOBAL": _global,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MARK": _mark,
    "TUPLE": _tuple,
    "TUPLE1": _short_tuple(1),
    "TUPLE2": _short_tuple(2),
    "TUPLE3": _short_tuple(3),
    "APPEND": _append,
    "APPENDS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "EMPTY_LIST": _new_list,
    "EMPTY_DICT": _new_dict,
    "NEWOBJ": _new_object,
    "BUILD": _build,
    "BINPERSID": _persistent,
    "REDUCE": _reduce,
    "STOP": _stop,
}
