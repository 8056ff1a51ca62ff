"""An opened TorchScript archive as a network."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, final

from conformance.runtimes._protocol import Array, ModelSource, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.pytorch.exchange import (
    fill,
    to_array,
    to_tensor,
    unchanged,
    versions_of,
)
from conformance.runtimes.pytorch.faults import failed_run, faults_of_scripts, refused_model
from conformance.runtimes.pytorch.script_archive import ScriptArchive
from conformance.runtimes.pytorch.script_graph import Graph
from conformance.runtimes.pytorch.script_ports import input_ports, named_outputs, output_ports
from conformance.runtimes.pytorch.script_uses import ScriptUses
from conformance.runtimes.pytorch.settings import (
    safe_globals,
    settings_of,
    settled,
    torch_for,
    versions,
)
from conformance.runtimes.pytorch.stored import (
    StoredTensors,
    sort_tensors,
    stored_as,
)
from conformance.runtimes.roles import Inventory
from conformance.verdicts import Location, MalformedError

FORMAT = "torchscript"


@final
class TorchScriptNetwork(ParameterNetwork):
    """A TorchScript module; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        self._torch = torch_for(FORMAT)
        self._faults = faults_of_scripts(self._torch)
        self._archive = ScriptArchive(source)
        self._archive.check_beside(safe_globals(self._torch))
        objects = self._archive.objects
        every = objects.every
        may_share = every.keys() - objects.registered.keys()
        self._sorted = sort_tensors(every, self.file, source.limit_bytes, may_share)
        self._all = StoredTensors(every, self._archive.data)
        self._spare: Any = self._blank({})
        schema, graph = self._inspected(self._spare)
        self.inputs = input_ports(schema, self.file)
        self.outputs = output_ports(schema, graph, self.file)
        self.inventory = self._inventory(graph)
        self.unused_files = source.display[1:]
        self.versions = versions()
        self.settings = settings_of(self._torch)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def _unread(self) -> Iterator[Unread]:
        return self._archive.unread()

    def _inventory(self, graph: Graph) -> Inventory:
        """Return every tensor that is stored: parameters, buffers, attributes and constants."""
        objects, tensors = self._archive.objects, self._sorted.tensors
        by_path = objects.by_path()
        uses = ScriptUses(
            self._torch,
            graph,
            {name: len(tensor.shape) for name, tensor in tensors.items()},
            lambda path: list({self._first(name) for name in by_path.get(path, ())}),
            {name: self._all[name] for name in objects.constants if name in tensors},
        )
        paths = graph.attributes_read()
        read = {self._first(name) for path in paths for name in by_path.get(path, ())} | uses.read
        stored = [
            stored_as(
                tensor,
                name,
                self._all,
                uses.of.get(name, frozenset()),
                is_needed=name in read,
                is_replaceable=name not in self._sorted.shared,
            )
            for name, tensor in tensors.items()
        ]
        return Inventory(
            stored,
            file=self.file,
            aliases=self._sorted.aliases,
            loose=[*self._archive.code.literals, *objects.literals],
            operators=sum(node.kind().startswith("aten::") for node in graph.nodes()),
        )

    def _first(self, name: str) -> str:
        return self._sorted.aliases.get(name, name)

    @functools.cached_property
    def _clean(self) -> bytes:
        """The archive with zeros for parameters and buffers, which takes few bytes."""
        return self._archive.clean_copy({})

    def _blank(self, given: Mapping[str, Array]) -> Any:
        """Return the module as stored, but with zeros for parameters and buffers.

        Attributes and constants that ``given`` has are those, all others the module's own.
        """
        data = self._archive.clean_copy(given) if given else self._clean
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = self._loaded(data)
            module.eval()
        except self._faults as error:
            raise refused_model(error, self.file, "code") from error
        self._check_state(self._state_of(module))
        return module

    def _loaded(self, data: bytes) -> Any:
        """Do what ``torch.jit.load`` does, and keep the functions that it compiles."""
        torch = self._torch
        self._unit = torch._C.CompilationUnit()
        inside = torch._C.import_ir_module_from_buffer(
            self._unit, data, torch.device("cpu"), {}, False
        )
        return torch.jit._recursive.wrap_cpp_module(inside)

    def _inspected(self, module: Any) -> tuple[Any, Graph]:
        """Return the schema of the forward method, and its graph."""
        try:
            schema = module._c._get_method("forward").schema
            registered = self._archive.objects.registered
            return schema, Graph(self._torch, module, self._unit, registered, self.file)
        except self._faults as error:
            raise refused_model(error, self.file, "forward") from error

    def _state_of(self, module: Any) -> dict[str, Any]:
        """Return parameters and buffers by name, under every one of their names."""
        named = (module.named_parameters, module.named_buffers)
        return {n: t for each in named for n, t in each(remove_duplicate=False)}

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Make sure that what PyTorch loaded has the tensors that were found in the archive."""
        registered = self._archive.objects.registered
        expected = {name: f"{t.dtype.name} {list(t.shape)}" for name, t in registered.items()}
        found = {
            name: f"{str(t.dtype).removeprefix('torch.')} {list(t.shape)}"
            for name, t in state.items()
        }
        for name in sorted({**expected, **found}):
            if expected.get(name) != found.get(name):
                raise MalformedError(
                    f"{name!r} is not the same in the stored objects and in the loaded module",
                    where=Location(self.file, element=name),
                    expected=expected.get(name, "no such tensor"),
                    found=found.get(name, "no such tensor"),
                    fix="Save the model again with torch.jit.save.",
                )

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        given = tensors if tensors is not None else {}
        objects = self._archive.objects
        others = (*objects.kept, *objects.constants)
        replaced = {n: given[self._first(n)] for n in others if self._first(n) in given}
        # The graph was checked without folding tensors: it is the same whatever their values are.
        if replaced or self._spare is None:
            module = self._blank(replaced)
        else:
            module, self._spare = self._spare, None
        state = self._state_of(module)
        for name, tensor in state.items():
            first = self._first(name)
            fill(self._torch, tensor, given[first] if first in given else self._all[first])
        return self._run(module, state)

    def _run(self, module: Any, state: Mapping[str, Any]) -> Run:
        torch, file, outputs, faults = self._torch, self.file, self.outputs, self._faults

        def compute(inputs: Mapping[str, Array]) -> dict[str, Array]:
            try:
                before = versions_of(state)
                arguments = {name: to_tensor(torch, array) for name, array in inputs.items()}
                with settled(torch):
                    returned = named_outputs(outputs, module.forward(**arguments))
                found = {name: to_array(tensor, name, file) for name, tensor in returned.items()}
            except faults as error:
                raise failed_run(error, file, "forward") from error
            unchanged(state, before, file)
            return found

        return compute
