"""Bytes of the configuration in a ``.keras`` file that nothing reads: blanks, training, notes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from conformance.runtimes._protocol import Unread
from conformance.verdicts import Json

_TRAINING = "compile_config"
_LONGEST_STRING = 1 << 10
_USUAL_TRAINING = 4 << 10
"""Bytes that losses, metrics and an optimizer take in the configuration."""


def unread_in_config(data: bytes, file: str) -> Iterator[Unread]:
    """Yield what nothing reads in a configuration that was read before."""
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    config = json.loads(text)
    blanks = len(data) - _length(config)
    yield Unread(file, "blanks and repeated keys in config.json", blanks)
    waiting: list[tuple[str, Json]] = [("config.json", config)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield Unread(file, f"a long string at {place}", len(value) - _LONGEST_STRING)
        elif isinstance(value, list):
            waiting += ((place, each) for each in value)
        elif isinstance(value, dict):
            for key, each in value.items():
                if key == _TRAINING:
                    size = _length(each) - _USUAL_TRAINING
                    yield Unread(file, f"{_TRAINING} in config.json", size)
                else:
                    waiting += ((place, key), (f"{place}/{key[:80]}", each))


def _length(value: Json) -> int:
    """Return the length of a value as JSON; 0 where it is nested too deeply to be written."""
    try:
        return len(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return 0
