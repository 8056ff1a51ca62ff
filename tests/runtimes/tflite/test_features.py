"""What the codec finds in models that TensorFlow's converter quantised in each of its ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.codecs import Source, codec


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("cnn", set()),
        ("lstm", set()),
        ("dynamic", {"dynamic-range", "int8", "per-channel"}),
        ("half", {"float16", "weight-only"}),
        ("int8", {"activations:int8", "full-integer", "int8", "per-channel"}),
    ],
)
def test_each_way_has_its_features(converted: Path, name: str, found: set[str]) -> None:
    path = converted / f"{name}.tflite"
    decoded = codec("tflite").decode(Source((path,), (path.name,), {}, 1 << 20))
    assert set(decoded.features) == found | {"format:tflite"}
