"""The configuration in a ``.keras`` file, checked word for word before Keras sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.keras_file.archive import CONFIG
from conformance.runtimes.tensorflow.keras_file.layers import (
    CARRIERS,
    CLASSES,
    MODELS,
    NAMES,
    VALUES,
)
from conformance.verdicts import ConformanceError, Json, LimitError, Location, UnsupportedError

MOST_DEPTH = 100
_TRAINING = "compile_config"
_TRAINERS = re.compile(r"keras(\.src)?\.(losses|metrics|optimizers)(\.\w+)*", re.ASCII)
_UNSET = frozenset({"lora_rank", "quantization_config"})
_DENSE = frozenset({"sparse", "ragged"})


def read_config(data: npt.NDArray[np.uint8], file: str) -> Json:
    """Return the configuration of the model, without what only training needs.

    Raises MalformedError for what is not a configuration, ConformanceError for one that carries
    code, UnsupportedError for classes and settings that are not judged here.
    """
    try:
        config = json.loads(data.tobytes())
    except (ValueError, RecursionError) as error:
        raise damaged(
            file,
            "the configuration of the model cannot be read",
            element=CONFIG,
            expected="JSON",
            found=f"{type(error).__name__}: {error}"[:200],
        ) from error
    checker = _Checker(file)
    config = checker.without_training(config)
    found = str(config.get("class_name") if isinstance(config, dict) else type(config).__name__)
    if found not in MODELS and found not in CARRIERS:
        checker.refuse(
            "", "the file does not hold a model", " or ".join(sorted(MODELS)), found[:200]
        )
    for pointer, key, value in checker.walk(config):
        checker.check(pointer, key, value)
    return config


_REBUILD = "Rebuild the network without it, or export it as a SavedModel for inference."
_STATE = (
    "Save the layer with stateful=False, and make its state an input and an output of the network "
    "if runs follow one another; a SavedModel that keeps it is refused as well."
)
_AUGMENTING = frozenset({"AugMix", "AutoContrast", "CutMix", "Equalization", "MixUp", "Pipeline"})
_LOOKING_UP = frozenset({"Hashing", "IntegerLookup", "StringLookup", "TextVectorization"})


class _Checker:
    def __init__(self, file: str) -> None:
        self._file = file

    def without_training(self, node: Json, depth: int = 0) -> Json:
        """Return a copy without optimisers, losses and metrics; LimitError if it is too deep."""
        if depth > MOST_DEPTH:
            raise LimitError(
                "the configuration of the model is nested too deep",
                where=Location(self._file, element=CONFIG),
                expected=f"at most {MOST_DEPTH} levels",
                found="more",
                fix="Save a network with fewer models inside one another.",
            )
        if isinstance(node, dict):
            self._check_training(node.get(_TRAINING), depth)
            items = node.items()
            return {k: self.without_training(v, depth + 1) for k, v in items if k != _TRAINING}
        if isinstance(node, list):
            return [self.without_training(each, depth + 1) for each in node]
        return node

    def _check_training(self, settings: Json, depth: int) -> None:
        """Refuse code among what only training needs: ``load_model`` builds that too."""
        settings = self.without_training(settings, depth + 1)
        for pointer, _, value in _members("", "", {_TRAINING: settings}):
            if isinstance(value, dict) and ("class_name" in value or "module" in value):
                name, module = value.get("class_name"), value.get("module")
                known = module is None or _TRAINERS.fullmatch(str(module)) or name in VALUES
                named = name == "function" and module == "builtins"
                policy = (module, name) == ("keras", "DTypePolicy")
                if str(name) in CARRIERS or not (known or named or policy):
                    raise ConformanceError(
                        f"the settings for training name code: {str(name)[:80]}",
                        where=self._at(pointer),
                        expected="losses, metrics and optimizers of Keras",
                        found=f"{name} of {module}"[:200],
                        fix="Save the model without them: load it with compile=False, and call "
                        "model.save.",
                    )

    def walk(self, config: Json) -> Iterator[tuple[str, str, Any]]:
        """Yield the place, the key and the value of everything, the whole included."""
        # Of a long list only the element at hand has a place: all of them would fill the memory.
        yield "", "", config
        yield from _members("", "", config)

    def check(self, pointer: str, key: str, value: Any) -> None:
        """Refuse a class, a name or a setting that is not allowed."""
        if isinstance(value, dict) and "class_name" in value:
            self._check_class(pointer, value)
        if isinstance(value, str):
            self._check_name(pointer, key, value)
        if value and (key == "stateful" or key in _DENSE):
            self._unsupported(
                pointer,
                "the model keeps state between calls"
                if key == "stateful"
                else "an input is sparse",
                f"{key} false",
                f"{key} true",
                _STATE if key == "stateful" else _REBUILD,
            )
        if key in _UNSET and value:
            self._unsupported(
                pointer,
                "the model has weights of a kind that is not judged",
                f"no {key}",
                str(value),
            )

    def refuse(self, pointer: str, message: str, expected: str, found: str) -> NoReturn:
        """Raise the error for a configuration that Keras would not have written."""
        raise damaged(
            self._file,
            message,
            element=f"{CONFIG} {pointer}".rstrip(),
            expected=expected,
            found=found,
            fix="Save the model again with model.save of Keras 3.",
        )

    def _check_class(self, pointer: str, value: dict[str, Any]) -> None:
        name, module = value["class_name"], value.get("module")
        if str(name) in CARRIERS or not _is_of_keras(name, module):
            raise ConformanceError(
                f"the model carries or names code: {str(name)[:80]}",
                where=self._at(pointer),
                expected="layers of Keras that only compute",
                found=f"{name} of {module}"[:200],
                fix="Build the network of Keras' own layers; export a network with layers of its "
                "own as a SavedModel.",
            )
        if name == "function":
            self._check_function(pointer, value)
        elif name not in VALUES:
            self._check_listed(pointer, name, module, value.get("registered_name"))

    def _check_listed(self, pointer: str, name: str, module: Any, registered: Any) -> None:
        if name not in CLASSES.get(str(module), ()):
            self._unsupported(
                pointer,
                f"the model has a layer or an object that is not run here: {name[:80]}",
                "layers that give the same outputs for the same inputs, saved by Keras 3",
                f"{name} of {module}"[:200],
                _instead_of(name),
            )
        if registered not in (None, name):
            self._custom(pointer, registered)

    def _check_function(self, pointer: str, value: dict[str, Any]) -> None:
        name = value.get("config")
        registered = value.get("registered_name")
        if str(name) not in NAMES["activation"] or registered not in (None, name):
            self._custom(pointer, name)

    def _check_name(self, pointer: str, key: str, value: str) -> None:
        for end, names in NAMES.items():
            if key.endswith(end) and value not in names:
                self._custom(pointer, value)

    def _custom(self, pointer: str, name: Any) -> NoReturn:
        raise ConformanceError(
            f"the model names a function or class that is not Keras' own: {str(name)[:80]}",
            where=self._at(pointer),
            expected="names of activations and initializers of Keras",
            found=str(name)[:200],
            fix="Use activations and initializers of Keras, or export a SavedModel.",
        )

    def _unsupported(
        self, pointer: str, message: str, expected: str, found: str, fix: str = _REBUILD
    ) -> NoReturn:
        raise UnsupportedError(
            message,
            where=self._at(pointer),
            expected=expected,
            found=found[:200],
            fix=fix,
        )

    def _at(self, pointer: str) -> Location:
        return Location(self._file, element=f"{CONFIG} {pointer}".rstrip())


def _instead_of(name: str) -> str:
    """Return how to do without a class; no way that leads to the next refusal."""
    if name.startswith("Random") or name in _AUGMENTING:
        return (
            "Save the network without the layers that augment training data: they do nothing in "
            "inference, as in keras.Sequential([keras.Input(shape), *other_layers]). A SavedModel "
            "that holds them is refused as well."
        )
    if name in _LOOKING_UP:
        return "Look values up before the network: let the vectors hold what the layer gives."
    return _REBUILD


def _members(pointer: str, key: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield what is in a dictionary or list, at any depth; elements have the key of their list."""
    items: Iterable[tuple[str, str, Any]] = ()
    if isinstance(value, dict):
        items = ((f"{pointer}/{name}", name, each) for name, each in value.items())
    elif isinstance(value, list):
        items = ((f"{pointer}/{place}", key, each) for place, each in enumerate(value))
    for item in items:
        yield item
        if isinstance(item[2], dict | list):
            yield from _members(*item)


def _is_of_keras(name: Any, module: Any) -> bool:
    """Return whether an object is of Keras, a value, or a function of Keras by its name."""
    if not isinstance(name, str):
        return False
    if name in VALUES:
        return True
    if module == "builtins":
        return name == "function"
    return module is None or (isinstance(module, str) and module.partition(".")[0] == "keras")
