"""Random units, drawn by following the description: a further coder beside reading and writing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from conformance.nnc.options import Interpretation
from conformance.nnc.stream import Scalar, Value
from conformance.nnc.syntax import UNIT_HEADER, UNITS, Field, Refusal, UnitSyntax
from conformance.nnc.syntax.walk import Context, walk

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
FEW = st.integers(0, 3)
SMALL: Mapping[str, st.SearchStrategy[int]] = {
    "nnr_compressed_data_unit_payload_type": FEW,
    "parent_node_id_type": st.integers(0, 2),
    "scan_order": st.integers(0, 4),
    "count_topology_elements_minus2": FEW,
    "count_tensor_dimensions": FEW,
    "tensor_dimensions": st.integers(0, 70),
    "decomposition_rank": st.integers(0, 40),
    "g_number_of_rows": st.integers(0, 40),
    "codebook_size": st.integers(1, 9),
    "codebook_centre_offset": st.just(0),
    "count_reshaped_tensor_dimensions": FEW,
}
"""What is drawn smaller than its code could be, so that streams stay short and can be read."""

OUT_OF_BAND = (4, 5)
"""The dimensions of every tensor whose dimensions are not in its stream."""


class _Drawing:
    def __init__(self, draw: DrawFn, fixed: Mapping[str, Scalar]) -> None:
        self._draw = draw
        self._fixed = fixed

    def code(self, field: Field, name: str, parameter: int, given: Any) -> Scalar:
        if field.name in self._fixed:
            value = self._fixed[field.name]
        elif field.name in SMALL:
            value = self._draw(SMALL[field.name])
        elif "_count_" in f"_{field.name}":
            value = self._draw(FEW)
        else:
            value = self._draw(strategy(field.code.kind, parameter))
        return value

    def repeat(self, name: str, count: int, given: Any) -> int:
        return max(count, 0)

    def refuse(self, refusal: Refusal, scope: Mapping[str, Any]) -> None:
        assume(False)


def strategy(kind: str, parameter: int) -> st.SearchStrategy[Any]:
    """Return what can be written by a code; alignments are left to the writer."""
    return {
        "u": lambda: st.integers(0, (1 << parameter) - 1),
        "i": lambda: st.integers(-(1 << parameter - 1), (1 << parameter - 1) - 1),
        "ue": lambda: st.integers(0, 1 << 20) | st.integers(0, (1 << 32) - 1),
        "ie": lambda: st.integers(-(1 << 31) + 1, (1 << 31) - 1),
        "flt": lambda: st.floats(width=32, allow_nan=False),
        "st": lambda: TEXT,
        "hex": lambda: st.binary(min_size=parameter // 8, max_size=parameter // 8).map(bytes.hex),
        "bytes": lambda: st.binary(max_size=6).map(bytes.hex),
        "align": st.none,
    }[kind]()


def draw_unit(draw: DrawFn, context: Context, syntax: UnitSyntax) -> dict[str, Value]:
    """Draw the values of a unit, without size; alignments are None."""
    scope = context.scope(lambda name: None if name is None else OUT_OF_BAND)
    drawing = _Drawing(draw, {"nnr_unit_type": syntax.unit_type})
    values = walk((*UNIT_HEADER, *syntax.header, *syntax.payload), drawing, scope, {})
    context.update(syntax, scope)
    return values


@st.composite
def unit_lists(draw: DrawFn) -> list[tuple[str, dict[str, Value]]]:
    """Draw the units of a stream, in an order that can be read."""
    context = Context(Interpretation())
    others = st.sampled_from(["LPS", "TPL", "QNT", "AGG", "NDU"])
    before = draw(st.lists(st.sampled_from(["LPS", "TPL", "QNT"]), max_size=1))
    names = ["STR", *before, "MPS", *draw(st.lists(others, max_size=3))]
    syntaxes = {syntax.name: syntax for syntax in UNITS.values()}
    return [(name, draw_unit(draw, context, syntaxes[name])) for name in names]
