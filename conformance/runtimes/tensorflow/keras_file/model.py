"""A model built from a checked configuration, without values: variables that are only described.

Keras builds it in a scope in which variables stay empty, so that nothing is allocated that the file
does not hold. Its own loading then runs against a store that notes which array each variable asks
for. What comes out is the map from variables to arrays, and a function that computes with any
values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.faults import Fault
from conformance.runtimes.libraries import library
from conformance.runtimes.tensorflow.dtypes import named_dtype
from conformance.runtimes.tensorflow.engine import EXTRA, keras_for
from conformance.runtimes.tensorflow.faults import explained
from conformance.runtimes.tensorflow.idle import FEWEST_IDLE
from conformance.runtimes.tensorflow.keras_file.archive import CONFIG, WEIGHTS
from conformance.runtimes.tensorflow.keras_file.hdf5 import Weights
from conformance.verdicts import (
    ConformanceError,
    Json,
    LimitError,
    Location,
    MalformedError,
    NotRunError,
    UnsupportedError,
)

_REFUSED = Fault(
    kind=MalformedError,
    message="Keras cannot build the model from its configuration",
    expected="a configuration that Keras 3.15 accepts",
    fix="Save the model again with model.save of a Keras of today.",
)
_UNFIT = Fault(
    kind=MalformedError,
    message="the stored weights do not fit the model",
    expected="one array for every variable of the model, of its type and shape",
    fix="Save the model again with model.save.",
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable of the model: its path, type and shape, and the array of its value, if stored."""

    path: str
    dtype: DType
    shape: tuple[int, ...]
    stored: str | None

    @property
    def is_seed(self) -> bool:
        """Whether it is a seed or a counter: Keras does not store all of them."""
        return self.dtype.kind in "biu" and math.prod(self.shape) < FEWEST_IDLE


@final
class KerasModel:
    """A model of Keras; its values are in ``weights`` and stay there."""

    def __init__(self, config: Json, weights: Weights, file: str, format: str, limit: int) -> None:
        self._keras = keras_for(format)
        self._file = file
        self._keras.utils.clear_session()
        with explained(_REFUSED, lambda _: Location(file, element=CONFIG)), self._empty_scope():
            self._model = self._keras.saving.deserialize_keras_object(config, safe_mode=True)
        self._check_built(limit)
        stored = self._stored_by_variable(weights, format)
        self.slots = [self._slot(each, stored.get(id(each))) for each in self._model.variables]
        self._check_slots(weights)
        self.inputs: Sequence[Any] = list(self._model.inputs)

    def compute(self, values: Sequence[Any], inputs: Sequence[Any]) -> dict[str, Any]:
        """Return every output by name, of the network whose variables have these ``values``."""
        variables = zip(self._model.variables, values, strict=True)
        scope = self._keras.StatelessScope(list(variables), initialize_variables=False)
        with scope:
            for layer in self._model._flatten_layers():
                if isinstance(layer, self._keras.layers.Normalization):
                    # What it normalises with is computed once from its variables, and kept.
                    layer.finalize_state()
            fed = inputs[0] if len(inputs) == 1 else list(inputs)
            outputs = self._model(fed, training=False)
        names = self._output_names(outputs)
        return dict(zip(names, self._keras.tree.flatten(outputs), strict=True))

    def _output_names(self, outputs: Any) -> list[str]:
        """Return the keys of a dictionary of outputs, else the names of their layers."""
        flat = self._keras.tree.flatten(outputs)
        if isinstance(outputs, dict) and len(outputs) == len(flat):
            return sorted(outputs)
        names = getattr(self._model, "output_names", None) or [self._model.layers[-1].name]
        return [
            name if name not in names[:place] else f"{name}_{names[:place].count(name)}"
            for place, name in enumerate(names)
        ]

    def _empty_scope(self) -> Any:
        """Return a scope in which variables get no values."""
        return self._keras.StatelessScope(initialize_variables=False)

    def _check_built(self, limit: int) -> None:
        if not (self._model.built and self._model.inputs):
            raise UnsupportedError(
                "the model does not say what it takes",
                where=Location(self._file, element=CONFIG),
                expected="a model that was built: with an Input, or by a call before saving",
                found="a model without inputs",
                fix="Begin it with keras.Input(shape), and save it again.",
            )
        total = sum(math.prod(each.shape) for each in self._model.variables)
        if total > limit:
            raise LimitError(
                "the model has more parameters than are allowed",
                where=Location(self._file, element=CONFIG),
                expected=f"at most {limit} values",
                found=f"{total} values",
                fix="Submit a smaller network, or judge it with a higher memory limit.",
            )

    def _stored_by_variable(self, weights: Weights, format: str) -> dict[int, str]:
        """Return the path of the array that each variable asks for, by the variable's identity."""
        library_ = library("keras.src.saving.saving_lib", format, EXTRA)
        if not hasattr(library_, "H5IOStore") or not hasattr(library_, "_load_state"):
            raise NotRunError(
                "this version of Keras is not known here",
                expected="Keras 3.15",
                found=str(self._keras.__version__),
                fix="Run: pip install 'nnr-conformance[tensorflow]'",
            )
        asked: dict[int, str] = {}
        store = _store(library_, weights)
        with (
            explained(_UNFIT, lambda _: self._where(store.last)),
            _noting_scope(self._keras, store, asked),
        ):
            library_._load_state(self._model, store, None, "", visited_saveables=set())
        return asked

    def _slot(self, variable: Any, stored: str | None) -> Slot:
        dtype = named_dtype(str(variable.dtype), Location(self._file, element=variable.path))
        return Slot(variable.path, dtype, tuple(variable.shape), stored)

    def _check_slots(self, weights: Weights) -> None:
        """Refuse a variable without a value, two with one, and a value of a different type."""
        users: dict[str, str] = {}
        for slot in self.slots:
            if slot.stored is None:
                if not slot.is_seed:
                    raise self._unfit(f"no array for {slot.path!r}", slot.path)
                continue
            if slot.stored in users:
                raise self._unfit(f"one array for {users[slot.stored]!r} too", slot.path)
            users[slot.stored] = slot.path
            found = weights.dtype(slot.stored), weights.shape(slot.stored)
            if found != (slot.dtype, slot.shape):
                raise self._unfit(
                    f"{found[0]} of shape {list(found[1])} for {slot.path!r}, which is "
                    f"{slot.dtype} of shape {list(slot.shape)}",
                    slot.stored,
                )

    def _unfit(self, found: str, element: str) -> ConformanceError:
        return _UNFIT.at(self._where(element), found)

    def _where(self, element: str) -> Location:
        return Location(self._file, element=element or WEIGHTS)


def blank(slot: Slot) -> Array:
    """Return zeros in the place of a value that is not stored: a seed that nothing reads."""
    return np.zeros(slot.shape, slot.dtype)


def _store(saving: Any, weights: Weights) -> Any:
    """Return a store of Keras that notes the last array asked for, and gives zeros for it."""

    class Store(saving.H5IOStore):  # type: ignore[misc]
        def __init__(self) -> None:
            self.h5_file = weights.file
            self.mode, self.archive, self.io_file = "r", None, None
            self._h5_entry_group: Any = {}
            self.last = ""

        def get(self, path: str) -> Any:
            self.last = path
            return super().get(path)

        def __getitem__(self, key: str) -> Array:
            self.last = f"{self._h5_entry_group.name}/{key}".lstrip("/")
            return np.zeros(weights.shape(self.last), weights.dtype(self.last))

    return Store()


def _noting_scope(keras: Any, store: Any, asked: dict[int, str]) -> Any:
    """Return a scope that notes, for a variable that is given a value, where the value was read."""

    class Scope(keras.StatelessScope):  # type: ignore[misc]
        def add_update(self, update: tuple[Any, Any]) -> None:
            asked[id(update[0])] = store.last

    return Scope(initialize_variables=False)
