"""What the network must compute, by ONNX's own reference evaluator in float64.

The expected outputs of the submission do not come from the runtime that is going to be checked
against them, and they are the same on every machine: an error of 1e-15 does not survive rounding
to float32.
"""

from __future__ import annotations

import numpy as np
import onnx
from network import INPUT
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator


def evaluate(
    model: onnx.ModelProto, images: NDArray[np.float32], names: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the tensors ``names`` that ``model`` computes for ``images``, in float64."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for tensor in wide.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    del wide.graph.output[:]
    wide.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in names
    )
    wide.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    outputs = ReferenceEvaluator(wide).run(names, {INPUT: images.astype(np.float64)})
    return dict(zip(names, outputs, strict=True))
