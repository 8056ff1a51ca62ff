"""Read reference vectors shard by shard, checked against what is declared of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from conformance.sandbox.limits import Limits
from conformance.submission.values import File, Shard, VectorSet
from conformance.tensorfiles import Array, open_tensors
from conformance.verdicts import ConformanceError, Location


@dataclass(frozen=True, slots=True)
class ShardArrays:
    """The arrays of one shard by name; ``sources`` tells the file each output came from."""

    index: int
    items: int
    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    outputs: Mapping[str, Array]
    sources: Mapping[str, str]


def read_shards(
    vectors: VectorSet,
    root: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    limits: Limits,
) -> Iterator[ShardArrays]:
    """Yield every shard in turn; only one is held in memory.

    ``inputs`` and ``outputs`` are the names the network has, in its order: they name unnamed
    arrays, and every one of the inputs must be there. Raises
    :class:`~conformance.verdicts.ConformanceError` where a file, a name or the number of items is
    not as declared.
    """
    for index, shard in enumerate(vectors.shards):
        with ExitStack() as stack:
            given = _arrays(shard.inputs, root, inputs, limits, stack)
            _require_names(vectors, index, shard.inputs, given, inputs)
            targets = _arrays(shard.targets, root, (), limits, stack)
            expected = _arrays(shard.outputs, root, outputs, limits, stack)
            _refuse_unknown(vectors, index, shard.outputs, expected, outputs)
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


def _arrays(
    files: Sequence[File], root: Path, names: Sequence[str], limits: Limits, stack: ExitStack
) -> _Named:
    """Return every array of some files, with the file it is in."""
    arrays: _Named = {}
    for position, file in enumerate(files):
        path, display = root / file.rel_filepath, file.rel_filepath
        opened = open_tensors(path, display=display, limit_bytes=limits.tensor_bytes)
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
    vectors: VectorSet, index: int, files: Sequence[File], given: _Named, names: Sequence[str]
) -> None:
    if set(given) != set(names):
        raise ConformanceError(
            f"shard {index} of vectors {vectors.id!r} does not hold the network's inputs",
            where=Location(files[0].rel_filepath),
            expected=", ".join(sorted(names)),
            found=", ".join(sorted(given)) or "no arrays",
            fix="name the arrays like the inputs of the network, one for each",
        )


def _refuse_unknown(
    vectors: VectorSet, index: int, files: Sequence[File], given: _Named, names: Sequence[str]
) -> None:
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ConformanceError(
            f"shard {index} of vectors {vectors.id!r} declares outputs that the network lacks",
            where=Location(files[0].rel_filepath, element=unknown[0]),
            expected=f"some of {', '.join(sorted(names))}",
            found=", ".join(unknown),
            fix="name the arrays like the outputs of the network",
        )


def _require_items(shard: Shard, groups: Sequence[_Named]) -> None:
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
