"""The NNC streams of ``digits-scalable``: operating points, and layers in three files and in one.

The layers are a coarse form of the whole network, what the weights of that lack in finer steps, and
what they lack then in still finer ones. In one stream no name is there twice, so that what the
weights lack has its own names there.
"""

from __future__ import annotations

from collections.abc import Iterator

from chain_streams import Encode, Join, Step
from nnc_arrays import trained

STEM = "digits_scalable"
MODEL = "digits-cnn"
POINTS = {"dependent": (-18, -20, -22, -26, -32), "uniform": (-16, -18, -22, -24, -30)}
"""Quantization parameters of whole networks, by the kind of quantisation."""
LAYERS = {"layer-0": -15, "layer-1": -21, "layer-2": -28}
"""Quantization parameters of the layers by the name of their stream."""
JOINED = "layers-in-one-stream"
SUFFIXES = {"layer-0": "", "layer-1": ".residual-1", "layer-2": ".residual-2"}
"""What names in the joined stream end in, by layer."""
VECTOR_QP = -60
WITHIN = 0.2


def scalable_steps() -> Iterator[Step]:
    """Yield what NNCodec is to make, in order."""
    weights = trained()
    for kind, parameters in POINTS.items():
        for qp in parameters:
            settings = {"qp": qp, "nonweight_qp": VECTOR_QP, "use_dq": kind == "dependent"}
            point = point_id(kind, qp)
            yield Encode(point, point, weights, settings, WITHIN)
    matrices = {name: values for name, values in weights.items() if values.ndim > 1}
    parent = None
    for layer, qp in LAYERS.items():
        settings = {"qp": qp, "nonweight_qp": VECTOR_QP, "use_dq": True}
        target = matrices if parent else weights
        yield Encode(layer, layer, target, settings, WITHIN, parent=parent)
        parent = layer
    parameters = {name + SUFFIXES[layer]: qp for layer, qp in LAYERS.items() for name in matrices}
    settings = {"qp_per_tensor": parameters, "nonweight_qp": VECTOR_QP, "use_dq": True}
    yield Join(JOINED, JOINED, SUFFIXES, settings)


def point_id(kind: str, qp: int) -> str:
    """Return the id of an operating point."""
    return f"nnc-{kind}-{-qp}"
