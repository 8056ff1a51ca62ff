"""An opened TorchScript archive as a network."""

from __future__ import annotations

import functools
import io
import math
import warnings
from collections.abc import Mapping
from typing import Any, final

from conformance.runtimes._protocol import Array, ModelSource
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
from conformance.runtimes.pytorch.outside import check_outside
from conformance.runtimes.pytorch.script_archive import ScriptArchive
from conformance.runtimes.pytorch.script_graph import Graph
from conformance.runtimes.pytorch.script_ports import input_ports, named_outputs, output_ports
from conformance.runtimes.pytorch.settings import (
    safe_globals,
    settings_of,
    settled,
    torch_for,
    versions,
)
from conformance.runtimes.pytorch.stored import (
    StoredTensors,
    check_overlaps,
    check_ties,
    sort_tensors,
)
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
        self._sorted = sort_tensors(objects.registered, self.file, source.limit_bytes)
        self._check_overlaps()
        self._all = StoredTensors(objects.registered, self._archive.data)
        self.parameters = self._all.only(self._sorted.parameters)
        self.constants = self._all.only({**self._sorted.constants, **self._sorted.aliases})
        self._spare: Any = self._blank()
        schema, graph = self._inspected(self._spare)
        self.inputs = input_ports(schema, self.file)
        self.outputs = output_ports(schema, graph, self.file)
        used = objects.read_by(graph.attributes_read())
        self.unused_parameters = tuple(
            name for name, tensor in self._sorted.parameters.items() if tensor.place not in used
        )
        self.unused_files = source.display[1:]
        self.versions = versions()
        self.settings = settings_of(self._torch)

    def check_replaceable(self) -> None:
        """Raise UnsupportedError if the model has parameters that a replacement cannot reach."""
        objects, unused = self._archive.objects, set(self.unused_parameters)
        listed = self._archive.code.values + objects.values
        listed += sum(tensor.elements for tensor in self._sorted.constants.values())
        parameters = self._sorted.parameters.items()
        used = sum(math.prod(t.shape) for name, t in parameters if name not in unused)
        check_outside(objects.outside, listed, used, self.file)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def _check_overlaps(self) -> None:
        objects = self._archive.objects
        named = {**self._sorted.parameters, **self._sorted.constants}
        check_overlaps({**named, **objects.loose}, self.file)

    @functools.cached_property
    def _clean(self) -> io.BytesIO:
        """The archive with zeros for parameters and buffers, which takes few bytes."""
        return self._archive.clean_copy()

    def _blank(self) -> Any:
        """Return the module as stored, but with zeros for parameters and buffers."""
        self._clean.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = self._loaded()
            module.eval()
        except self._faults as error:
            raise refused_model(error, self.file, "code") from error
        self._check_state(self._state_of(module))
        return module

    def _loaded(self) -> Any:
        """Do what ``torch.jit.load`` does, and keep the functions that it compiles."""
        torch = self._torch
        self._unit = torch._C.CompilationUnit()
        inside = torch._C.import_ir_module_from_buffer(
            self._unit, self._clean.read(), torch.device("cpu"), {}, False
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
                    mend="Save the model again with torch.jit.save.",
                )

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        given = tensors if tensors is not None else {}
        check_ties(given, self._sorted.aliases, self.file)
        module = self._spare if self._spare is not None else self._blank()
        self._spare = None
        state = self._state_of(module)
        for name, tensor in state.items():
            first = self._sorted.aliases.get(name, name)
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
