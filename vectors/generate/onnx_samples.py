"""The samples that are runnable compressed networks themselves (codec ``onnx``)."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from bundle import Sample
from compression import method
from network import INPUT, build_folded_model, build_half_model, build_model
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx_graph import evaluate
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import TensorData, TensorsData, save_tensors_data
from tensor_layouts import Tensors

from conformance.codecs.encoded import affine

ONNX = {"name": "onnx", "version": onnx.__version__, "url": "https://onnx.ai"}
ONNX_RUNTIME = {
    "name": "onnxruntime",
    "version": onnxruntime.__version__,
    "url": "https://onnxruntime.ai",
}


def onnx_samples(weights: Tensors, images: NDArray[np.float32]) -> list[Sample]:
    """Return the samples of this module; ``images`` calibrate the ranges of activations."""
    return [_half_sample(weights), _static_sample(weights, images), _weights_sample(weights)]


def _half_sample(weights: Tensors) -> Sample:
    return Sample(
        id="fp16",
        title="The network in half precision",
        files={"fp16.onnx": build_half_model(weights).SerializeToString()},
        codec="onnx",
        method=method(
            "All parameters and operators in float16 (round to nearest even); input and output "
            "stay float32.",
            quantisation=("float16 for weights, biases, statistics and activations",),
            software=(ONNX,),
        ),
        # How a runtime computes in float16 depends on the CPU.
        within={
            "logits-cosine": 1e-5,
            "logits-mse": 1e-4,
            "digits-kl": 1e-4,
        },
    )


def _static_sample(weights: Tensors, images: NDArray[np.float32]) -> Sample:
    return Sample(
        id="int8-qdq",
        title="8-bit weights and activations, by ONNX Runtime's quantiser",
        files={"int8-qdq.onnx": quantise_dequantise(weights, images).SerializeToString()},
        codec="onnx",
        method=method(
            "Batch normalisation folded into the convolutions, then post-training static "
            "quantisation with QuantizeLinear and DequantizeLinear nodes; ranges are the minimum "
            "and maximum over the training scans.",
            reduction=("folding of batch normalisation into convolutions",),
            quantisation=(
                "int8 weights, symmetric, one scale per tensor",
                "uint8 activations, asymmetric, one scale per tensor",
                "int32 biases",
            ),
            software=(ONNX_RUNTIME, ONNX),
        ),
        # Rounding of activations may fall to the other side with another float32 kernel.
        within={
            "logits-cosine": 1e-4,
            "logits-mse": 1e-3,
            "digits-kl": 1e-4,
        },
    )


def _weights_sample(weights: Tensors) -> Sample:
    return Sample(
        id="int8-weights-onnx",
        title="8-bit weights in an ONNX model, activations in float32",
        files={"int8-weights-onnx.onnx": quantise_weights(weights).SerializeToString()},
        codec="onnx",
        method=method(
            "Weights of convolutions and dense layers rounded to int8 and expanded by "
            "DequantizeLinear when the network runs; all else stays float32.",
            quantisation=("int8 weights, symmetric, one scale per output channel",),
            software=(ONNX,),
        ),
    )


def quantise_dequantise(weights: Tensors, images: NDArray[np.float32]) -> onnx.ModelProto:
    """Return the network quantised to int8 by ONNX Runtime, ranges taken over ``images``."""
    model = build_folded_model(weights)
    with tempfile.TemporaryDirectory() as folder:
        ranges, target = Path(folder, "ranges.json"), Path(folder, "model.onnx")
        save_tensors_data(_activation_ranges(model, images), ranges)
        logging.disable(logging.WARNING)  # it advises a pre-processing that is already done
        quantize_static(
            model,
            target,
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibration_cache_path=ranges,
        )
        logging.disable(logging.NOTSET)
        return _plain(onnx.load(target))


def _activation_ranges(model: onnx.ModelProto, images: NDArray[np.float32]) -> TensorsData:
    """Observe minimum and maximum in float64, so that every machine calibrates alike."""
    names = [name for node in model.graph.node for name in node.output]
    observed = {INPUT: images, **evaluate(model, images, names)}
    return TensorsData(
        CalibrationMethod.MinMax,
        {
            name: TensorData(lowest=np.float32(values.min()), highest=np.float32(values.max()))
            for name, values in observed.items()
        },
    )


def quantise_weights(weights: Tensors) -> onnx.ModelProto:
    """Return the network with int8 weights that DequantizeLinear nodes expand, per channel."""
    model = build_model(weights)
    nodes, initializers = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 1:
            initializers.append(tensor)
            continue
        stored = affine(values, bits=8, axis=0).arrays
        zeros = np.zeros_like(stored["scale"], np.int8)
        parts = {"integers": stored["values"], "scale": stored["scale"], "zero": zeros}
        names = [f"{tensor.name}.{part}" for part in parts]
        initializers += [
            numpy_helper.from_array(part, name)
            for name, part in zip(names, parts.values(), strict=True)
        ]
        nodes.append(helper.make_node("DequantizeLinear", names, [tensor.name], axis=0))
    nodes += model.graph.node
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(initializers)
    return _plain(model)


def _plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what says how the file was made, not what it computes, and check the rest."""
    for field in ("producer_name", "producer_version", "doc_string"):
        model.ClearField(field)
    del model.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return model
