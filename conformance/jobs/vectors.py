"""Read reference vectors shard by shard, checked against what is declared of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.jobs.context import METADATA, TaskContext
from conformance.jobs.repeats import Repeats
from conformance.plan.requests import FileRef, ShardSpec, VectorsRequest, VectorsSpec
from conformance.plan.results import VectorsResult
from conformance.runtimes import ANY_DTYPE, ANY_SHAPE, PortInfo
from conformance.submission.values import Port
from conformance.tensorfiles import Array, open_tensors, write_tensors
from conformance.verdicts import ConformanceError, Json, Location

ITEMS = "items.safetensors"
FIRST = "first"

Task = TaskContext[Any]


@dataclass(frozen=True, slots=True)
class ShardArrays:
    """The arrays of one shard by name; ``sources`` tells the file each output came from."""

    index: int
    items: int
    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    outputs: Mapping[str, Array]
    sources: Mapping[str, str]


def read_vectors(task: TaskContext[VectorsRequest]) -> VectorsResult:
    """Read every array of a vector set; return how many items differ, and what is declared.

    Which items are identical is kept. Raises ConformanceError where arrays are not as declared.
    """
    opened, vectors = task.result("model"), task.asked.vectors
    ports = ports_of(opened, "inputs")
    names = [port.name for port in ports], [port.name for port in ports_of(opened, "outputs")]
    repeats = Repeats(batched=vectors.batched)
    declared: list[str] | None = None
    for shard in read_shards(task, vectors, *names):
        check_untold(ports, task.asked.inputs, shard.inputs, "inputs")
        declared = sorted(shard.outputs) if declared is None else declared
        _require_outputs(declared, shard)
        repeats.add(shard.inputs, shard.items)
    first = repeats.first()
    write_tensors(task.out / ITEMS, {FIRST: first})
    return VectorsResult(len(set(first.tolist())), tuple(declared or ()))


def first_of_identical(task: Task) -> Array:
    """Return for each item the index of the first one identical with it, as it was kept."""
    path = task.results["vectors"] / ITEMS
    with open_tensors(path, display=ITEMS, limit_bytes=task.limits.memory_bytes) as held:
        return held[FIRST]


def ports_of(opened: Mapping[str, Json], side: str) -> tuple[PortInfo, ...]:
    """Return the inputs or outputs of a network that was opened."""
    return tuple(
        PortInfo(port["name"], port["dtype"], tuple(port["shape"])) for port in opened[side]
    )


def first_items(shard: ShardArrays, most: int, *, batched: bool) -> ShardArrays:
    """Return copies of at most so many items of a shard's inputs; unbatched it is one item."""
    items = min(shard.items, most) if batched else shard.items
    inputs = {
        name: np.array(array[:items] if batched else array) for name, array in shard.inputs.items()
    }
    return replace(shard, items=items, inputs=inputs, targets={}, outputs={}, sources={})


def read_shards(
    task: Task, vectors: VectorsSpec, inputs: Sequence[str], outputs: Sequence[str]
) -> Iterator[ShardArrays]:
    """Yield every shard in turn; only one is held in memory.

    ``inputs`` and ``outputs`` are the names the network has, in its order: they name unnamed
    arrays, and every one of the inputs must be there, if a shard has any. Raises
    :class:`~conformance.verdicts.ConformanceError` where a file, a name or the number of items is
    not as declared.
    """
    for index, shard in enumerate(vectors.shards):
        with ExitStack() as stack:
            given = _arrays(task, shard.inputs, inputs, stack)
            if shard.inputs:
                _require_names(task, index, shard.inputs, given, inputs)
            targets = _arrays(task, shard.targets, (), stack)
            expected = _arrays(task, shard.outputs, outputs, stack)
            _refuse_unknown(task, index, shard.outputs, expected, outputs)
            if vectors.batched:
                _require_items(shard, [given, targets, expected])
            yield ShardArrays(
                index=index,
                items=shard.items,
                inputs={name: array for name, (array, _) in given.items()},
                targets={name: array for name, (array, _) in targets.items()},
                outputs={name: array for name, (array, _) in expected.items()},
                sources={name: file for name, (_, file) in expected.items()},
            )


_Named = dict[str, tuple[Array, str]]


def _arrays(task: Task, files: Sequence[FileRef], names: Sequence[str], stack: ExitStack) -> _Named:
    """Return every array of some files, with the file it is in."""
    arrays: _Named = {}
    for position, file in enumerate(files):
        path, display = task.path(file), task.display(file)
        opened = open_tensors(path, display=display, limit_bytes=task.limits.tensor_bytes)
        held = stack.enter_context(opened)
        for stored in held:
            name = stored or (names[position] if position < len(names) else f"#{position}")
            if name in arrays:
                raise ConformanceError(
                    f"the array {name!r} is there twice",
                    where=Location(display, element=name),
                    expected="one array of each name in a shard",
                    found=f"another one in {arrays[name][1]}",
                    fix="keep one of them",
                )
            arrays[name] = held[stored], display
    return arrays


def _require_names(
    task: Task, index: int, files: Sequence[FileRef], given: _Named, names: Sequence[str]
) -> None:
    if set(given) != set(names):
        raise ConformanceError(
            f"shard {index} of vectors '{task.id('vectors')}' does not hold the network's inputs",
            where=Location(task.display(files[0])),
            expected=", ".join(sorted(names)),
            found=", ".join(sorted(given)) or "no arrays",
            fix="name the arrays like the inputs of the network, one for each",
        )


def _refuse_unknown(
    task: Task, index: int, files: Sequence[FileRef], given: _Named, names: Sequence[str]
) -> None:
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ConformanceError(
            f"shard {index} of vectors '{task.id('vectors')}' declares outputs that the network "
            "lacks",
            where=Location(task.display(files[0]), element=unknown[0]),
            expected=f"some of {', '.join(sorted(names))}",
            found=", ".join(unknown),
            fix="name the arrays like the outputs of the network",
        )


def _require_items(shard: ShardSpec, groups: Sequence[_Named]) -> None:
    for group in groups:
        for name, (array, file) in group.items():
            items = array.shape[0] if array.ndim else None
            if items != shard.items:
                raise ConformanceError(
                    f"the array {name!r} does not hold the declared number of items",
                    where=Location(file, element=name),
                    expected=f"{shard.items} items along axis 0",
                    found=f"shape {tuple(array.shape)}",
                    fix="correct the shard's items, submit the whole array, or declare "
                    '"batched": false if axis 0 does not count items',
                )


def _require_outputs(declared: Sequence[str], shard: ShardArrays) -> None:
    """Raise ConformanceError if a shard lacks an output that another one declares."""
    missing = sorted(set(declared) ^ shard.outputs.keys())
    if missing:
        raise ConformanceError(
            f"output {missing[0]!r} is declared in some shards only",
            where=Location(METADATA, element=f"outputs of shard {shard.index}"),
            expected="the same outputs in every shard; in the first: "
            + (", ".join(sorted(declared)) or "none"),
            found=", ".join(sorted(shard.outputs)) or "none",
            fix="submit the outputs of the original on the items of every shard",
        )


def check_untold(
    ports: Sequence[PortInfo],
    declared: Sequence[Port],
    arrays: Mapping[str, Array],
    side: str,
) -> None:
    """Raise ConformanceError if an array is not as declared where the model file tells nothing.

    ``side`` is ``inputs`` or ``outputs``.
    """
    by_name = {port.name: port for port in declared}
    for port in ports:
        if port.name not in by_name or port.name not in arrays:
            continue
        wanted, array = by_name[port.name], arrays[port.name]
        if not _fits(port, wanted, array):
            raise ConformanceError(
                f"{side[:-1]} {port.name!r} is declared otherwise than the network has it",
                where=Location("submission.json", element=f"{side} of the model: {port.name}"),
                expected=f"{wanted.dtype} of shape {_shown(wanted.shape)}, as declared",
                found=f"{array.dtype.name} of shape {_shown(array.shape)}",
                fix=f"declare the {side} as the vectors and the network have them",
            )


def _fits(told: PortInfo, wanted: Port, array: Array) -> bool:
    """Return whether ``array`` is as ``wanted``, in all that is not ``told``."""
    if told.dtype == ANY_DTYPE or told.shape == ANY_SHAPE:
        return _same_sizes(wanted.shape, array.shape) and wanted.dtype == array.dtype.name
    if told.shape == () and len(wanted.shape) == array.ndim:
        # Type and batches are those of the network: of its shape, items are not a part.
        return _same_sizes(wanted.shape[1:], array.shape[1:])
    return told.shape != () or wanted.shape == array.shape


def _same_sizes(wanted: Sequence[object], found: Sequence[int]) -> bool:
    sizes = zip(wanted, found, strict=False)
    return len(wanted) == len(found) and all(
        not isinstance(each, int) or each == size for each, size in sizes
    )


def _shown(shape: Sequence[object]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
