"""All layers of a sample decoded in one process, compared with what each subset gave by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from conformance.jobs.chain_state import State, altered
from conformance.jobs.chain_step import take_step
from conformance.jobs.context import TaskContext
from conformance.jobs.stored_network import StoredNetwork, stored_network
from conformance.plan.requests import LayeringRequest, PartSpec
from conformance.plan.results import LayeringResult
from conformance.verdicts import Json

CHUNK = 1 << 20
"""Bytes of a bitstream that are copied at a time."""
_INVERTED = bytes(reversed(range(256)))


def decode_layers(task: TaskContext[LayeringRequest]) -> LayeringResult:
    """Return whether the base layer is what it is whatever follows.

    Its tensors are compared with those of its own process once all layers were decoded.
    """
    parts = task.asked.parts
    original = stored_network(task.results["parameters"], task.limits)
    results = [task.result(f"state.{place}") for place in range(len(parts))]
    states: list[State] = []
    differing: list[str] = []
    for part, result in zip(parts, results, strict=True):
        stepped = take_step(task, part, original, states[-1] if states else None)
        if stepped.result.digest is None or stepped.result.digest != result["digest"]:
            differing.append(task.id(part.role))
        if stepped.state is None:
            break
        states.append(stepped.state)
    base = states[0] if states else None
    digests = {name: facts["sha256"] for name, facts in results[0]["tensors"].items()}
    return LayeringResult(
        layers=len(parts),
        tensors=len(digests),
        differing=tuple(differing),
        altered=tuple(altered(base.parameters, digests)) if base is not None else (),
        behind=_same_with_other_bytes_behind(task, original, results),
        size=sum(result["size"] for result in results),
        units=max(result["units"] for result in results),
    )


def _same_with_other_bytes_behind(
    task: TaskContext[LayeringRequest], original: StoredNetwork, results: list[dict[str, Json]]
) -> bool | None:
    """Return whether the base is the same where all that follows in the bitstream is overwritten.

    None where it lies in files of its own.
    """
    first, *others = task.asked.parts
    if not first.units or _end(first) > min(_start(part) for part in others):
        return None
    behind = sum(result["size"] for result in results[1:])
    (file,) = first.files
    with _overwritten(task.path(file), behind, task.out) as copy:
        files = {**task.files, file.role: copy}
        stepped = take_step(replace(task, files=files), first, original, None)
    return stepped.state is not None and stepped.result.digest == results[0]["digest"]


@contextmanager
def _overwritten(original: Path, behind: int, folder: Path) -> Iterator[Path]:
    """Yield the path of a copy whose last ``behind`` bytes are inverted; it is removed again."""
    copy = folder / "overwritten"
    kept = original.stat().st_size - behind
    with original.open("rb") as source, copy.open("wb") as target:
        while chunk := source.read(CHUNK):
            own = max(0, kept - target.tell())
            target.write(chunk[:own] + chunk[own:].translate(_INVERTED))
    try:
        yield copy
    finally:
        copy.unlink()


def _start(part: PartSpec) -> int:
    return min(first for first, _ in part.units)


def _end(part: PartSpec) -> int:
    return max(last for _, last in part.units)
