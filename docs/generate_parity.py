"""Write ``docs/parity.md``: what is shown of every model format, and how far formats agree.

::

    python docs/generate_parity.py

The bundled submissions with several formats are run, which takes some minutes. Differences are
rounded up to powers of ten, so that another processor gives the same page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.runtimes import RUNTIMES

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parent / "parity.md"
SUBMISSIONS = ROOT / "vectors" / "submissions"
REJECTED = ROOT / "vectors" / "rejected"

Differences = Mapping[tuple[str, str], float]
"""Largest difference from the first format's outputs, as a part of their scale, by submission and
model: a power of ten."""

_INTRODUCTION = """\
# Model formats side by side

This page is written by `docs/generate_parity.py` from the bundled submissions; run it again after a
change of those. `nnr-conformance compare-runtimes DIR` prints the unrounded figures of any
submission, on your machine.

Every network below was trained once and given in several formats. Every format is opened, its
parameters are listed, those of a sample are put in their place, and it is run on the same numbers.
"""

_FORMATS = """
## What is shown of every format

| format | run by | networks | samples that pass | rejected copies |
|---|---|---|---|---|
"""

_RUN_BY = {
    "caffe": "ONNX Runtime",
    "keras": "TensorFlow",
    "nnef": "NNEF-Tools on PyTorch",
    "onnx": "ONNX Runtime",
    "savedmodel": "TensorFlow",
    "tflite": "LiteRT",
    "torch-export": "PyTorch",
    "torch-state-dict": "ONNX Runtime, weights read by us",
    "torchscript": "PyTorch",
}

_AGREEMENT = """
## How far they agree

The largest difference of any output from that of the first model of the submission, as a part of
the largest output, rounded up to a power of ten; and each metric of the original, as declared and
found again in every run.

| submission | model | format | difference | metrics |
|---|---|---|---|---|
"""


def documents() -> dict[str, Mapping[str, Any]]:
    """Return the metadata of every bundled submission, by id."""
    paths = sorted(SUBMISSIONS.glob("*/submission.json"))
    found = (json.loads(path.read_text("utf-8")) for path in paths)
    return {document["id"]: document for document in found}


def measured(name: str) -> dict[tuple[str, str], float]:
    """Run the submission ``name`` and return its differences."""
    from conformance.cli.inquiry import inquiry, result_of, valid
    from conformance.plan.subjects import Plan

    found: dict[tuple[str, str], float] = {}
    with inquiry(SUBMISSIONS / name) as (loaded, executor):
        for subject in Plan(loaded.id, valid(loaded)).agreements:
            outputs = result_of(executor, subject.agreement).outputs.values()
            parts = [float(output.max_abs) / float(output.scale) for output in outputs]
            found[name, subject.model.id] = rounded_up(max(parts))
    return found


def rounded_up(part: float) -> float:
    """Return the least power of ten that is not below ``part``; zero stays zero."""
    return 10.0 ** math.ceil(math.log10(part)) if part else 0.0


def read_back() -> dict[tuple[str, str], float]:
    """Return the differences that the committed page gives."""
    rows = PAGE.read_text("utf-8").partition(_AGREEMENT)[2].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row]
    return {
        (cell[0], cell[1].strip("`")): 0.0 if cell[3] == "none" else float(cell[3].split()[-1])
        for cell in cells
        if cell[3] != "the first"
    }


def page(differences: Differences) -> str:
    """Return the page."""
    return "".join(
        [
            _INTRODUCTION,
            _FORMATS,
            *_format_rows(documents()),
            _AGREEMENT,
            *_agreement_rows(documents(), differences),
        ]
    )


def _format_rows(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    cases = [json.loads(path.read_text("utf-8")) for path in sorted(REJECTED.glob("*.json"))]
    for name in RUNTIMES.names():
        models = [(d, m) for d in found.values() for m in d["models"] if m["format"] == name]
        types = sorted({model["network_type"] for _, model in models})
        samples = sum(s["model"] == m["id"] for d, m in models for s in d["samples"])
        rejected = sum(case["base"] == "digits-cnn" and name == "onnx" for case in cases)
        rejected += sum(case["mutations"][0].get("model") == f"digits-{name}" for case in cases)
        yield f"| `{name}` | {_RUN_BY[name]} | {', '.join(types)} | {samples} | {rejected} |\n"


def _agreement_rows(
    found: Mapping[str, Mapping[str, Any]], differences: Differences
) -> Iterator[str]:
    for name, document in found.items():
        if len(document["models"]) == 1:
            continue
        for model in document["models"]:
            difference = differences.get((name, model["id"]))
            shown = "the first" if difference is None else _shown(difference)
            values = (f"{v['metric']} {v['value']:.5g}" for v in model["metric_values"])
            row = [name, f"`{model['id']}`", model["format"], shown, ", ".join(values)]
            yield f"| {' | '.join(row)} |\n"


def _shown(difference: float) -> str:
    return f"at most {difference:.0e}" if difference else "none"


def main() -> None:
    """Run every submission, and write the page."""
    differences: dict[tuple[str, str], float] = {}
    for name in documents():
        differences |= measured(name)
    PAGE.write_text(page(differences), "utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
