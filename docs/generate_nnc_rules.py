"""Write ``docs/nnc-rules.md``: every rule of the validator of NNC bitstreams.

::

    python docs/generate_nnc_rules.py
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from conformance.nnc.inspection.rules import RULES, Rule

PAGE = Path(__file__).parent / "nnc-rules.md"

_INTRODUCTION = """\
# The rules of NNC bitstreams

This page is written by `docs/generate_nnc_rules.py` from `conformance/nnc/inspection/rules/` and
the constraints in `conformance/nnc/syntax/`; change those and run it again.

`nnr-conformance nnc validate FILE` holds a bitstream against every rule. Each violation says what
is wrong, where (byte and bit, unit, syntax element), what was expected and found, how to fix it,
and which command shows the place; see [nnc-inspect.md](nnc-inspect.md). The id of a rule never
changes its meaning, and is never used for another.

A *violation* breaks ISO/IEC 15938-17 as NNCodec 2.1.3 reads and writes it; the exit code is 1. A
*warning* is about what is allowed, but rarely meant, or not read by NNCodec; the exit code stays 0.
"""

TOPICS = {
    "STREAM": "The order of units",
    "UNIT": "Unit size",
    "STR": "Start unit",
    "MPS": "Model parameter set",
    "LPS": "Layer parameter set",
    "TPL": "Topology unit",
    "NDU": "Syntax of the compressed data unit",
    "NAME": "Names of tensors",
    "TENSOR": "Dimensions, formats and tools of tensors",
    "NUMBER": "Parameter sets",
    "CODEBOOK": "Codebooks",
    "PAYLOAD": "End of the payload",
    "ENTRY": "Entry points",
    "LEVEL": "Levels",
    "STEP": "Step sizes",
    "NODE": "Parameter update tree",
    "READ": "What decoding enforces",
    "INTEROP": "What NNCodec 2.1.3 cannot read",
}
"""The headings, by the middle of a rule's id."""


def page() -> str:
    """Return the text of the page, with the rules as they are now."""
    order = list(TOPICS)
    rules = sorted(RULES, key=lambda rule: (order.index(topic_of(rule)), rule.id))
    sections = ("\n".join(_section(topic, each)) for topic, each in groupby(rules, key=topic_of))
    return "\n".join([_INTRODUCTION, *sections])


def topic_of(rule: Rule) -> str:
    """Return the middle of the id."""
    return rule.id.split("-")[1]


def _section(topic: str, rules: Iterator[Rule]) -> Iterator[str]:
    yield f"## {TOPICS[topic]}\n"
    for rule in rules:
        yield f"### {rule.id}\n"
        yield f"{rule.text}.\n"
        yield f"- **If not:** {rule.meaning}"
        yield f"- **Fix:** {rule.fix}."
        yield f"- **Severity:** {rule.severity}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
