"""NNC streams that build on one another: what NNCodec is to make, and where its streams are kept.

A submission with such streams lists :class:`Step` values. :func:`make_streams` lets NNCodec 2.1.3
take them and keeps the result in ``STEM_streams`` next to this script: the streams, and
``decoded.json`` with the digests of the networks that NNCodec decodes. NNCodec is not a dependency
of this project, so that everything else only reads these files.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "encode_chains.py"
DECODED = "decoded.json"

Arrays: TypeAlias = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Encode:
    """A stream that leads from the state ``parent`` to ``target``: tensors, or a state's id.

    The stream holds differences, or without a parent the tensors themselves. ``peer`` names the
    encoder, which has the same ``settings`` for all its streams; ``within`` is the largest distance
    from the target that quantisation may leave. Tensors in ``still`` are encoded as unchanged.
    """

    id: str
    peer: str
    target: Arrays | str
    settings: Mapping[str, Any]
    within: float
    parent: str | None = None
    still: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """A state that is the mean of others, given with their weights."""

    id: str
    merge: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Join:
    """One stream of what the streams of ``join`` hold, with a suffix for the names of each."""

    id: str
    peer: str
    join: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)


Step: TypeAlias = Encode | Merge | Join


def make_streams(python: str, stem: str, steps: Sequence[Step]) -> None:
    """Make the streams of ``steps`` with the NNCodec that the interpreter ``python`` has."""
    target = stream_folder(stem)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        described = [_describe(step, folder) for step in steps]
        (folder / "steps.json").write_text(json.dumps(described), "utf-8")
        subprocess.run([python, str(PROGRAM), name], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path in sorted(folder.glob("*.nnc")):
            shutil.copyfile(path, target / path.name)
        results = json.loads((folder / "results.json").read_text("utf-8"))
    (target / DECODED).write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def read_stream(stem: str, id: str) -> bytes:
    """Return a stream that is kept."""
    return (stream_folder(stem) / f"{id}.nnc").read_bytes()


def stream_folder(stem: str) -> Path:
    """Return the folder of the streams of a submission."""
    return HERE / f"{stem}_streams"


def _describe(step: Step, folder: Path) -> dict[str, Any]:
    described = asdict(step)
    if isinstance(step, Encode) and not isinstance(step.target, str):
        np.savez(folder / f"{step.id}.npz", **step.target)  # type: ignore[arg-type]
        described["target"] = None
    return described
