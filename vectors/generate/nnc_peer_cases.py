"""Cases that NNCodec 2.1.3 encodes and, but for a few, decodes.

:func:`peer_cases` runs NNCodec once, in its own interpreter, over the jobs of all recipes.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from nnc_arrays import Tensors
from nnc_cases import Case, CodedStream, Place

NAME = "NNCodec 2.1.3"
SCRIPT = Path(__file__).resolve().parent / "nnc_peer.py"


@dataclass(frozen=True, slots=True)
class PeerRecipe:
    """Tensors for each stream of a case, and NNCodec's settings for all of them.

    ``settings`` are those of ``nnc_peer.DEFAULTS``. ``undecodable`` is set where NNCodec cannot
    decode the last stream it makes: the tensors that its encoder meant are expected then, or
    ``error`` where no decoder can.
    """

    place: Place
    title: str
    tensors: Sequence[Tensors]
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    undecodable: bool = False
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PeerStream:
    """A stream, and what NNCodec decodes from it or, where ``error`` says why not, meant by it."""

    data: bytes
    tensors: Tensors
    dimensions: Mapping[str, Sequence[int]]
    error: str | None


def run_peer(python: str, recipes: Sequence[PeerRecipe]) -> list[list[PeerStream]]:
    """Return the streams of every recipe, made by NNCodec in the interpreter ``python``."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = [_write_job(Path(folder), str(i), recipe) for i, recipe in enumerate(recipes)]
        return _run(python, Path(folder), jobs)


def decode_by_peer(python: str, cases: Sequence[Case]) -> list[list[Tensors | None]]:
    """Return what NNCodec decodes from the streams of each case; None where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = [_write_decoding(Path(folder), str(i), case) for i, case in enumerate(cases)]
        results = _run(python, Path(folder), jobs)
    return [[None if s.error else s.tensors for s in streams] for streams in results]


def peer_cases(python: str, recipes: Sequence[PeerRecipe]) -> Iterator[Case]:
    """Yield the case of every recipe."""
    for recipe, streams in zip(recipes, run_peer(python, recipes), strict=True):
        yield _case(recipe, streams)


def _run(python: str, folder: Path, jobs: Sequence[dict[str, Any]]) -> list[list[PeerStream]]:
    (folder / "jobs.json").write_text(json.dumps(jobs), "utf-8")
    command = [python, str(SCRIPT), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    results = json.loads((folder / "results.json").read_text("utf-8"))
    return [list(_read_results(folder, job["id"], results[job["id"]])) for job in jobs]


def _write_decoding(folder: Path, id: str, case: Case) -> dict[str, Any]:
    for number, stream in enumerate(case.streams):
        (folder / f"{id}-{number}.nnc").write_bytes(stream.data)
    chained = {"update_chain": len(case.streams) > 1}
    return {
        "id": id,
        "settings": chained,
        "streams": [[] for _ in case.streams],
        "dimensions": case.options.get("dimensions", {}),
    }


def _write_job(folder: Path, id: str, recipe: PeerRecipe) -> dict[str, Any]:
    for number, tensors in enumerate(recipe.tensors):
        arrays = {str(index): values for index, values in enumerate(tensors.values())}
        np.savez(folder / f"{id}-{number}.npz", **arrays)  # type: ignore[arg-type]
    names = [list(tensors) for tensors in recipe.tensors]
    return {"id": id, "settings": dict(recipe.settings), "streams": names}


def _read_results(
    folder: Path, id: str, results: Sequence[Mapping[str, Any]]
) -> Iterator[PeerStream]:
    for number, result in enumerate(results):
        stem = f"{id}-{number}"
        with np.load(folder / f"{stem}.decoded.npz", allow_pickle=False) as archive:
            tensors = {name: archive[str(i)] for i, name in enumerate(result["tensors"])}
        data = (folder / f"{stem}.nnc").read_bytes()
        yield PeerStream(data, tensors, result["dimensions"], result["error"])


def _case(recipe: PeerRecipe, streams: Sequence[PeerStream]) -> Case:
    errors = [stream.error for stream in streams]
    if any(errors[:-1]) or bool(errors[-1]) != recipe.undecodable:
        raise ValueError(f"{recipe.place}: NNCodec decodes it, or not, other than said: {errors}")
    dimensions = {name: list(d) for s in streams for name, d in s.dimensions.items()}
    coded = [CodedStream(stream.data, stream.tensors) for stream in streams]
    if recipe.error is not None:
        coded[-1] = CodedStream(streams[-1].data, error=recipe.error)
    return Case(
        place=recipe.place,
        title=recipe.title,
        made_by=NAME,
        settings=dict(recipe.settings),
        streams=coded,
        decoded_by=[] if recipe.undecodable else [NAME],
        options={"dimensions": dimensions} if dimensions else {},
        note=recipe.note,
    )
