"""Models of PyTorch: TorchScript, exported programs, and state dicts next to an ONNX graph.

Use it like this::

    with TorchScriptRuntime().open(source) as network:
        outputs = network.bind(decoded).run({"image": image})

PyTorch loads none of the submitted files. ``archive`` and ``zip_directory`` read their ZIP archive,
``pickled`` the pickles in it without running them; both refuse what PyTorch does not write.

- ``torchscript``: the code is checked (``script_code``), objects and tensors are assembled
  (``script_tree``, ``stored``), and PyTorch gets a clean copy with zeros for parameters
  (``script_archive``). ``script_graph`` decides whether the compiled graph may be run.
- ``torch-export``: the graph is JSON (``export_schema``, ``export_program``) and is computed
  operator by operator (``export_run``), without ``torch.export.load``.
- ``torch-state-dict``: the tensors (``state_dict``) become the initializers of an ONNX graph
  (``state_network``), which ONNX Runtime runs; PyTorch need not be installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from conformance.runtimes._protocol import Description, ModelSource, Network
from conformance.runtimes.libraries import library
from conformance.runtimes.pytorch.settings import torch_for

__all__ = ["ExportedProgramRuntime", "StateDictRuntime", "TorchScriptRuntime"]

_NO_LIMIT = 1 << 62


@final
class TorchScriptRuntime:
    """The runtime of the model format ``torchscript``: a file of ``torch.jit.save``."""

    runtime_id: ClassVar[str] = "torchscript"

    def open(self, source: ModelSource) -> Network:
        """Read and check a TorchScript archive, and compile its code.

        Raises MalformedError or LimitError for a broken file, UnsupportedError for a network that
        is not run here, ConformanceError for members that are not part of it, NotRunError without
        PyTorch.
        """
        from conformance.runtimes.pytorch.script_network import TorchScriptNetwork

        return TorchScriptNetwork(source)

    def import_libraries(self) -> None:
        """Import PyTorch; NotRunError if it is not installed."""
        torch_for(self.runtime_id)

    def describe(self, path: Path) -> Description:
        """Return what the archive at ``path`` says about itself; errors as for ``open``."""
        return _described(self.open(_alone(path)))


@final
class ExportedProgramRuntime:
    """The runtime of the model format ``torch-export``: a file of ``torch.export.save``."""

    runtime_id: ClassVar[str] = "torch-export"

    def open(self, source: ModelSource) -> Network:
        """Read and check an exported program.

        Raises MalformedError or LimitError for a broken file, UnsupportedError for a program that
        is not run here, ConformanceError for members that are not part of it, NotRunError without
        PyTorch.
        """
        from conformance.runtimes.pytorch.export_network import ExportedNetwork

        return ExportedNetwork(source)

    def import_libraries(self) -> None:
        """Import PyTorch and its exporter; NotRunError if it is not installed."""
        torch_for(self.runtime_id)
        library("torch.export", self.runtime_id, "pytorch")

    def describe(self, path: Path) -> Description:
        """Return what the program at ``path`` says about itself; errors as for ``open``."""
        return _described(self.open(_alone(path)))


@final
class StateDictRuntime:
    """The runtime of the model format ``torch-state-dict``: weights, then the graph as ONNX."""

    runtime_id: ClassVar[str] = "torch-state-dict"

    def open(self, source: ModelSource) -> Network:
        """Read the tensors of a state dict, and the graph that they belong to.

        Raises MalformedError or LimitError for a broken file, UnsupportedError for a pickle that
        holds more than tensors, ConformanceError where the two files do not fit each other.
        """
        from conformance.runtimes.pytorch.state_network import StateDictNetwork

        return StateDictNetwork(source)

    def describe(self, path: Path) -> Description:
        """Return what the state dict at ``path`` and the graph next to it say; errors as for open.

        The graph is the file of the same name that ends in ``.onnx``, or else the only one next to
        it that ends so.
        """
        graph = _graph_beside(path)
        source = ModelSource(
            (path, graph) if graph.is_file() else (path,),
            (path.name, graph.name) if graph.is_file() else (path.name,),
            path.parent,
            _NO_LIMIT,
        )
        return _described(self.open(source), (graph.name,))


def _graph_beside(path: Path) -> Path:
    graph = path.with_suffix(".onnx")
    others = [each for each in path.parent.glob("*.onnx") if each.is_file()]
    return others[0] if len(others) == 1 and not graph.is_file() else graph


def _alone(path: Path) -> ModelSource:
    return ModelSource((path,), (path.name,), path.parent, _NO_LIMIT)


def _described(network: Network, external: tuple[str, ...] = ()) -> Description:
    with network:
        return Description(network.inputs, network.outputs, network.counts.parameters, external)
