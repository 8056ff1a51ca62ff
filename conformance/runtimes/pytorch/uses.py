"""How the operators of a graph of PyTorch read the tensors that the network stores.

Each format writes its graph as steps, and asks::

    uses = uses_of(steps, ranks={"fc.weight": 2}, inputs=["x"], outputs=["linear"])
    uses["fc.weight"]  # {Use.VALUE}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.runtimes.roles import Use, traced_uses

HANDS_ON = ""
"""The operator of a step that hands on the elements of everything that it reads."""

_PASSING = frozenset(
    word
    for line in (
        "alias clone contiguous detach lift lift_fresh to _to_copy type_as float half double",
        "bfloat16 _cast_Byte _cast_Char _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long",
        "_cast_Short item _local_scalar_dense Bool Float Int FloatImplicit IntImplicit",
        "ScalarImplicit view _unsafe_view _reshape_alias view_as reshape reshape_as flatten",
        "unflatten ravel squeeze unsqueeze expand expand_as broadcast_to broadcast_tensors permute",
        "transpose t numpy_T matrix_H mH mT adjoint movedim moveaxis swapaxes swapdims slice",
        "narrow select split unsafe_split split_with_sizes unsafe_split_with_sizes tensor_split",
        "hsplit vsplit dsplit chunk unsafe_chunk unbind cat concat concatenate stack _stack hstack",
        "vstack dstack column_stack row_stack repeat tile flip fliplr flipud roll rot90 as_strided",
        "diagonal atleast_1d atleast_2d atleast_3d view_as_real view_as_complex conj resolve_conj",
        "resolve_neg real positive __getitem__ list",
    )
    for word in line.split()
)
"""Operators that hand on the elements of their first argument as they are, or converted."""

_SHAPING = re.compile(
    r"(clamp(_min|_max)?|clip|hardtanh|(constant_|reflection_|replication_)?pad(_nd|\dd)?"
    r"|_?upsample_\w+|repeat_interleave|one_hot|(new_)?(full|zeros|ones|empty)|full_like|fill"
    r"|arange|range|linspace|logspace|eye|tril|triu|tril_indices|triu_indices)",
    re.ASCII,
)
"""Operators that read numbers from their first argument at most; all others say what to do."""

_QUANTISED = re.compile(r"quantiz|fake_quant|linear_int8|int[48]pack", re.ASCII)
_TABLES = {
    **dict.fromkeys(("embedding", "embedding_bag", "_embedding_bag"), ("weight", "indices")),
    "_embedding_bag_forward_only": ("weight", "indices"),
    **dict.fromkeys(("index", "_unsafe_index"), ("self", "indices")),
    "index_select": ("self", "index"),
}
"""Operators that look up rows: the arguments that hold the rows, and which of them."""

_LOOKING = frozenset(
    word
    for line in (
        "size sym_size stride sym_stride numel sym_numel dim is_floating_point dtype device layout",
        "_shape_as_tensor _assert_tensor_metadata",
    )
    for word in line.split()
)
"""Operators that read the shape or type of a tensor, and none of its elements."""

_SHAPED = frozenset({"self", "input"})
_ROWS = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a graph; values have names.

    ``operator`` is its name in PyTorch, ``arguments`` are the values that it reads by the names of
    its arguments ("" for an element of a list that is left out). ``along`` is the axis that it
    works on, where it says one.
    """

    operator: str
    arguments: Mapping[str, Sequence[str]]
    results: Sequence[str]
    along: object = None

    @property
    def plain(self) -> str:
        """The operator without what says that it writes in place, or copies."""
        return self.operator.removesuffix("_copy").removesuffix("_")


def uses_of(
    steps: Iterable[Step],
    ranks: Mapping[str, int],
    inputs: Iterable[str],
    outputs: Iterable[str],
) -> dict[str, frozenset[Use]]:
    """Return how the elements of each value are used, by its name.

    ``ranks`` are those of the stored tensors, ``inputs`` and ``outputs`` the values that the graph
    takes and gives.
    """
    steps = list(steps)
    passed = [pair for step in steps for pair in _passed(step)]
    made = [name for step in steps if not _hands_on(step) for name in step.results]
    # What is computed spreads as uses do, but forwards.
    seeds = dict.fromkeys([*inputs, *made], (Use.VALUE,))
    computed = traced_uses(seeds, ((result, source) for source, result in passed))
    direct: dict[str, set[Use]] = {name: {Use.VALUE} for name in outputs}
    for step in steps:
        for name, use in _read(step, computed):
            direct.setdefault(name, set()).add(use)
    found = traced_uses(direct, passed)
    for name, rank in ranks.items():
        if rank < _ROWS and Use.LOOKUP in found.get(name, ()):
            found[name] = found[name] - {Use.LOOKUP} | {Use.VALUE}
    return found


def _hands_on(step: Step) -> bool:
    return step.operator == HANDS_ON or bool({step.operator, step.plain} & _PASSING)


def _passed(step: Step) -> Iterator[tuple[str, str]]:
    if _hands_on(step):
        for argument in _handed_on(step):
            names = step.arguments[argument]
            yield from ((name, result) for name in names if name for result in step.results)


def _handed_on(step: Step) -> list[str]:
    """Return the arguments whose elements a step hands on: all, or the first."""
    return list(step.arguments)[: None if step.operator == HANDS_ON else 1]


def _read(step: Step, computed: Mapping[str, object]) -> Iterator[tuple[str, Use]]:
    """Yield what a step reads, but for what it hands on, and how."""
    if step.operator in _LOOKING:
        return
    handed_on = _handed_on(step) if _hands_on(step) else []
    shapes = handed_on or _SHAPING.fullmatch(step.plain)
    table = _table(step, computed)
    for argument, names in step.arguments.items():
        if argument in handed_on:
            continue
        use = Use.VALUE
        if _QUANTISED.search(step.operator):
            use = Use.QUANTISED
        elif argument == table:
            use = Use.LOOKUP
        elif shapes and argument not in _SHAPED:
            use = Use.OPERAND
        yield from ((name, use) for name in names if name)


def _table(step: Step, computed: Mapping[str, object]) -> str | None:
    """Return the argument whose rows are looked up by computed indices, or None."""
    table, indices = _TABLES.get(step.plain, (None, ""))
    names = step.arguments.get(indices, ())
    first = names[0] if names else ""
    is_rows = step.plain != "index_select" or step.along == 0
    return table if is_rows and first in computed else None
