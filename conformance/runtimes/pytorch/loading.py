"""What is not needed to judge an archive, but runs where somebody opens it with PyTorch.

``torch.export.load`` unpickles the example inputs (without ``weights_only`` if that fails),
evaluates the expressions of sizes, imports what the trees of inputs name, and writes names and
guards into source code that it executes. None of that is done here. Each of these parts must be
what ``torch.export.save`` writes, and nothing that runs.

``torch.jit.load`` runs no pickle of an archive: it reads them in C++, which knows no Python. But a
pickle next to the network is there to be opened by somebody, so that the same rule holds for it.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Collection, Iterable
from typing import NoReturn, final

from conformance.runtimes.pytorch.archive import Archive
from conformance.runtimes.pytorch.json_view import View
from conformance.runtimes.pytorch.pickled import MAX_BYTES, Place, check_globals, is_pickle
from conformance.runtimes.pytorch.rebuilding import BUILDERS
from conformance.verdicts import ConformanceError, Json, LimitError, MalformedError

EXAMPLES = "data/sample_inputs/model.pt"
_STATE = re.compile(r"data/\w+|byteorder|version|\.data/(version|serialization_id)", re.ASCII)
_STATE_SETTINGS = (".format_version", ".storage_alignment")
_WITHOUT = (
    "Export the program with tensors, tuples, lists and dictionaries as example inputs, or set "
    "program.example_inputs = None before torch.export.save."
)
_EMPTIED = "Save the model without extra files, and without records that need Python to be read."
_ZIP, _PROTOCOL = b"PK\3\4", b"\x80"
_AGAIN = "Save the program again with torch.export.save: the file was edited."

_SHAPES = """
    Abs Add And BooleanFalse BooleanTrue CeilDiv CeilToInt CleanDiv Eq Equality Float FloatPow
    FloatTrueDiv FloorDiv FloorToInt GreaterThan Half ITE Identity Infinity IntInfinity IntTrueDiv
    Integer IsNonOverlappingAndDenseIndicator LShift LessThan Max Min Mod ModularIndexing Mul Ne
    NegativeIntInfinity NegativeInfinity NegativeOne Not One Or Piecewise Pow PowByNatural
    PythonMod RShift Rational RoundDecimal RoundToInt StrictGreaterThan StrictLessThan Symbol
    ToFloat TruncToFloat TruncToInt Tuple Unequality Where Zero ceiling floor
    """
_GUARDS = """
    Abs CeilToInt Eq FloatPow FloatTrueDiv FloorDiv FloorToInt Ge Gt
    IsNonOverlappingAndDenseIndicator IntTrueDiv Le Lt Max Min Mod ModularIndexing Ne
    PowByNatural PythonMod RoundDecimal RoundToInt ToFloat TruncToFloat TruncToInt
    cast_symbool_to_symint_guardless max min abs bool float int len round
    """
_GUARD_METHODS = """
    ceil dim floor isinf isnan item log2 numel pow size sqrt storage_offset stride sym_float
    sym_int sym_ite sym_max sym_min sym_not trunc
    """
SHAPES = frozenset(_SHAPES.split())
"""What expressions of sizes call: functions of SymPy and PyTorch that compute numbers."""

GUARDS = frozenset(_GUARDS.split())
"""What guards call: the same, as Python."""

METHODS = frozenset(_GUARD_METHODS.split())
"""What guards call of a tensor, or of the modules math and torch."""

_GUARD_NAMES = frozenset({"L", "inf", "math", "torch"})
_SYMBOL = re.compile(r"-?[a-z]+\d+|oo|int_oo|zoo|nan", re.ASCII)
_WORD = re.compile(r"\w{1,64}|-?[\d.]+(e[+-]?\d+)?", re.ASCII)
_KEY = re.compile(r"[^'\"\\\x00-\x1f\x7f]*")
_FACTORIES = frozenset({"bool", "complex", "dict", "float", "int", "list", "set", "str", "tuple"})
_EVALUATED = (
    *(ast.Expression, ast.Constant, ast.Call, ast.Name, ast.Load, ast.keyword),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop),
    *(ast.boolop, ast.cmpop, ast.Tuple),
)
_GUARDED = (*_EVALUATED, ast.Attribute, ast.Subscript, ast.IfExp)
_MAX_EXPRESSION = 1 << 16
_TREES = ("in_spec", "out_spec")
_MAX_DEPTH = 100


def check_examples(archive: Archive, allowed: Collection[str]) -> None:
    """Raise ConformanceError if loading the example inputs would run code.

    ``allowed`` are the globals that ``torch.load`` accepts with ``weights_only=True``: a pickle
    with no others runs nothing.
    """
    if EXAMPLES not in archive or archive.size_of(EXAMPLES) == 0:
        return
    inner = _opened(archive, EXAMPLES)
    try:
        for name in inner.members:
            # With constants.pkl, for example, torch.load would take it for TorchScript.
            if name != "data.pkl" and not _STATE.fullmatch(name) and name not in _STATE_SETTINGS:
                raise ConformanceError(
                    "the example inputs are not what torch.save writes",
                    where=archive.where(EXAMPLES, name),
                    expected="data.pkl, and the data of its tensors",
                    found=repr(name),
                    fix=_WITHOUT,
                )
        place = Place(archive.display, f"{EXAMPLES}: data.pkl")
        check_globals(inner.read("data.pkl", MAX_BYTES), place, allowed, _WITHOUT)
    finally:
        inner.close()


def check_beside(archive: Archive, names: Iterable[str], allowed: Collection[str]) -> None:
    """Raise ConformanceError if one of the members ``names`` is a pickle that holds code.

    Members that are not pickles, or a damaged one, do not matter: nothing loads them.
    """
    known = {*allowed, *map(str, BUILDERS)}
    for name in names:
        data = archive.read(name, MAX_BYTES)
        if data.startswith(_ZIP):
            _check_nested(archive, name, known)
        elif name.endswith("pkl") or data.startswith(_PROTOCOL) or is_pickle(data):
            _check_pickle(data, Place(archive.display, name), known)


def _check_nested(archive: Archive, name: str, known: Collection[str]) -> None:
    try:
        inner = archive.nested(name)
    except ConformanceError:
        return  # a different kind of ZIP archive
    for each in filter(lambda member: member.endswith("pkl"), inner.members):
        place = Place(archive.display, f"{name}: {each}")
        _check_pickle(inner.read(each, MAX_BYTES), place, known)
    inner.close()


def _check_pickle(data: bytes, place: Place, known: Collection[str]) -> None:
    with contextlib.suppress(MalformedError):
        check_globals(data, place, known, _EMPTIED)


def check_document(text: str, file: str, member: str) -> frozenset[str]:
    """Raise ConformanceError if PyTorch would run something of this JSON document.

    Returns the types that its trees of inputs and outputs name. PyTorch imports none of them: it
    knows them, or it refuses the file.
    """
    document = _Document()
    document.check(View.of(text, file, member), "", 0)
    return frozenset(document.types)


@final
class _Document:
    """The walk over one document: each string is checked by what PyTorch makes of it."""

    def __init__(self) -> None:
        self.types: set[str] = set()

    def check(self, view: View, key: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            view.broken(f"at most {_MAX_DEPTH} levels")
        if isinstance(view.value, dict):
            for name, value in view.items():
                if name == "metadata" and _is_text(value.value):
                    continue  # for people: traces of the stack, names of modules
                if not _KEY.fullmatch(name):
                    _refuse(value, "a name", name)
                self.check(value, name, depth + 1)
        elif isinstance(view.value, list):
            for each in view.elements():
                self.check(each, key, depth + 1)
        elif isinstance(view.value, str):
            self._check_text(view, key, view.text())

    def _check_text(self, view: View, key: str, text: str) -> None:
        if key == "expr_str":
            if not _evaluates(text, _EVALUATED, SHAPES, frozenset()):
                _refuse(view, "an expression of a size", text)
        elif key == "guards_code":
            if not _evaluates(text, _GUARDED, GUARDS, _GUARD_NAMES):
                _refuse(view, "a guard", text)
        elif key in _TREES:
            tree = View.of(text, view.file, f"{view.member}: {key}")
            self._check_tree(tree, tree.value, 0)
        elif key in ("name", "as_name", "forward_arg_names"):
            if text and not text.isidentifier():
                _refuse(view, "a name", text)
        elif key not in ("as_string", "as_strings") and not _KEY.fullmatch(text):
            _refuse(view, "a name", text)

    def _check_tree(self, tree: View, value: Json, depth: int) -> None:
        """Check a tree of inputs or outputs: its nodes name types, with a context for each."""
        if depth > _MAX_DEPTH:
            tree.broken(f"at most {_MAX_DEPTH} levels")
        if isinstance(value, dict):
            imported = _imported(value)
            if imported is not None:
                _refuse(tree, "a tree of inputs or outputs", f"import {imported}")
            if isinstance(value.get("type"), str):
                self.types.add(value["type"])
            for name, each in value.items():
                self._check_tree(tree, name, depth + 1)
                nested = name == "context" and isinstance(each, str)
                self._check_tree(tree, _document_in(each) if nested else each, depth + 1)
        elif isinstance(value, list):
            for each in value:
                self._check_tree(tree, each, depth + 1)
        elif isinstance(value, str) and not _KEY.fullmatch(value):
            _refuse(tree, "a key of a tree of inputs or outputs", value)


def _opened(archive: Archive, name: str) -> Archive:
    try:
        return archive.nested(name)
    except LimitError:
        raise
    except ConformanceError as error:
        raise ConformanceError(
            "the example inputs are not what torch.save writes",
            where=archive.where(name),
            expected="an archive of torch.save, which torch.load reads with weights_only=True",
            found=f"{error.message}: {error.found}"[:200],
            fix=_WITHOUT,
        ) from error


def _is_text(value: Json) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _imported(node: dict[str, Json]) -> str | None:
    """Return what PyTorch imports for a part of a tree, None if that is harmless or nothing."""
    if "__enum__" in node:
        return str(node.get("fqn"))
    module, name = node.get("default_factory_module"), node.get("default_factory_name")
    if module is None or (module == "builtins" and name in _FACTORIES):
        return None
    return f"{module}.{name}"


def _document_in(text: str) -> Json:
    """Return what a context holds: mostly its own JSON, else a name."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _evaluates(
    text: str,
    kinds: tuple[type[ast.AST], ...],
    functions: Collection[str],
    names: Collection[str],
) -> bool:
    """Return whether an expression only computes numbers from sizes, by what it consists of."""
    if len(text) > _MAX_EXPRESSION or not text.isprintable():
        return False
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return all(
        isinstance(node, kinds) and _is_harmless(node, id(node) in called, functions, names)
        for node in nodes
    )


def _is_harmless(
    node: ast.AST, is_called: bool, functions: Collection[str], names: Collection[str]
) -> bool:
    if isinstance(node, ast.Name):
        known = node.id in functions or (not is_called and node.id in names)
        return known or (not is_called and _SYMBOL.fullmatch(node.id) is not None)
    if isinstance(node, ast.Attribute):
        return not node.attr.startswith("_") and (not is_called or node.attr in METHODS)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name | ast.Attribute)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(_KEY.fullmatch(node.value) if names else _WORD.fullmatch(node.value))
    return not isinstance(node, ast.Constant) or isinstance(node.value, int | float | None)


def _refuse(view: View, what: str, found: str) -> NoReturn:
    raise ConformanceError(
        f"{what} in the program holds code, which torch.export.load or the loaded program runs",
        where=view.where,
        expected="names, and arithmetic on sizes, as torch.export.save writes them",
        found=ascii(found[:200]),
        fix=_AGAIN,
    )
