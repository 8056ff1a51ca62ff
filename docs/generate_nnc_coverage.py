"""Write ``docs/nnc-coverage.md``: what the bitstream vectors cover, from their descriptions.

::

    python docs/generate_nnc_coverage.py
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "nnc-coverage.md"
BITSTREAMS = Path(__file__).parents[1] / "vectors" / "bitstreams"

EDITIONS = ("first-edition", "second-edition", "nncodec-1.0")
EDITION_TITLES = {"first-edition": "first", "second-edition": "second", "nncodec-1.0": "1.0"}
PAYLOADS = ("int", "float", "raw-float", "block")
PAIRED = (
    "quantization:uniform",
    "quantization:dependent",
    "quantization:codebook",
    "payload:int",
    "scan",
    "entry-points",
    "local-scaling",
    "bias",
    "batch-norm",
    "decomposition",
    "row-skip",
    "temporal-context",
    "history-dependent-significance",
    "out-of-band-dimensions",
    "layer-parameter-set",
    "qp-per-tensor",
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

HEAD = """# What the bitstream vectors cover

`vectors/bitstreams` has {cases} cases with {streams} streams in {size} KB, for decoders of
ISO/IEC 15938-17; its `README.md` says how to use them. This page is written by
`docs/generate_nnc_coverage.py` from their descriptions: change those, not the page.

| encoder | cases | decoded by NNCodec 2.1.3 | decoded by the plain reference | must be refused |
|---|---|---|---|---|
"""
TOOLS = """
## Tool by edition and payload

Streams that use a tool, by edition (`1.0`: the dialect of NNCodec 1.0) and by the types of payload
in the stream. A dot means none. The tools are the features of `nnr-conformance nnc features`.

"""
PAIRS = """
## Pairs of tools

Streams that use two tools at once; in the diagonal, all streams with the tool. `scan` is any scan
in blocks.

"""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The edition and features of one stream that can be decoded."""

    edition: str
    features: frozenset[str]

    @property
    def payloads(self) -> tuple[str, ...]:
        """The payload types in the stream."""
        return tuple(payload for payload in PAYLOADS if f"payload:{payload}" in self.features)


def page() -> str:
    """Return the text of the page, from the vectors as they are now."""
    paths = sorted(BITSTREAMS.rglob("case.json"))
    documents = [(path, json.loads(path.read_text("utf-8"))) for path in paths]
    streams = list(_facts(documents))
    size = sum(path.stat().st_size for path in BITSTREAMS.rglob("*.nnc"))
    count = sum(len(document["streams"]) for _, document in documents)
    head = HEAD.format(cases=len(paths), streams=count, size=round(size / 1000))
    parts = [head, *_encoders([document for _, document in documents])]
    parts += [TOOLS, *_tools(streams), PAIRS, *_pairs(streams)]
    return "".join(parts)


def _facts(documents: Iterable[tuple[Path, Any]]) -> Iterator[StreamFacts]:
    for path, document in documents:
        edition = path.relative_to(BITSTREAMS).parts[0]
        for stream in document["streams"]:
            if "error" not in stream:
                yield StreamFacts(edition, frozenset(stream["features"]))


def _encoders(documents: Sequence[Any]) -> Iterator[str]:
    for maker in sorted({document["made_by"] for document in documents}):
        made = [document for document in documents if document["made_by"] == maker]
        decoders = Counter(decoder for document in made for decoder in document["decoded_by"])
        refused = sum("error" in document["streams"][-1] for document in made)
        counts = (len(made), decoders["NNCodec 2.1.3"], decoders["reference"], refused)
        yield _row([maker, *map(str, counts)])


def _tools(streams: Sequence[StreamFacts]) -> Iterator[str]:
    titles = [f"{EDITION_TITLES[edition]} {payload}" for edition, payload in _columns()]
    yield _row(["tool", *titles, "all"])
    yield _row(["---"] * (len(titles) + 2))
    counts: Counter[tuple[str, str, str]] = Counter()
    totals: Counter[str] = Counter()
    for stream in streams:
        for feature in stream.features:
            totals[feature] += 1
            counts.update((feature, stream.edition, payload) for payload in stream.payloads)
    for feature in sorted(totals, key=_natural):
        if not feature.startswith(("edition:", "payload:")):
            cells = [counts[feature, *column] for column in _columns()]
            yield _row([f"`{feature}`", *map(_cell, cells), str(totals[feature])])


def _columns() -> list[tuple[str, str]]:
    return [
        (edition, payload) for edition in EDITIONS for payload in PAYLOADS if _can(edition, payload)
    ]


def _can(edition: str, payload: str) -> bool:
    return edition != "nncodec-1.0" or payload != "raw-float"


def _pairs(streams: Sequence[StreamFacts]) -> Iterator[str]:
    together: Counter[tuple[str, ...]] = Counter()
    for stream in streams:
        named = {"scan" if feature.startswith("scan:") else feature for feature in stream.features}
        present = [tool for tool in PAIRED if tool in named]
        together.update((tool, tool) for tool in present)
        together.update(combinations(present, 2))
    letters = LETTERS[: len(PAIRED)]
    yield _row(["", "tool", *letters])
    yield _row(["---"] * (len(PAIRED) + 2))
    for index, (letter, tool) in enumerate(zip(letters, PAIRED, strict=True)):
        cells = [_cell(together[tool, other]) for other in PAIRED[index:]]
        yield _row([letter, f"`{tool}`", *[""] * index, *cells])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _cell(count: int) -> str:
    return str(count) if count else "·"


def _natural(feature: str) -> list[tuple[int, str]]:
    """Return a key that sorts ``unary-length:9`` before ``unary-length:10``."""
    return [
        (int(part or 0) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", feature)
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
