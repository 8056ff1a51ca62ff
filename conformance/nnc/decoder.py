"""Decoding: from a bitstream to named arrays.

    from conformance.nnc import Options, decode
    tensors = decode("model.nnc", Options(threads=2))

The whole stream is parsed and planned, and what it declares is checked against its size and the
limits, before the first tensor is decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from conformance.nnc import parallel
from conformance.nnc.errors import memory_for
from conformance.nnc.options import DEFAULT_OPTIONS, Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.payload import Observer, decode_unit
from conformance.nnc.planning import NduPlan, active_parameters, plan_unit
from conformance.nnc.plausibility import check_sizes
from conformance.nnc.quantization import Values
from conformance.nnc.reconstruction import reconstruct
from conformance.nnc.state import DecoderState
from conformance.nnc.stream import Stream

Source: TypeAlias = bytes | bytearray | memoryview | str | PathLike[str]


def decode(
    source: Source, options: Options = DEFAULT_OPTIONS, state: DecoderState | None = None
) -> dict[str, Values]:
    """Return the tensors of a bitstream by name, in the order of its payloads.

    ``source`` is bytes, or the path of a file. Results are float32, float64 with a codebook, int32
    for integer tensors. Pass one ``state`` along the streams of an update chain: what is returned
    then is the difference that each stream codes.

    Raises an :class:`~conformance.nnc.errors.NncError` for whatever is wrong with the stream.
    """
    return decode_stream(parse_stream(read_source(source), options), options, state)


def read_source(source: Source) -> memoryview:
    """Return the bytes of ``source``; a ``str`` is the path of a file.

    A file is read, not mapped: one that shrinks meanwhile does no harm. An :class:`OSError` says
    that it cannot be read, a :class:`TypeError` that a memoryview is not contiguous.
    """
    if isinstance(source, str | PathLike):
        return memoryview(Path(source).read_bytes())
    return memoryview(source).cast("B").toreadonly()


def decode_stream(
    stream: Stream, options: Options = DEFAULT_OPTIONS, state: DecoderState | None = None
) -> dict[str, Values]:
    """Return the tensors of a parsed stream; see :func:`decode`."""
    return decode_plans(stream, options, state, None)


def decode_observed(
    stream: Stream, options: Options, state: DecoderState | None, observer: Observer
) -> dict[str, Values]:
    """Decode one tensor after another and report to ``observer`` how each was coded.

    Bits are counted by what they were spent on, which takes a slower path of the kernels.
    """
    return decode_plans(stream, options, state, observer)


def decode_plans(
    stream: Stream, options: Options, state: DecoderState | None, observer: Observer | None
) -> dict[str, Values]:
    """Plan, check, decode and reconstruct; change ``state`` only when all of it is done."""
    plans = plan_stream(stream, options)
    draft = state.draft() if state is not None else draft_within(plans)
    with memory_for("The tensors of the stream"):
        decoded = decode_units(plans, stream.data, draft, options, observer)
        tensors = {
            tensor.name: values
            for plan, members in zip(plans, decoded, strict=True)
            for tensor, values in zip(plan.tensors, members, strict=True)
        }
        reconstruct(plans, tensors, options)
    if state is not None and draft is not None:
        mark_histories(plans, draft)
        state.take(draft)
    return tensors


def plan_stream(stream: Stream, options: Options = DEFAULT_OPTIONS) -> list[NduPlan]:
    """Return the plans of all compressed data units, checked for plausibility."""
    with memory_for("The headers of the stream"):
        plans = [plan_unit(unit, active) for unit, active in active_parameters(stream)]
        check_sizes(plans, options)
    return plans


def draft_within(plans: Sequence[NduPlan]) -> DecoderState | None:
    """Return a state for one stream alone, None if none of its units looks at another."""
    return DecoderState() if any(plan.temporal for plan in plans) else None


def mark_histories(plans: Sequence[NduPlan], state: DecoderState) -> None:
    """Update the histories of significance: once the whole stream has been decoded."""
    for plan in plans:
        if plan.active.parent_signalling and plan.coded:
            for tensor in plan.tensors:
                state.mark_history(tensor.name)


def decode_units(
    plans: Sequence[NduPlan],
    data: memoryview,
    state: DecoderState | None,
    options: Options,
    observer: Observer | None,
) -> list[list[Values]]:
    """Return the tensors of each unit: of several at a time, unless one may depend on another."""
    if not plans:
        return []
    # It imports numba, so only when something is decoded, and before there are threads.
    from conformance.nnc.cabac.jit import announce_compilation

    announce_compilation()
    results: list[list[Values]] = [[] for _ in plans]

    def decode_at(index: int, threads: int) -> None:
        plan = plans[index]
        results[index] = decode_unit(plan, data, state, threads=threads, observer=observer)

    threads = 1 if observer is not None else parallel.thread_count(options.threads)
    alone, together = shared_out(plans, threads)
    if observer is not None or names_repeat(plans):
        alone, together = list(range(len(plans))), []
    many = frozenset(alone)
    jobs = [
        partial(decode_at, index, threads if index in many else 1) for index in range(len(plans))
    ]
    parallel.run(jobs, alone, together, threads)
    return results


def names_repeat(plans: Sequence[NduPlan]) -> bool:
    """Whether two tensors of the stream have the same name."""
    names = Counter(tensor.name for plan in plans for tensor in plan.tensors)
    return any(count > 1 for count in names.values())


def shared_out(plans: Sequence[NduPlan], threads: int) -> tuple[list[int], list[int]]:
    """Return the units to decode with all threads, and those with one thread each.

    A unit with entry points that is more than one thread's share is decoded alone. The others
    begin with the largest, which leaves the least idle time at the end.
    """
    sizes = [plan.unit.payload_size for plan in plans]
    share = sum(sizes) / threads
    alone = [
        index
        for index, plan in enumerate(plans)
        if threads > 1 and plan.unit.values["entry_points"] and sizes[index] > share
    ]
    rest = set(range(len(plans))) - set(alone)
    return alone, sorted(rest, key=lambda index: (-sizes[index], index))
