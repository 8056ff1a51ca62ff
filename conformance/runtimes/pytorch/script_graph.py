"""The compiled graph of a TorchScript module: what it reads, and whether it may be run.

``Graph`` is the forward method with every call put in its place, and with the settings of the
modules (``training``, which is off by then) as constants, so that branches for training are gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NoReturn, final

from conformance.runtimes.pytorch.operators import HIDING, UNKNOWN, is_random, refusal, trains
from conformance.runtimes.pytorch.script_size import check_size, nodes_of
from conformance.runtimes.pytorch.script_words import check_words
from conformance.verdicts import Location, UnsupportedError

_PRIM = frozenset(
    word
    for line in (
        "AutogradZero Constant ConstantChunk DictConstruct EnumName EnumValue GetAttr If",
        "IfThenElse ListConstruct ListUnpack Loop ModuleContainerIndex NumToTensor RaiseException",
        "StringIndex TupleConstruct TupleIndex TupleSlice TupleUnpack Uninitialized VarConcat",
        "VarStack abs device dtype index is_cpu is_cuda is_meta is_mkldnn is_mps is_nested",
        "is_quantized is_sparse is_sparse_csr is_xla is_xpu isinstance itemsize layout max min",
        "name nbytes rangelist requires_grad tolist type unchecked_cast unchecked_unwrap_optional",
    )
    for word in line.split()
)
"""Operators of the language that compute, choose or take apart; none prints, forks or creates."""

_SETTINGS = {"BoolType", "IntType", "FloatType", "StringType", "NoneType", "OptionalType"}
_KEPT = {"ListType", "DictType", "TensorType"}
READ = "prim::GetAttr"
"""The operator that reads an attribute."""

_STATE = "Export the network in inference mode, with its state as input and output."
_INFERENCE = "Call eval() on the module before it is scripted or traced."


@final
class Graph:
    """The forward method of ``module``, checked; UnsupportedError if it may not be run.

    ``unit`` are the compiled functions that the module calls, LimitError for too many calls.
    ``registered`` are the names of parameters and buffers; each run looks whether it wrote to them.
    """

    def __init__(
        self, torch: Any, module: Any, unit: Any, registered: Collection[str], file: str
    ) -> None:
        check_size(unit, module._c._get_method("forward").graph, file)
        self._torch = torch
        self._file = file
        self._module = module._c
        graph = module.inlined_graph.copy()
        self._own = next(iter(graph.inputs())).debugName()
        self._graph = graph
        for node in nodes_of(graph):
            self._check_namespace(node)
        self._check_hidden_writes()
        self._settle()
        check_words(graph, file)
        torch._C._jit_pass_constant_propagation_immutable_types(graph)
        torch._C._jit_pass_dce(graph)
        for node in nodes_of(graph):
            self._check(node)
        self._check_writes(registered)

    def nodes(self) -> Iterator[Any]:
        """Yield every node, those of branches and loops included."""
        return nodes_of(self._graph)

    def input_names(self) -> list[str]:
        """Return the names of the values that the graph takes, but for the module itself."""
        return [value.debugName() for value in list(self._graph.inputs())[1:]]

    def output_names(self) -> list[str]:
        """Return the names of the values that the graph gives."""
        return [value.debugName() for value in self._graph.outputs()]

    def attribute(self, node: Any) -> str:
        """Return the path of the attribute that a node reads; empty if it is computed."""
        return ".".join(self._path(node.output()))

    def attributes_read(self) -> frozenset[str]:
        """Return the paths of all attributes that the graph reads.

        A module of which only attributes are read is none: others in it may be idle.
        """
        reads = (node for node in self.nodes() if node.kind() == READ and not _is_way(node))
        return frozenset(filter(None, map(self.attribute, reads)))

    def output_keys(self) -> tuple[str, ...] | None:
        """Return the keys of the dictionary that the graph returns; None if they are computed."""
        made = next(iter(self._graph.outputs())).node()
        if made.kind() != "prim::DictConstruct":
            return None
        keys = [constant_of(value) for value in list(made.inputs())[::2]]
        texts = tuple(key for key in keys if isinstance(key, str))
        return texts if len(texts) == len(keys) else None

    def _settle(self) -> None:
        """Put the value of every attribute that is a setting in the place of its reading."""
        for node in list(nodes_of(self._graph)):
            if node.kind() != READ or node.output().type().kind() not in _SETTINGS:
                continue
            path = self._path(node.output())
            known, value = self._attribute(path)
            if known and isinstance(value, bool | int | float | str | None):
                self._graph.setInsertPoint(node)
                node.output().replaceAllUsesWith(self._graph.insertConstant(value))
        # The passes that follow may remove the node of the last insertion, and abort if they do.
        self._graph.setInsertPoint(self._graph.return_node())

    def _attribute(self, path: tuple[str, ...]) -> tuple[bool, Any]:
        value = self._module
        for name in path:
            if not hasattr(value, "getattr"):
                return False, None
            value = value.getattr(name)
        return bool(path), value

    def _path(self, value: Any) -> tuple[str, ...]:
        """Return the attributes that lead from the module to ``value``; empty if none do."""
        names: list[str] = []
        while value.node().kind() == READ:
            names.append(value.node().s("name"))
            value = next(iter(value.node().inputs()))
        return tuple(reversed(names)) if value.debugName() == self._own else ()

    def _check_namespace(self, node: Any) -> None:
        """Refuse what must not even be folded: operators of others, and those that touch files."""
        namespace, _, name = node.kind().partition("::")
        reason = refusal(self._torch, name) if namespace == "aten" else None
        if namespace not in ("aten", "prim"):
            self._refuse(node, "it belongs to another library, or to packed and quantised tensors")
        if reason is not None and not is_random(reason):
            self._refuse(node, reason)

    def _check(self, node: Any) -> None:
        namespace, _, name = node.kind().partition("::")
        if node.kind() == "prim::SetAttr":
            self._unsupported(node, "the network changes its own attributes when it runs", _STATE)
        if namespace == "prim" and name not in _PRIM:
            self._refuse(node, "it prints, creates objects or runs something aside")
        reason = refusal(self._torch, name) if namespace == "aten" else None
        if reason is not None and is_random(reason):
            self._unsupported(
                node,
                "the network draws random numbers, so that no run repeats another",
                "Export the network for inference, without operators that draw random numbers.",
            )
        argument = (
            trains(name, lambda wanted: _named(node, wanted)) if namespace == "aten" else None
        )
        if argument is not None:
            self._unsupported(
                node,
                f"the network cannot be put into inference mode: {argument!r} is not off",
                _INFERENCE,
            )

    def _check_writes(self, registered: Collection[str]) -> None:
        """Refuse a graph that writes to a list, or to a tensor that is no parameter or buffer."""
        aliases = self._graph.alias_db()
        for node in nodes_of(self._graph):
            if node.kind() not in (READ, "prim::Constant"):
                continue
            kept = node.output().type().kind() in _KEPT
            named = ".".join(self._path(node.output())) in registered
            if kept and not named and aliases.has_writers(node.output()):
                self._unsupported(
                    node, "the network changes its own attributes when it runs", _STATE
                )

    def _check_hidden_writes(self) -> None:
        """Refuse operators that hide writes, if there are any: a run would not see them.

        Nor would the passes that remove dead code: they take a write after one for dead.
        """
        nodes = list(nodes_of(self._graph))
        if any("!" in node.schema() for node in nodes):
            for node in nodes:
                if node.kind().removeprefix("aten::") in HIDING:
                    self._refuse(node, "it hides what another operator writes to a tensor")

    def _refuse(self, node: Any, reason: str) -> NoReturn:
        self._unsupported(
            node,
            f"the network uses an operator that is not run here: {node.kind()}",
            "Export the network with operators of PyTorch that compute on tensors.",
            f"{node.kind()}: {reason}",
        )

    def _unsupported(self, node: Any, message: str, fix: str, found: str = "") -> NoReturn:
        attribute = f" {node.s('name')}" if node.kind() in (READ, "prim::SetAttr") else ""
        raise UnsupportedError(
            message,
            where=Location(self._file, element=f"forward: {node.kind()}{attribute}"),
            expected="outputs that depend on inputs and parameters alone",
            found=found or f"{node.kind()}{attribute}",
            fix=fix,
        )


def _named(node: Any, name: str) -> object:
    """Return an argument of a node by its name, or UNKNOWN if it is computed."""
    try:
        return constant_of(node.namedInput(name))
    except (RuntimeError, IndexError):
        return UNKNOWN


def constant_of(value: Any) -> object:
    """Return the value of a constant, or UNKNOWN for what is computed."""
    return value.toIValue() if value.node().kind() == "prim::Constant" else UNKNOWN


def _is_way(node: Any) -> bool:
    """Return whether a reading of a module only leads to attributes of it."""
    value = node.output()
    is_module = value.type().kind() == "ClassType"
    return is_module and all(use.user.kind() == READ for use in value.uses())
