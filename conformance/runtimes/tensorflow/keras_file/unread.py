"""Bytes of the configuration in a ``.keras`` file that nothing reads: blanks, training, notes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from conformance.runtimes._protocol import Unread
from conformance.runtimes.json_length import json_length
from conformance.verdicts import Json

_TRAINING, _BUILDING = "compile_config", "build_config"
_USUAL: Mapping[str, int] = {_TRAINING: 4 << 10, _BUILDING: 256}
"""Bytes that losses, metrics and an optimizer take in the configuration; shapes of a layer."""

_LONGEST_STRING = 256
"""Bytes of a name, a class or a word that are part of the configuration."""

_OF_OBJECT = frozenset({
    *("module", "class_name", "config", "registered_name", _BUILDING, _TRAINING),
    *("shared_object_id", "name", "inbound_nodes"),
})  # fmt: skip
_OF_MODEL = frozenset({
    *("name", "trainable", "dtype", "layers", "input_layers", "output_layers"),
    "build_input_shape",
})  # fmt: skip
_OF_CALL = frozenset({"args", "kwargs"})
_OF_TENSOR = frozenset({"shape", "dtype", "keras_history"})


def unread_in_config(data: bytes, file: str) -> Iterator[Unread]:
    """Yield what nothing reads in a configuration that was read before."""
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    config = json.loads(text)
    blanks = len(data) - json_length(config)
    yield Unread(file, "blanks and repeated keys in config.json", blanks)
    waiting: list[tuple[str, Json]] = [("config.json", config)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield Unread(file, f"a long string at {place}", len(value) - _LONGEST_STRING)
        elif isinstance(value, list):
            waiting += ((place, each) for each in value)
        elif isinstance(value, dict):
            known = _known_keys(value)
            for key, each in value.items():
                inner = f"{place}/{key[:80]}"
                if known is not None and key not in known:
                    yield Unread(file, f"{inner}, which Keras ignores", json_length({key: each}))
                elif key in _USUAL:
                    yield Unread(file, f"{key} at {place}", json_length(each) - _USUAL[key])
                else:
                    waiting += ((place, key), (inner, each))


def _known_keys(value: Mapping[str, Json]) -> frozenset[str] | None:
    """Return the keys that Keras reads of an object; None where it refuses all others itself.

    It does so in the configuration of a layer.
    """
    if "class_name" in value:
        return _OF_OBJECT
    if isinstance(value.get("layers"), list):
        return _OF_MODEL
    if value.keys() >= _OF_CALL:
        return _OF_CALL
    return _OF_TENSOR if "keras_history" in value else None
