"""A decoded tensor in words: what ``nnc inspect`` prints below the fields of its unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from conformance.nnc.inspection.meanings import codebook_text
from conformance.nnc.inspection.tables import counted, printable, share

_LABEL = 14
_SCANS = ("row by row", "8 x 8 blocks", "16 x 16 blocks", "32 x 32 blocks", "64 x 64 blocks")
_BAR = 24
_WIDTH = 84


def tensor_lines(tensor: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines about a tensor of a document."""
    shape = " x ".join(map(str, tensor["shape"])) or "scalar"
    yield f"tensor {printable(tensor['name'])}: {tensor['role']}, {shape} {tensor['dtype']}"
    for label, text in _facts(tensor):
        for number, line in enumerate(wrap(text, _WIDTH, break_on_hyphens=False)):
            yield f"  {label if number == 0 else '':<{_LABEL}}{line}"
    yield from _histogram(tensor["levels"])


def _facts(tensor: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    quantization, coding, levels = tensor["quantization"], tensor["coding"], tensor["levels"]
    if quantization:
        yield "quantization", _quantization(quantization)
    if tensor["codebook"]:
        yield "codebook", codebook_text(tensor["codebook"], tensor["zero_offset"])
    if coding:
        yield "tools", ", ".join(_tools(coding))
        yield "contexts", _initialisation(coding["initialisation"])
    if levels:
        yield "levels", _levels(levels)
    yield "bits", _bits(tensor["bits"], levels)


def _quantization(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts['method']}, qp {facts['qp']}, density {facts['qp_density']}: "
        f"step size {facts['step']:.9g}"
    )


def _tools(coding: Mapping[str, Any]) -> Iterator[str]:
    height, width = coding["matrix"]
    yield f"{height} x {width} scanned {_SCANS[coding['scan_order']]}"
    yield f"unary length {coding['unary_length']}"
    if coding["row_skip"]:
        yield f"row skip ({coding['skipped_rows']} of {counted(height, 'row')})"
    if coding["temporal_context"]:
        yield "temporal contexts"
    if coding["history_dependent_significance"]:
        known = "" if coding["has_history"] else " (without a history)"
        yield f"history-dependent significance{known}"
    if coding["entry_points"]:
        yield counted(len(coding["entry_points"]), "later block row")


def _initialisation(pairs: Sequence[Sequence[int]]) -> str:
    states = Counter(state for _, state in pairs)
    counts = ", ".join(f"{count} in {state}" for state, count in sorted(states.items()))
    return f"{counted(len(pairs), 'model')} by initial state: {counts or 'none coded'}"


def _levels(facts: Mapping[str, Any]) -> str:
    if not facts["count"]:
        return "none"
    return (
        f"{facts['count']}: {facts['minimum']} to {facts['maximum']}, {facts['zeros']} zeros "
        f"({share(facts['zeros'], facts['count'])}), {facts['nonzero']} nonzero"
    )


def _histogram(levels: Mapping[str, Any] | None) -> Iterator[str]:
    if not levels or len(levels["histogram"]) < 2:  # noqa: PLR2004 - one bar tells nothing
        return
    most = max(levels["histogram"].values())
    for name, count in levels["histogram"].items():
        bar = "#" * max(1, round(_BAR * count / most))
        yield f"  {'':<{_LABEL}}{name:>5}  {bar:<{_BAR}}  {count}"


def _bits(bits: Mapping[str, int], levels: Mapping[str, Any] | None) -> str:
    total = bits["total"]
    each = f" ({total / levels['count']:.3f} a level)" if levels and levels["count"] else ""
    groups = [
        f"{name} {count} ({share(count, total)})"
        for name, count in bits.items()
        if name != "total" and count
    ]
    return f"{total}{each} = {' + '.join(groups) or 'nothing'}"
