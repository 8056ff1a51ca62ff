"""Which stored value every variable of a graph has.

TensorFlow 2 does not go by names. The graph's handles of variables are arguments of the signature's
function; the object graph in saved_model.pb says which object each of them is; and the object graph
in the checkpoint says, along the same attributes, under which key an object's value is stored. A
model of TensorFlow 1 has no objects: a variable's value is stored under its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.graphs import Reach, called, node_of
from conformance.runtimes.tensorflow.messages import message, parse
from conformance.runtimes.tensorflow.saved_model.checkpoint import Checkpoint
from conformance.verdicts import Location, UnsupportedError

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_LISTS = frozenset({"trackable_list_wrapper", "trackable_tuple_wrapper", "trackable_dict_wrapper"})


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: the name it was given, the key of its value, the handles in the graph.

    ``aliases`` are the other attributes that hold it, if several do: its weights are tied.
    """

    name: str
    key: str
    handles: tuple[str, ...]
    aliases: tuple[str, ...] = ()


def variables_of(
    meta_graph: Any, reached: Reach, checkpoint: Checkpoint, file: str, format: str
) -> tuple[Variable, ...]:
    """Return the variables that ``reached`` uses, each under its own name.

    Raises MalformedError for one without a stored value, UnsupportedError for one that is not an
    argument of the signature's function.
    """
    handles = [name for name, node in reached.nodes.items() if node.op == "VarHandleOp"]
    saved = meta_graph.object_graph_def
    paths: Mapping[str, Sequence[str]] = {}
    if not saved.nodes:
        found = {handle: (handle, handle) for handle in handles}
    else:
        objects = _objects_of(handles, saved, reached, file)
        walk = _Walk(saved, _stored_objects(checkpoint, format), file)
        found = {
            handle: (saved.nodes[place].variable.name, walk.keys.get(place, ""))
            for handle, place in objects.items()
        }
        paths = {handle: walk.paths(place) for handle, place in objects.items()}
    for handle, (name, key) in found.items():
        if key not in checkpoint.entries:
            raise damaged(
                checkpoint.file,
                f"the variable {name!r} has no stored value",
                element=key or name,
                expected="a value for every variable that the network uses",
                found=f"none for {handle!r}",
            )
    return tuple(_named(found, paths))


def plain_name(key: str) -> str:
    """Return the path of attributes that a key is."""
    return key.removesuffix(_SUFFIX)


def _named(
    found: Mapping[str, tuple[str, str]], paths: Mapping[str, Sequence[str]]
) -> Iterator[Variable]:
    """Yield variables under the names they were given; where two share one, under their paths."""
    by_key: dict[str, list[str]] = {}
    for handle, (_, key) in found.items():
        by_key.setdefault(key, []).append(handle)
    given = {key: found[handles[0]][0].removesuffix(":0") for key, handles in by_key.items()}
    every = list(given.values())
    for key, handles in by_key.items():
        own = bool(given[key]) and every.count(given[key]) == 1
        path = key if plain_name(key) in every else plain_name(key)
        name = given[key] if own else path
        every_path = {path for handle in handles for path in paths.get(handle, ())}
        tied = sorted(every_path - {name}) if len(every_path) > 1 else []
        yield Variable(name, key, tuple(handles), tuple(tied))


def _objects_of(handles: list[str], saved: Any, reached: Reach, file: str) -> dict[str, int]:
    """Return which object of the SavedModel every handle is: by the calls that take it."""
    found: dict[str, int] = {}
    for node in reached.nodes.values():
        for function in called(node):
            bound = list(saved.concrete_functions[function].bound_inputs)
            data = [each for each in node.input if not each.startswith("^")]
            first = max(0, len(data) - len(bound))
            for reference, place in zip(data[first:], bound, strict=False):
                name = node_of(reference)
                if name in handles and found.setdefault(name, place) != place:
                    _refuse_contradiction(name, file)
    for handle in handles:
        place = found.get(handle, -1)
        if not 0 <= place < len(saved.nodes) or not saved.nodes[place].HasField("variable"):
            raise UnsupportedError(
                f"the variable {handle!r} is not one of the objects of the model",
                where=Location(file, element=f"node {handle}"),
                expected="variables that the signature's function captures",
                found="a handle that no object stands for",
                fix="Export the model with tf.saved_model.save of TensorFlow 2.",
            )
    return found


def _refuse_contradiction(name: str, file: str) -> None:
    raise damaged(
        file,
        f"the variable {name!r} is two objects at once",
        element=f"node {name}",
        expected="one object for one variable",
        found="two calls that take it for different ones",
    )


def _stored_objects(checkpoint: Checkpoint, format: str) -> Any:
    """Return the object graph of the checkpoint."""
    if _OBJECTS not in checkpoint.entries:
        raise damaged(
            checkpoint.file,
            "the checkpoint does not say which value belongs to which variable",
            element=_OBJECTS,
            expected="the object graph that TensorFlow 2 stores",
            found="none",
        )
    kind = message("protobuf.trackable_object_graph", "TrackableObjectGraph", format)
    return parse(kind, checkpoint.text(_OBJECTS), checkpoint.file, _OBJECTS)


class _Walk:
    """Both graphs of objects walked together, along children of the same name.

    ``keys`` are those of the values of variables, by place among the objects of the SavedModel.
    """

    def __init__(self, saved: Any, stored: Any, file: str) -> None:
        self.keys: dict[int, str] = {}
        self._saved = saved
        self._path: dict[int, str] = {}
        self._holders: dict[int, list[tuple[int, str]]] = {}
        waiting = [(0, 0, "")]
        while waiting:
            place, other, path = waiting.pop()
            if not (0 <= place < len(saved.nodes) and 0 <= other < len(stored.nodes)):
                raise damaged(
                    file,
                    "the objects of the model refer to one that is not there",
                    element="object_graph_def",
                    expected=f"{len(saved.nodes)} and {len(stored.nodes)} objects",
                    found=f"objects {place} and {other}",
                )
            if place in self._path:
                continue
            self._path[place] = path
            for attribute in stored.nodes[other].attributes:
                if attribute.name == _VALUE:
                    self.keys[place] = attribute.checkpoint_key
            there = {child.local_name: child.node_id for child in stored.nodes[other].children}
            for child in saved.nodes[place].children:
                self._holders.setdefault(child.node_id, []).append((place, child.local_name))
                if child.local_name in there:
                    beyond = f"{path}/{child.local_name}".lstrip("/")
                    waiting.append((child.node_id, there[child.local_name], beyond))

    def paths(self, place: int) -> list[str]:
        """Return the attributes of objects that hold a variable; lists of all variables do not."""
        holders = self._holders.get(place, ())
        return [
            f"{self._path[holder]}/{name}".lstrip("/")
            for holder, name in holders
            if self._saved.nodes[holder].user_object.identifier not in _LISTS
        ]
