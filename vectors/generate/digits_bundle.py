"""What the submissions with the digits network in ONNX alone have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from bundle import Bundle, Model, Port, Sample, Vectors
from description import DATASETS, USE_CASES
from digits_data import load_digits_split
from network import INPUT, OUTPUT, build_model
from tensor_layouts import Tensors


def digits_bundle(
    id: str,
    model: str,
    network: str,
    *,
    title: str,
    description: str,
    metrics: Sequence[Mapping[str, Any]],
    weights: Callable[[], Tensors],
    samples: Callable[[], Iterable[Sample]],
    remake: Callable[[str], None],
) -> Bundle:
    """Return the submission ``id``, whose only model is ``model``, described by ``network``."""
    return Bundle(
        id=id,
        name=model,
        title=title,
        description=description,
        use_cases=USE_CASES,
        network=network,
        network_type="cnn",
        datasets=DATASETS,
        metrics=metrics,
        input=Port(INPUT, "float32", (1, 8, 8)),
        output=Port(OUTPUT, "float32", (10,)),
        models=(Model("onnx", partial(build_model, name=model)),),
        samples=samples,
        vectors=_vectors,
        weights=weights,
        output_tolerance={"atol": 1e-4, "rtol": 1e-5},
        remake=remake,
    )


def _vectors() -> Vectors:
    """Return 720 test scans in two shards, one as .npz and one as .safetensors."""
    test = load_digits_split()[1]
    ports = {"inputs": INPUT, "targets": "label", "outputs": OUTPUT}
    names = {role: f"test-{{shard}}-{name}" for role, name in ports.items()}
    return Vectors(test.images, test.labels, "label", names, (".npz", ".safetensors"))
