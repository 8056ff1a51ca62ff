"""Running a network batch by batch: split along axis 0, run, combined again.

The batch size is the runner's affair. It never depends on free memory, because the size of a
batch can change the last bits of an output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from conformance.runtimes._protocol import Array, PortInfo
from conformance.verdicts import ConformanceError, UnsupportedError

Run = Callable[[Mapping[str, Array]], dict[str, Array]]

_UNBATCHED = 'Declare "batched": false, and "items": 1 for each shard, which is then one run.'


def run_in_batches(
    run: Run, inputs: Mapping[str, Array], items: int, *, size: int, fixed: bool
) -> dict[str, Array]:
    """Return the outputs for ``items`` items, ``size`` at a time, each output with axis 0 = items.

    With ``fixed`` every batch has ``size`` items: the last one is filled up with its last item,
    and what is computed for the filling is cut off. Raises ConformanceError if an input does not
    hold ``items`` items, UnsupportedError if an output cannot be combined.
    """
    _check_items(inputs, items)
    parts: dict[str, list[Array]] = {}
    for batch, count in batches(inputs, items, size, fixed=fixed):
        expected = size if fixed else count
        for name, array in run(batch).items():
            _check_output(name, array, expected, parts.get(name))
            parts.setdefault(name, []).append(array[:count])
    return {name: np.concatenate(parts.pop(name)) for name in list(parts)}


def takes_batches(inputs: Sequence[PortInfo]) -> bool:
    """Return whether axis 0 of every input can count items."""
    if not inputs or any(not port.shape for port in inputs):
        return False
    sizes = _fixed_sizes(inputs)
    return len(sizes) <= 1 and 0 not in sizes


def fixed_batch(inputs: Sequence[PortInfo]) -> int | None:
    """Return the size of axis 0 that inputs which take batches prescribe; None if it is free."""
    return min(_fixed_sizes(inputs), default=None)


def batch_size(inputs: Sequence[PortInfo], free: int) -> int | None:
    """Return the items per run: as prescribed, else ``free``; None if there are no batches."""
    return (fixed_batch(inputs) or free) if takes_batches(inputs) else None


def no_batches() -> UnsupportedError:
    """Return the error of a network whose inputs have no common batch axis."""
    return UnsupportedError(
        "the network cannot be run in batches",
        expected="inputs whose axis 0 counts items, with one common size if it is fixed",
        found="a scalar input, or inputs with different fixed sizes of axis 0",
        fix=_UNBATCHED,
    )


def _fixed_sizes(inputs: Sequence[PortInfo]) -> set[int]:
    return {port.shape[0] for port in inputs if isinstance(port.shape[0], int)}


def batches(
    inputs: Mapping[str, Array], items: int, size: int, *, fixed: bool
) -> Iterator[tuple[dict[str, Array], int]]:
    """Yield ``items`` items, ``size`` at a time, and how many of a batch are not filling."""
    for start in range(0, items, size):
        count = min(size, items - start)
        batch = {name: array[start : start + count] for name, array in inputs.items()}
        if fixed and count < size:
            batch = {name: _filled(array, size) for name, array in batch.items()}
        yield batch, count


def _filled(array: Array, size: int) -> Array:
    return np.concatenate([array, np.repeat(array[-1:], size - len(array), axis=0)])


def _check_items(inputs: Mapping[str, Array], items: int) -> None:
    wrong = [f"{name}: {a.shape}" for name, a in inputs.items() if a.shape[:1] != (items,)]
    if wrong or items < 1:
        raise ConformanceError(
            "inputs of batched vectors do not hold the declared number of items",
            expected=f"at least one item, and axis 0 = {items} in every input",
            found="; ".join(wrong) or f"{items} items",
            fix=f'Correct "items" or the input files. {_UNBATCHED}',
        )


def _check_output(name: str, array: Array, expected: int, earlier: list[Array] | None) -> None:
    if array.shape[:1] != (expected,):
        raise UnsupportedError(
            f"axis 0 of output {name!r} does not count items, so batches cannot be combined",
            expected=f"{expected} along axis 0 for a batch of {expected}",
            found=f"shape {array.shape}",
            fix=_UNBATCHED,
        )
    if earlier and earlier[0].shape[1:] != array.shape[1:]:
        raise UnsupportedError(
            f"the shape of output {name!r} changes from batch to batch",
            expected=f"items of shape {earlier[0].shape[1:]}, as in the first batch",
            found=f"items of shape {array.shape[1:]}",
            fix=_UNBATCHED,
        )
