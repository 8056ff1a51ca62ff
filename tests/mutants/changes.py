"""Every change to make to a module, as JSON: run by the Python that has cosmic-ray.

python changes.py conformance/judging/waivers.py
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
    """Return what a module does: its tree without what no change of behaviour can come from."""
    try:
        return ast.dump(Plain().visit(ast.parse(source)))
    except SyntaxError:
        return ""


class Plain(ast.NodeTransformer):
    """Takes from a tree what no behaviour depends on: annotations, how a call may name arguments.

    The denial of a comparison becomes the opposite comparison.
    """

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Change what holds of every node."""
        super().generic_visit(node)
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                setattr(node, name, ast.Constant(0))
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        """Make every argument one that a call may name or not."""
        self.generic_visit(node)
        node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.defaults = [*node.defaults, *(each for each in node.kw_defaults if each is not None)]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Drop what a call only asserts, and which number stands for a length that is left."""
        self.generic_visit(node)
        if ast.unparse(node.func) == "zip":
            node.keywords = []
        if ast.unparse(node.func).endswith("dataclass"):
            node.keywords = [each for each in node.keywords if each.arg not in ("frozen", "slots")]
        if ast.unparse(node.func).endswith(".reshape"):
            node.args = [ast.Constant(-1) if is_negative(each) else each for each in node.args]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Drop whether a class is final."""
        self.generic_visit(node)
        node.decorator_list = [each for each in node.decorator_list if ast.unparse(each) != "final"]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Write `not a == b` as `a != b`."""
        self.generic_visit(node)
        inner = node.operand
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.Compare) and len(inner.ops) == 1:
            inner.ops = [OPPOSITES[type(inner.ops[0])]()]
            return inner
        return node


def is_negative(node: ast.expr) -> bool:
    """Return whether a node is a negative number: ``-1`` or ``~1``."""
    signed = isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert))
    return signed and isinstance(node.operand, ast.Constant)


PAIRS = [
    *((ast.Eq, ast.NotEq), (ast.Lt, ast.GtE), (ast.Gt, ast.LtE)),
    *((ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
]
OPPOSITES = dict([*PAIRS, *((right, left) for left, right in PAIRS)])


if __name__ == "__main__":
    json.dump(list(changed(Path(sys.argv[1]).read_text("utf-8"))), sys.stdout)
