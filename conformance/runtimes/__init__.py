"""Runtimes: open an original's model file, put parameters into it, and run it.

Use it like this::

    from conformance.runtimes import ModelSource, runtime

    source = ModelSource(files=(path,), display=("model.onnx",), root=folder, limit_bytes=1 << 32)
    with runtime("onnx").open(source) as network:
        original = network.bind()  # its own parameters
        sample = network.bind(decoded)  # every parameter replaced
        outputs = sample.run_batched({"image": images}, items=len(images))

A package adds a model format in the entry point group ``nnr_conformance.runtimes``: a class with
the methods of :class:`Runtime`. Importing this package imports no runtime.
"""

from conformance.registry import RUNTIMES
from conformance.runtimes._protocol import (
    ANY_DTYPE,
    ANY_SHAPE,
    Array,
    Change,
    Counts,
    Description,
    Dim,
    ModelSource,
    Network,
    Overflow,
    PortInfo,
    Referenced,
    Runner,
    Runtime,
    SecondOpinion,
    SlowRuntime,
    Unread,
    Watch,
    Watched,
)
from conformance.runtimes._registry import runtime

__all__ = [
    "ANY_DTYPE",
    "ANY_SHAPE",
    "RUNTIMES",
    "Array",
    "Change",
    "Counts",
    "Description",
    "Dim",
    "ModelSource",
    "Network",
    "Overflow",
    "PortInfo",
    "Referenced",
    "Runner",
    "Runtime",
    "SecondOpinion",
    "SlowRuntime",
    "Unread",
    "Watch",
    "Watched",
    "runtime",
]
