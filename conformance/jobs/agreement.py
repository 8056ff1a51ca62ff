"""One network in two formats: the same inputs given, are the outputs the same?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from conformance.jobs.compare import OutputComparison, same_arrays
from conformance.jobs.context import METADATA, TaskContext
from conformance.jobs.measuring import Measuring, metrics_of
from conformance.jobs.stored_arrays import stored_outputs
from conformance.jobs.vectors import ShardArrays, ports_of, read_shards
from conformance.plan.requests import AgreementRequest, VectorsSpec
from conformance.plan.results import AgreementResult, MetricRow, Outcome
from conformance.submission.values import Counterpart
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Location


def compare_formats(task: TaskContext[AgreementRequest]) -> AgreementResult:
    """Return how far the outputs lie from those of the same network elsewhere.

    So do metrics that compare with the original's outputs: measured on this format's outputs, with
    those of the other format in the original's place. The outputs of both are those that running
    the originals has kept. Raises ConformanceError if the vectors are not the same ones, or an
    output has no counterpart.
    """
    asked, place = task.asked, f"{task.at('vectors')}/equivalent_to"
    comparison, measuring = OutputComparison(asked.output_tolerance), Measuring(metrics_of(task))
    for here, there in _shards(task, place):
        _require_same(asked.inputs, here, there, place)
        ours = stored_outputs(task.results["run"], here.index, task.limits)
        theirs = stored_outputs(task.results["other-run"], there.index, task.limits)
        theirs_here: dict[str, Array] = {}
        for name, of, axes in _paired(asked.outputs, ours, theirs, place):
            array = ours[name].transpose(axes)
            comparison.add(name, f"outputs of {task.id('other-model')}", array, theirs[of])
            if array.shape == theirs[of].shape:
                theirs_here[name] = theirs[of].transpose(np.argsort(axes))
        measuring.add(ours, here.targets, theirs_here)
    return AgreementResult(
        items=asked.vectors.items,
        outputs=comparison.rows(),
        metrics={
            name: Outcome(None, outcome)
            if isinstance(outcome, ConformanceError)
            # No least number is asked for: nothing is estimated from the items.
            else Outcome(replace(MetricRow(*outcome.row_fields), least={}))
            for name, outcome in measuring.results()
        },
    )


def _shards(
    task: TaskContext[AgreementRequest], place: str
) -> Iterator[tuple[ShardArrays, ShardArrays]]:
    vectors, other = task.asked.vectors, task.asked.other_vectors
    own = [shard.items for shard in vectors.shards]
    if own != [shard.items for shard in other.shards]:
        raise ConformanceError(
            "the vectors are not divided like those they are said to equal",
            where=Location(METADATA, pointer=place),
            expected=f"shards as in '{task.id('other')}'",
            found=f"{len(own)} shards here, {len(other.shards)} there, or other numbers of items",
            fix="divide both vector sets into the same shards",
        )
    yield from zip(_read(task, vectors, "model"), _read(task, other, "other-model"), strict=True)


def _read(
    task: TaskContext[AgreementRequest], vectors: VectorsSpec, opened: str
) -> Iterator[ShardArrays]:
    network = task.result(opened)
    sides = ([port.name for port in ports_of(network, side)] for side in ("inputs", "outputs"))
    return read_shards(task, vectors, *sides)


def _require_same(
    named: Sequence[Counterpart], here: ShardArrays, there: ShardArrays, pointer: str
) -> None:
    """Raise unless every input here is that of the other format, number for number."""
    for name, of, axes in _paired(named, here.inputs, there.inputs, pointer):
        array = here.inputs[name].transpose(axes)
        if not same_arrays(array, there.inputs[of]):
            raise ConformanceError(
                f"input {name!r} does not hold the numbers of {of!r}",
                where=Location(METADATA, pointer=pointer, element=name),
                expected=f"{of!r}, of shape {list(there.inputs[of].shape)}, in shard {here.index}",
                found=f"other numbers, of shape {list(array.shape)} once transposed",
                fix="give both formats the same inputs, and the transpose between their layouts",
            )


def _paired(
    named: Sequence[Counterpart],
    ours: Mapping[str, Array],
    theirs: Mapping[str, Array],
    pointer: str,
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield name here, name there, and how to transpose the array here to the other's axes.

    Every array of either side has one counterpart: what is left out would not be compared.
    """
    by_name = {counterpart.name: counterpart for counterpart in named}
    left = set(theirs)
    only = next(iter(theirs)) if len(ours) == len(theirs) == 1 else None
    for name, array in ours.items():
        entry = by_name.get(name)
        of = entry.of if entry else only or name
        axes = tuple(range(array.ndim))
        if entry is not None and entry.transpose is not None:
            axes = tuple(entry.transpose)
        if of not in left or sorted(axes) != list(range(array.ndim)):
            raise ConformanceError(
                f"{name!r} has no counterpart that it could be compared with",
                where=Location(METADATA, pointer=pointer, element=name),
                expected=f"one of {', '.join(sorted(left)) or 'none is left'}, and an order of "
                f"{array.ndim} axes",
                found=f"{of!r}, axes {list(axes)}",
                fix="name the array and its counterpart under inputs or outputs",
            )
        left.remove(of)
        yield name, of, axes
    if left:
        raise ConformanceError(
            f"{min(left)!r} of the other format has no counterpart here",
            where=Location(METADATA, pointer=pointer, element=min(left)),
            expected=f"a counterpart of each of {', '.join(sorted(theirs))}",
            found=f"{', '.join(sorted(ours)) or 'nothing'} here",
            fix="compare networks with the same inputs and outputs, and name each array's "
            "counterpart under inputs or outputs",
        )
