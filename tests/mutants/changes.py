"""Every change to make to a module, as JSON: run by the Python that has cosmic-ray.

python changes.py conformance/session/waivers.py
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

SENSIBLE = {
    *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul", "FloorDiv_Div", "Mod_Div"),
    *("BitAnd_BitOr", "BitOr_BitAnd", "LShift_RShift", "RShift_LShift"),
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "GtE_Lt", "Gt_LtE", "LtE_Gt"),
}
"""Of the operators that could replace another, those that a slip would write: for a comparison its
boundary and its opposite (an order of two names of types says nothing of either)."""


def changed(source: str) -> Iterator[str]:
    """Yield the module with one change each time; none that only an annotation has."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    seen = {meaning(source)}
    for name in filter(is_sensible, operator_names()):
        operator = get_operator(name)
        if operator.arguments():
            continue
        places = [
            p for node in ast_nodes(get_ast(source)) for p in operator().mutation_positions(node)
        ]
        for occurrence in range(len(places)):
            made = mutate_code(source, operator(), occurrence)
            if made is not None and meaning(made) not in seen:
                seen.add(meaning(made))
                yield made


def is_sensible(operator: str) -> bool:
    """Return whether an operator of cosmic-ray makes changes that somebody might make."""
    if "ReplaceBinaryOperator_" in operator:
        return operator.partition("ReplaceBinaryOperator_")[2] in SENSIBLE
    replaced = operator.partition("ReplaceComparisonOperator_")[2]
    return not replaced or replaced in SENSIBLE


def meaning(source: str) -> str:
    """Return what a module does: its tree without annotations, and whether values are frozen."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                setattr(node, name, ast.Constant(0))
        if isinstance(node, ast.arguments):  # Not whether a call may, or must, name an argument.
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.posonlyargs, node.kwonlyargs = [], []
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("dataclass"):
            node.keywords = [each for each in node.keywords if each.arg not in ("frozen", "slots")]
    return ast.dump(tree)


if __name__ == "__main__":
    json.dump(list(changed(Path(sys.argv[1]).read_text("utf-8"))), sys.stdout)
