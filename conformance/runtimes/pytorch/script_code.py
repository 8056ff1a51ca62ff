"""The code of a TorchScript archive, read before PyTorch compiles any of it.

TorchScript is its own language, but what PyTorch writes of it is also Python, and is parsed as
such: parsed, never run. Compiling it would run the default values of arguments, constants of
classes and ``__setstate__``; so these may be plain values only, or not be there at all. What is
left runs when the network runs, and by then its operators were checked in the compiled graph.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from conformance.runtimes.pytorch.literals import MAX_LISTED, loose, may_be_learned, sizes_among
from conformance.runtimes.pytorch.script_depth import (
    check_depth,
    check_folding,
    check_tuples,
)
from conformance.runtimes.pytorch.script_text import Source, parsed
from conformance.runtimes.roles import StoredTensor

MAX_BYTES = 16 << 20
"""Bytes of all code of an archive."""

_NAMESPACES = frozenset({"aten", "prim"})
_BASES = frozenset({"Module", "NamedTuple", "Enum", "Interface", "ModuleInterface"})
_RUN_AT_LOAD = frozenset({"__setstate__", "__getstate__"})
_PLAIN = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.List, ast.Tuple, ast.Dict),
    *(ast.UnaryOp, ast.USub, ast.UAdd, ast.expr_context),
)
_HOOKS = ("__forward_hooks__", "__forward_pre_hooks__")
_ANNOTATIONS = ("__annotations__",)
_PARAMETERS, _BUFFERS = "__parameters__", "__buffers__"


@dataclass(slots=True)
class Code:
    """What is known of all code: tensors that classes register, and how much data it holds.

    ``parameters`` and ``buffers`` are attribute names by the qualified name of the class;
    ``attributes`` are all that the class stores. ``literals`` are the values in the code that are
    no sizes or messages.
    """

    parameters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    buffers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: dict[str, set[str]] = field(default_factory=dict)
    literals: list[StoredTensor] = field(default_factory=list)

    def registers(self, kind: str) -> tuple[str, ...]:
        """Return the attributes of a class that are in a state dict, parameters first."""
        return self.parameters.get(kind, ()) + self.buffers.get(kind, ())


def read_code(texts: Mapping[str, bytes], file: str) -> Code:
    """Check every file of code, by the name of its member ``code/….py``.

    Raises MalformedError for what PyTorch does not write, LimitError for code that is nested or
    calls too deeply, UnsupportedError for code that would run on loading and for
    operators of others.
    """
    code = Code()
    trees: list[tuple[Source, ast.Module]] = []
    sizes: list[int] = []
    for member, data in texts.items():
        module = member.removeprefix("code/").removesuffix(".py").replace("/", ".")
        source = Source(file, member, module)
        tree = parsed(source, data)
        for statement in tree.body:
            _check_top(source, statement, code)
        code.literals += _literals_in(source, tree, sizes)
        for node in ast.walk(tree):
            _check_operator(source, node)
        check_tuples(source, tree)
        check_folding(source, tree)
        trees.append((source, tree))
    if sizes:
        code.literals.append(loose("sizes in the code", sizes))
    check_depth(trees)
    return code


def _check_top(source: Source, statement: ast.stmt, code: Code) -> None:
    if isinstance(statement, ast.FunctionDef):
        _check_function(source, statement)
    elif isinstance(statement, ast.ClassDef):
        _check_class(source, statement, code)
    else:
        raise source.malformed(
            "code holds a statement outside functions and classes",
            statement.lineno,
            "functions and classes",
            type(statement).__name__,
        )


def _check_class(source: Source, node: ast.ClassDef, code: Code) -> None:
    bases = {base.id if isinstance(base, ast.Name) else "" for base in node.bases}
    if not bases <= _BASES or node.keywords or node.decorator_list:
        raise source.malformed(
            "a class is declared as PyTorch does not",
            node.lineno,
            f"no base, or one of {', '.join(sorted(_BASES))}",
            ast.unparse(node).splitlines()[0][:80],
        )
    name = f"{source.module}.{node.name}"
    code.parameters[name], code.buffers[name], code.attributes[name] = (), (), set()
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef):
            _check_function(source, statement)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            _check_plain(source, statement.value)
            if statement.value is None:
                code.attributes[name].add(statement.target.id)
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            _check_assignment(source, statement, name, code)
        elif not isinstance(statement, ast.Pass):
            raise source.malformed(
                "a class holds a statement that PyTorch does not write",
                statement.lineno,
                "attributes and methods",
                type(statement).__name__,
            )


def _check_assignment(source: Source, statement: ast.Assign, name: str, code: Code) -> None:
    (target,) = statement.targets
    if isinstance(target, ast.Name) and target.id in (_PARAMETERS, _BUFFERS):
        table = code.parameters if target.id == _PARAMETERS else code.buffers
        table[name] = tuple(_names_in(source, statement))
    elif isinstance(target, ast.Name) and target.id in _HOOKS and _names_in(source, statement):
        source.unsupported(
            "a module has hooks",
            statement.lineno,
            target.id,
            "Remove the hooks before exporting the network.",
        )
    else:
        annotated = _annotated(target)
        if annotated is None:
            _check_plain(source, statement.value)
        else:
            code.attributes[name].add(annotated)


def _annotated(target: ast.expr) -> str | None:
    """Return the attribute of ``__annotations__["0"] = …``, whose name is not an identifier.

    What it is set to is a type, and computes nothing.
    """
    if isinstance(target, ast.Subscript) and _path_of(target.value) == _ANNOTATIONS:
        key = target.slice
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
    return None


def _names_in(source: Source, statement: ast.Assign) -> list[str]:
    elements = statement.value.elts if isinstance(statement.value, ast.List) else [statement.value]
    names = [e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]
    if len(names) != len(elements):
        raise source.malformed(
            "a list of names holds something else",
            statement.lineno,
            "names of attributes",
            ast.unparse(statement)[:80],
        )
    return names


def _check_function(source: Source, node: ast.FunctionDef) -> None:
    if node.name in _RUN_AT_LOAD:
        source.unsupported(
            f"the code defines {node.name}, which runs when the model is loaded",
            node.lineno,
            node.name,
            "Export a network without quantised or packed modules, and without __setstate__.",
        )
    if node.decorator_list or node.args.vararg or node.args.kwarg:
        raise source.malformed(
            "a function is declared as PyTorch does not",
            node.lineno,
            "no decorators, and no arguments with an asterisk",
            node.name[:80],
        )
    for default in (*node.args.defaults, *node.args.kw_defaults):
        _check_plain(source, default)


def _check_plain(source: Source, node: ast.expr | None) -> None:
    """Refuse an expression that would compute something when the code is loaded."""
    for part in ast.walk(node) if node is not None else ():
        if not isinstance(part, _PLAIN):
            source.unsupported(
                "a constant or a default value is computed when the model is loaded",
                getattr(part, "lineno", node.lineno if node is not None else 0),
                ast.unparse(part)[:80],
                "Export the network with plain constants and default values.",
            )


def _check_operator(source: Source, node: ast.AST) -> None:
    """Refuse operators of other libraries, and functions that hide the name of an attribute."""
    if isinstance(node, ast.FunctionDef) and node.name in _RUN_AT_LOAD:
        _check_function(source, node)
    path = _path_of(node) if isinstance(node, ast.Attribute) else ()
    if path[:1] == ("ops",) and len(path) == 3 and path[1] not in _NAMESPACES:  # noqa: PLR2004
        source.unsupported(
            f"the network uses an operator that PyTorch itself has not: {'::'.join(path[1:])}"[
                :300
            ],
            getattr(node, "lineno", 0),
            f"ops.{path[1]}.{path[2]}"[:300],
            "Export the network with operators of PyTorch only, and not quantised.",
        )
    if ("torch", "classes") in (path[:2], path[1:3]):
        source.unsupported(
            "the network uses a class of a library",
            getattr(node, "lineno", 0),
            ".".join(path)[:300],
            "Export the network with operators of PyTorch only, and not quantised.",
        )


def _path_of(node: ast.expr) -> tuple[str, ...]:
    """Return ``a.b.c`` as its names; empty for an attribute of anything but a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _literals_in(source: Source, tree: ast.Module, sizes: list[int]) -> Iterator[StoredTensor]:
    """Yield the values in the code that are not shapes or messages, those of a list together.

    What may be a size is added to ``sizes``.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        children, values = list(ast.iter_child_nodes(node)), list[object]()
        if _names_attributes(node):
            continue
        if isinstance(node, ast.List | ast.Tuple | ast.Dict):
            leaves = list(_leaves(node))
            if len(leaves) > MAX_LISTED and not isinstance(getattr(node, "ctx", None), ast.Store):
                values = [_value(leaf) for leaf in leaves]
                children = [leaf for leaf in leaves if not _is_literal(leaf)]
        elif isinstance(node, ast.Constant):
            values = [node.value] if may_be_learned(node.value) else []
            sizes += sizes_among([node.value])
        if values:
            yield loose(str(source.where(getattr(node, "lineno", None)).element), values)
        waiting += reversed(children)


def _names_attributes(node: ast.AST) -> bool:
    """Return whether a statement lists parameters or buffers by name, which no code can read."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    return node.targets[0].id in (_PARAMETERS, _BUFFERS)


def _leaves(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a list holds that is not a list itself."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.List | ast.Tuple):
            waiting += reversed(each.elts)
        elif isinstance(each, ast.Dict):
            waiting += [*reversed(each.values), *(key for key in each.keys if key is not None)]
        else:
            yield each


def _is_literal(node: ast.AST) -> bool:
    """Return whether a part of a list is a number or a short text, and no expression."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if not isinstance(node, ast.Constant):
        return False
    return not isinstance(node.value, str) or not may_be_learned(node.value)


def _value(node: ast.AST) -> object:
    """Return a literal, or else what distinguishes an expression from others."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and _is_literal(node):
        return -ast.literal_eval(node.operand)
    path = _path_of(node) if isinstance(node, ast.Name | ast.Attribute) else ()
    return path or (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
