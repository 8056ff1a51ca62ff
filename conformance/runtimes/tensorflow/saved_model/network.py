"""An opened SavedModel: its serving signature, its variables, and how they are run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, final

import numpy as np

from conformance.runtimes._protocol import Array, ModelSource, Unread
from conformance.runtimes.base import ParameterNetwork
from conformance.runtimes.batching import Run
from conformance.runtimes.dtypes import DType
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.roles import Inventory, MadeLate, StoredTensor, Use
from conformance.runtimes.tensorflow.computing import LoadedGraph
from conformance.runtimes.tensorflow.constants import Constants
from conformance.runtimes.tensorflow.dtypes import dtype_of
from conformance.runtimes.tensorflow.engine import (
    session_config,
    settings_of,
    tensorflow_for,
    versions,
)
from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.graphs import (
    Reach,
    batch_of,
    check_names,
    check_operators,
    check_settings,
    count_operators,
    drop_assertions,
    node_of,
    other_places,
    reach,
)
from conformance.runtimes.tensorflow.idle import FEWEST_IDLE, IDLE_USES, fix_for_unused
from conformance.runtimes.tensorflow.messages import message, parse
from conformance.runtimes.tensorflow.operators import COMPUTING, IDLE, SAVING
from conformance.runtimes.tensorflow.pruning import pruned
from conformance.runtimes.tensorflow.saved_model.checkpoint import Checkpoint
from conformance.runtimes.tensorflow.saved_model.files import Files, files_of
from conformance.runtimes.tensorflow.saved_model.loading import check_loading
from conformance.runtimes.tensorflow.saved_model.signature import serving_graph, serving_signature
from conformance.runtimes.tensorflow.saved_model.unread import unread_in_files, unread_in_graph
from conformance.runtimes.tensorflow.saved_model.variables import (
    Variable,
    plain_name,
    variables_of,
)
from conformance.runtimes.tensorflow.uses import MAIN, key_of
from conformance.verdicts import LimitError, Location

FORMAT = "savedmodel"

_MOST_GRAPH = 1 << 30


@final
class SavedModelNetwork(ParameterNetwork):
    """An opened SavedModel; see :class:`conformance.runtimes.Network`."""

    def __init__(self, source: ModelSource) -> None:
        super().__init__(source.display[0])
        tf = tensorflow_for(FORMAT)
        self._files = files = files_of(source)
        self._most_graph = min(source.limit_bytes, _MOST_GRAPH)
        meta_graph = _read_graph(files, self._most_graph)
        check_loading(meta_graph, files, FORMAT)
        signature = serving_signature(meta_graph, self.file)
        reached = _checked_reach(meta_graph, list(signature.fetched.values()), self.file)
        graph = pruned(meta_graph.graph_def, reached, session_config(tf))
        places = list(reach(graph, reached.nodes, self.file).places())
        constants = Constants(graph, signature.fetched, self.file, source.limit_bytes)
        self._checkpoint = Checkpoint(files, source.limit_bytes, FORMAT)
        self._variables = variables_of(meta_graph, reached, self._checkpoint, self.file, FORMAT)
        self._check_variables(reached)
        tensors = [*self._tensors(constants), *self._idle()]
        self._constants = _named_constants(constants, {each.name for each in tensors})
        self.inventory = Inventory(
            [*tensors, *self._constants.values()],
            file=self.file,
            aliases=_aliases(self._variables, {each.name for each in tensors}),
            loose=constants.loose,
            operators=count_operators(places),
        )
        self.free_batch = batch_of(places)
        self.unused_fix = fix_for_unused(self.unused_parameters)
        self._fetched = tuple(signature.fetched.values())
        self._loaded = LoadedGraph(graph, signature, self.file, FORMAT)
        self.inputs, self.outputs = signature.inputs, signature.outputs
        self.unused_files = (*files.unused, *self._checkpoint.unused_files)
        self.versions, self.settings = versions(), settings_of(tf)

    def close(self) -> None:
        """Close the files; runners go on working."""
        self._checkpoint.close()

    def _unread(self) -> Iterator[Unread]:
        """Parse the graph once more: opening leaves out of it what this is about."""
        path, file = self._files.graph
        graph = _read_graph(self._files, self._most_graph)
        yield from unread_in_graph(graph, self._fetched, path.stat().st_size, file)
        yield from unread_in_files(self._files)
        yield from self._checkpoint.unread

    def _compute_with(self, tensors: Mapping[str, Array] | None) -> Run:
        """Return the function of its own session, with its own variables."""
        given = tensors or {}
        names = {k: t.name for k, t in self._constants.items() if t.name in given}
        variables = {handle: each for each in self._variables for handle in each.handles}
        return self._loaded.with_constants(
            MadeLate(names, lambda key: given[names[key]])
        ).compute_with(MadeLate(variables, lambda handle: self._value_of(variables[handle], given)))

    def _value_of(self, variable: Variable, tensors: Mapping[str, Array]) -> Array:
        if variable.name in tensors:
            return tensors[variable.name]
        return self._checkpoint.read(variable.key)

    def _tensors(self, constants: Constants) -> Iterator[StoredTensor]:
        """Yield the variables that outputs depend on."""
        for variable in self._variables:
            uses = [constants.uses.get(key_of(MAIN, h), frozenset()) for h in variable.handles]
            yield self._stored(variable.key, variable.name, frozenset().union(*uses), True)

    def _idle(self) -> Iterator[StoredTensor]:
        """Yield what the file stores for no output, under the path of its attributes.

        Some few numbers, as the counters of an optimiser, are not worth a word.
        """
        names = {variable.key: variable.name for variable in self._variables}
        for key, stored in self._checkpoint.entries.items():
            if stored.dtype and key not in names and stored.elements >= FEWEST_IDLE:
                name = plain_name(key) if plain_name(key) not in names.values() else key
                yield self._stored(key, name, IDLE_USES, False)

    def _stored(self, key: str, name: str, uses: frozenset[Use], is_needed: bool) -> StoredTensor:
        entry = self._checkpoint.entries[key]
        place = f"{self._checkpoint.where(key).file}, {key}"
        dtype = entry.dtype or np.dtype(object)
        read = partial(self._checkpoint.read, key)
        return StoredTensor(name, place, dtype, entry.shape, read, uses, is_needed)

    def _check_variables(self, reached: Reach) -> None:
        """Refuse a stored value that does not have the type and the shape of its variable."""
        for variable in self._variables:
            stored = self._checkpoint.entries[variable.key]
            for handle in variable.handles:
                wanted = reached.nodes[handle].attr
                where = Location(self.file, element=f"node {handle}")
                dtype = dtype_of(wanted["dtype"].type, where)
                if stored.dtype == dtype and _fits(stored.shape, wanted["shape"].shape):
                    continue
                raise damaged(
                    self._checkpoint.file,
                    f"the stored value of {variable.name!r} does not fit the variable",
                    element=variable.key,
                    expected=_shown(dtype, wanted["shape"].shape),
                    found=f"{stored.dtype} of shape {list(stored.shape)}",
                )


def _named_constants(constants: Constants, taken: set[str]) -> dict[str, StoredTensor]:
    """Return the constants of the graph by key, each under its own name."""
    named: dict[str, StoredTensor] = {}
    names = set(taken)
    for key, tensor in constants.tensors.items():
        name = tensor.name
        while name in names:
            name += "@graph"
        names.add(name)
        named[key] = replace(tensor, name=name)
    return named


def _aliases(variables: Sequence[Variable], taken: set[str]) -> dict[str, str]:
    """Return further names of tied variables that no other variable has."""
    return {
        alias: variable.name
        for variable in variables
        for alias in variable.aliases
        if alias not in taken
    }


def _read_graph(files: Files, limit_bytes: int) -> Any:
    """Return the MetaGraphDef for serving."""
    path, file = files.graph
    mapped = MappedFile(path, file)
    if mapped.size > limit_bytes:
        raise LimitError(
            "the graph is too long",
            where=Location(file),
            expected=f"at most {limit_bytes} bytes",
            found=f"{mapped.size} bytes",
            fix="Keep the parameters in variables: they are stored in separate files.",
        )
    kind = message("protobuf.saved_model", "SavedModel", FORMAT)
    data = bytes(mapped.view())
    mapped.close()
    return serving_graph(parse(kind, data, file, "file"), file)


def _checked_reach(meta_graph: Any, outputs: Sequence[str], file: str) -> Reach:
    """Return what the outputs depend on, once every operator of the file has been looked at."""
    graph, saver = meta_graph.graph_def, meta_graph.saver_def
    check_names(graph, file)
    drop_assertions(graph)
    reached = reach(graph, map(node_of, outputs), file)
    check_operators(reached.places(), COMPUTING, file)
    check_settings(reached.places(), file)
    roots = (saver.filename_tensor_name, saver.save_tensor_name, saver.restore_op_name)
    saving = reach(graph, [node_of(root) for root in roots if root], file)
    check_operators(saving.places(), SAVING, file)
    check_operators(other_places(graph, (reached, saving)), IDLE, file)
    return reached


def _fits(shape: tuple[int, ...], declared: Any) -> bool:
    """Return whether a value has a shape that a variable, maybe in part unknown, declares."""
    if declared.unknown_rank:
        return True
    wanted = [dim.size for dim in declared.dim]
    return len(wanted) == len(shape) and all(
        size in (-1, found) for size, found in zip(wanted, shape, strict=True)
    )


def _shown(dtype: DType, declared: Any) -> str:
    return f"{dtype} of shape {[dim.size for dim in declared.dim]}"
