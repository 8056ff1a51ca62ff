"""All layers of a sample decoded at one go, held against what each subset gave by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from conformance.jobs.context import Work
from conformance.jobs.joining import altered
from conformance.jobs.network_state import State, kept_result
from conformance.jobs.stepping import take_step
from conformance.plan.dependencies import key_of
from conformance.submission.values import Part
from conformance.verdicts import Json

_CHUNK = 1 << 20
_INVERTED = bytes(reversed(range(256)))


def decode_layers(work: Work) -> Json:
    """Return whether the base layer is what it is whatever follows.

    ``differing`` are the layers at which one go gives other tensors than the layer's own state;
    ``altered`` the tensors of the base that are not what they were once all layers were decoded.
    ``behind`` says whether the base is the same with everything behind it overwritten, None where
    it lies in files of its own.
    """
    sample = work.sample
    results = [kept_result(work.states[key_of((sample.id, k))]) for k in range(len(sample.parts))]
    states: list[State] = []
    differing: list[str] = []
    for place, layer in enumerate(sample.layers):
        stepped = take_step(work, sample, place, states[-1] if states else None)
        if stepped.state is None or stepped.state.digest != results[place]["digest"]:
            differing.append(layer.id)
        if stepped.state is None:
            break
        states.append(stepped.state)
    base = states[0] if states else None
    digests = {name: facts["sha256"] for name, facts in results[0]["tensors"].items()}
    return {
        "layers": len(sample.layers),
        "tensors": len(digests),
        "differing": differing,
        "altered": altered(base.parameters, digests) if base is not None else [],
        "behind": _same_with_other_bytes_behind(work, results),
        "size": sum(result["size"] for result in results),
        "units": max(result["units"] for result in results),
    }


def _same_with_other_bytes_behind(work: Work, results: list[dict[str, Json]]) -> bool | None:
    """Decode the base from a copy of the bitstream in which all that follows is overwritten."""
    first, *others = (layer.part for layer in work.sample.layers)
    if not first.units or _end(first) > min(_start(part) for part in others):
        return None
    behind = sum(result["size"] for result in results[1:])
    original = work.submission.root / first.files[0].rel_filepath
    with _overwritten(original, behind, work.out) as copy:
        moved = replace(first, files=(replace(first.files[0], rel_filepath=str(copy)),))
        layer = replace(work.sample.layers[0], part=moved)
        sample = replace(work.sample, layers=(layer, *work.sample.layers[1:]))
        stepped = take_step(work, sample, 0, None)
    return stepped.state is not None and stepped.state.digest == results[0]["digest"]


@contextmanager
def _overwritten(original: Path, behind: int, folder: Path) -> Iterator[Path]:
    """Yield the path of a copy whose last ``behind`` bytes are inverted; it is removed again."""
    copy = folder / "overwritten"
    kept = original.stat().st_size - behind
    with original.open("rb") as source, copy.open("wb") as target:
        while chunk := source.read(_CHUNK):
            own = max(0, kept - target.tell())
            target.write(chunk[:own] + chunk[own:].translate(_INVERTED))
    try:
        yield copy
    finally:
        copy.unlink()


def _start(part: Part) -> int:
    return min(first for first, _ in part.units)


def _end(part: Part) -> int:
    return max(last for _, last in part.units)
