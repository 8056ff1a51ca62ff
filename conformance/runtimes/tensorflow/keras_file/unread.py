"""Bytes of the configuration in a ``.keras`` file that nothing reads: blanks, training, notes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from conformance.runtimes._protocol import Unread
from conformance.runtimes.json_notes import json_length, long_notes

_TRAINING = "compile_config"
_USUAL_TRAINING = 4 << 10
"""Bytes that losses, metrics and an optimizer take in the configuration."""


def unread_in_config(data: bytes, file: str) -> Iterator[Unread]:
    """Yield what nothing reads in a configuration that was read before."""
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    config = json.loads(text)
    blanks = len(data) - json_length(config)
    yield Unread(file, "config.json: blanks and repeated keys", blanks)
    yield from long_notes(config, file, "config.json", _TRAINING, _USUAL_TRAINING)
