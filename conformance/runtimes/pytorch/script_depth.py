"""How deep TorchScript code goes before PyTorch compiles it: calls of calls, tuples of tuples.

PyTorch compiles what a function calls while it compiles the function, on the stack of the process,
and writes out the type of a tuple with all that is in it: neither has its own bound.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import NoReturn

from conformance.runtimes.pytorch.script_text import Source
from conformance.verdicts import LimitError, UnsupportedError

MAX_DEPTH = 2000
"""Levels of code, all functions together that wait for each other while they are compiled."""

MAX_TUPLE = 1024
"""Values in a tuple, those in its tuples included; and strings that a string is built from."""

_GROWING = frozenset(
    ("rjust", "ljust", "center", "zfill", "expandtabs", "replace", "join", "count", "percentFormat")
)
"""String operators that make any length from a number, or take any time."""

_DIVIDING = frozenset({"remainder", "divmod"})
_JOINING = frozenset({"add", "format"})
_PASSING = frozenset(
    {
        *("strip", "lstrip", "rstrip", "lower", "upper", "capitalize", "title", "swapcase"),
        *("slice", "str", "annotate", "unchecked_cast", "unchecked_unwrap_optional"),
    }
)

_Definition = ast.FunctionDef | ast.ClassDef
_Named = dict[str, tuple[Source, _Definition]]


def check_tuples(source: Source, tree: ast.Module) -> None:
    """Raise LimitError for a tuple of tuples, or a string of strings, that holds too many values.

    A value that a name may have counts as the largest that is ever given to it.
    """
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            _check_growth(source, function, _size, "a tuple of tuples")
            _check_growth(source, function, _texts, "a string of strings")


def _check_growth(
    source: Source,
    function: ast.FunctionDef,
    measure: Callable[[ast.expr, dict[str, int]], int],
    what: str,
) -> None:
    sizes: dict[str, int] = {}
    for node in _in_order(function):
        if not isinstance(node, ast.Assign):
            continue
        for target, value, others in _pairs(node):
            size = measure(value, sizes)
            if size > MAX_TUPLE:
                raise LimitError(
                    f"code makes {what} that is too large",
                    where=source.where(node.lineno),
                    expected=f"at most {MAX_TUPLE} values",
                    found="more",
                    fix="Export a network that passes fewer values at once.",
                )
            sizes[target] = max(size - others, sizes.get(target, 0))


def _pairs(node: ast.Assign) -> Iterator[tuple[str, ast.expr, int]]:
    """Yield each name that is assigned to, its value, and how many names share that value."""
    for target in node.targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = node.value.elts if isinstance(node.value, ast.Tuple) else []
        alone = len(names) == len(values) and isinstance(target, ast.Tuple)
        for index, name in enumerate(names):
            if isinstance(name, ast.Name):
                value = values[index] if alone else node.value
                yield name.id, value, 0 if alone else len(names) - 1


def check_folding(source: Source, tree: ast.Module) -> None:
    """Raise UnsupportedError for what PyTorch would compute while it compiles, without bound.

    LimitError for a string that is built from too many. PyTorch folds constants: strings that a
    number makes long, and divisions by zero, which end the process.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            _refuse(source, node, "an operator between two values, which PyTorch does not write")
        elif isinstance(node, ast.Call) and _called(node) in _GROWING:
            _refuse(source, node, f"{_called(node)}: it computes with strings")
        elif isinstance(node, ast.Call) and _divides_by_nothing(node):
            _refuse(source, node, f"{_called(node)}: a division by 0 or -1")


def _divides_by_nothing(node: ast.Call) -> bool:
    last = ast.unparse(node.args[-1]) if node.args else ""
    return _called(node) in _DIVIDING and last in ("0", "-1")


def _refuse(source: Source, node: ast.expr, found: str) -> NoReturn:
    source.unsupported(
        "the network uses an operator that is not run here",
        node.lineno,
        found,
        "Export the network without computing with strings, and without divisions by zero.",
    )


def _called(node: ast.Call) -> str:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else ""
    return function.id if isinstance(function, ast.Name) else name


def _texts(node: ast.AST, sizes: dict[str, int]) -> int:
    """Return how many constant strings the value of an expression may be built from."""
    if isinstance(node, ast.Constant):
        return int(isinstance(node.value, str))
    if isinstance(node, ast.Name):
        return sizes.get(node.id, 0)
    parts = [_texts(each, sizes) for each in ast.iter_child_nodes(node)]
    if isinstance(node, ast.Call) and _called(node) not in _JOINING:
        return max(parts, default=0) if _called(node) in _PASSING else 0
    total = sum(parts) if isinstance(node, ast.Call) else max(parts, default=0)
    return min(total, MAX_TUPLE + 1)


def check_depth(trees: list[tuple[Source, ast.Module]]) -> None:
    """Raise LimitError for functions and classes that need each other in too long a chain.

    UnsupportedError for those that need each other in a circle.
    """
    named: _Named = {
        f"{source.module}.{node.name}": (source, node)
        for source, tree in trees
        for node in tree.body
        if isinstance(node, _Definition)
    }
    needs = {name: _needed(node, named) - {name} for name, (_, node) in named.items()}
    depth: dict[str, int] = {}
    for name in _sorted(needs, named):
        source, node = named[name]
        own = sum(map(_height, node.body)) if isinstance(node, ast.ClassDef) else _height(node)
        depth[name] = own + max((depth[each] for each in needs[name]), default=0)
        if depth[name] > MAX_DEPTH:
            raise LimitError(
                "functions of the code call each other too deeply",
                where=source.where(node.lineno),
                expected=f"at most {MAX_DEPTH} levels of code, in all functions of a chain",
                found="more",
                fix="Export a network with fewer modules in modules.",
            )


def _sorted(needs: dict[str, set[str]], named: _Named) -> Iterator[str]:
    """Yield the names, each after those that it needs."""
    try:
        yield from TopologicalSorter(needs).static_order()
    except CycleError as error:
        name = error.args[1][0]
        source, node = named[name]
        raise UnsupportedError(
            "functions or classes of the code need each other in a circle",
            where=source.where(node.lineno),
            expected="code without recursion",
            found=", ".join(error.args[1])[:200],
            fix="Export a network without recursion.",
        ) from error


def _needed(node: ast.AST, named: _Named) -> set[str]:
    paths = (ast.unparse(part) for part in ast.walk(node) if _is_path(part))
    return {path for path in paths if path in named}


def _is_path(node: ast.AST) -> bool:
    """Return whether a node is ``a.b.c``, names only."""
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return isinstance(node, ast.Attribute) and isinstance(inner, ast.Name)


def _height(node: ast.AST) -> int:
    levels, level = 0, [node]
    while level:
        level = [child for each in level for child in ast.iter_child_nodes(each)]
        levels += 1
    return levels


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all parts in the order of the source."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += reversed(list(ast.iter_child_nodes(part)))


def _size(node: ast.AST, sizes: dict[str, int]) -> int:
    """Return how many values what an expression gives may hold, with all tuples taken apart.

    What a function returns is no larger than the type that is written at it.
    """
    if isinstance(node, ast.Name):
        return max(1, sizes.get(node.id, 1))
    if isinstance(node, ast.Call) and _called(node) not in _PASSING:
        return 1
    parts = [_size(each, sizes) for each in ast.iter_child_nodes(node)]
    total = sum(parts) if isinstance(node, ast.Tuple) else max(parts, default=1)
    return min(max(1, total), MAX_TUPLE + 1)
