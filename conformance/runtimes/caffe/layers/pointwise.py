"""Layers whose outputs have the shape of their input: activations, scaling, sums."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.runtimes.caffe.layers._node import (
    FLOAT_BYTES,
    MANY,
    Inferred,
    Kind,
    Node,
    Shape,
    Weight,
    count,
    kind,
)

_MIN_SWEPT = 2


def scaled_axes(node: Node) -> tuple[int, Shape]:
    """Return the first axis that a Scale or Bias layer works on, and the shape it works with."""
    shape = node.bottoms[0]
    axis = node.axis(node.options.axis, len(shape))
    if len(node.bottoms) > 1:
        factor = node.bottoms[1]
        fits = shape[axis : axis + len(factor)] == factor
        node.require(
            fits, "its second input does not fit its first", str(list(shape[axis:])), list(factor)
        )
        return axis, factor
    axes = node.options.num_axes
    end = len(shape) if axes == -1 else axis + axes
    node.require(
        axis <= end <= len(shape), "its num_axes is wrong", f"-1 to {len(shape) - axis}", axes
    )
    return axis, shape[axis:end]


def _same(node: Node) -> Inferred:
    return Inferred((node.bottoms[0],) * node.tops)


def _exponential(node: Node) -> Inferred:
    base = node.options.base
    node.require(base == -1 or base > 0, "its base is wrong", "-1 (for e), or above 0", base)
    return _same(node)


def _logarithm(node: Node) -> Inferred:
    base = node.options.base
    fits = base == -1 or (base > 0 and base != 1)
    node.require(fits, "its base is wrong", "-1 (for e), or above 0 and not 1", base)
    return _same(node)


def _dropout(node: Node) -> Inferred:
    if not node.options.scale_train:
        raise node.unsupported(
            "a dropout that scales in the test phase cannot be run",
            *("scale_train: true", "false", "Remove the layer, and scale its output by a Power."),
        )
    return _same(node)


def _clip(node: Node) -> Inferred:
    node.require(
        node.has("min") and node.has("max") and node.options.min <= node.options.max,
        *("its limits are wrong", "min and max", f"{node.options.min}, {node.options.max}"),
    )
    return _same(node)


def _prelu(node: Node) -> Inferred:
    shape = node.bottoms[0]
    node.require(len(shape) >= _MIN_SWEPT, "its input has no channels", "2 axes", list(shape))
    slopes = () if node.options.channel_shared else (shape[1],)
    return Inferred((shape,), (Weight("slope", slopes),))


def _batch_norm(node: Node) -> Inferred:
    shape = node.bottoms[0]
    if node.has("use_global_stats") and not node.options.use_global_stats:
        raise node.unsupported(
            "it normalises by the statistics of each batch",
            *("use_global_stats: true, or not given", "false"),
            "Remove use_global_stats: in the test phase the learned statistics are used.",
        )
    if node.options.scale_bias:
        raise node.unsupported(
            "its scale and bias cannot be run",
            *("no scale_bias", "true", "Put a Scale layer after it."),
        )
    channels = shape[1] if len(shape) > 1 else 1
    learned = (("mean", channels), ("variance", channels), ("scale_factor", 1))
    return Inferred((shape,), tuple(Weight(name, (size,)) for name, size in learned))


def _scale(node: Node) -> Inferred:
    _, shape = scaled_axes(node)
    names = ["weight"] * (len(node.bottoms) == 1) + ["bias"] * bool(node.options.bias_term)
    return Inferred((node.bottoms[0],), tuple(Weight(name, shape) for name in names))


def _bias(node: Node) -> Inferred:
    _, shape = scaled_axes(node)
    weights = (Weight("bias", shape),) if len(node.bottoms) == 1 else ()
    return Inferred((node.bottoms[0],), weights)


def _eltwise(node: Node) -> Inferred:
    shape, coefficients = node.same_shapes(), list(node.options.coeff)
    fits = not coefficients or len(coefficients) == len(node.bottoms)
    node.require(fits, "its coefficients are wrong", f"none or {len(node.bottoms)}", coefficients)
    wanted = node.label("operation") == "SUM" or not coefficients
    node.require(wanted, "only a sum has coefficients", "operation: SUM", node.label("operation"))
    return Inferred((shape,))


def _mvn(node: Node) -> Inferred:
    shape = node.bottoms[0]
    node.require(len(shape) >= _MIN_SWEPT, "its input has no channels", "2 axes", list(shape))
    return Inferred((shape,), scratch_bytes=count(shape) * FLOAT_BYTES)


def _normalize(node: Node) -> Inferred:
    shape = node.rank(4)
    scales = () if node.options.channel_shared else (shape[1],)
    return Inferred((shape,), (Weight("scale", scales),), count(shape) * FLOAT_BYTES)


def _softmax(node: Node) -> Inferred:
    shape = node.bottoms[0]
    node.axis(node.options.axis, len(shape))
    return Inferred((shape,))


_SCALED = "axis num_axes"

KINDS: Mapping[str, Kind] = {
    "AbsVal": kind(_same),
    "BNLL": kind(_same),
    "ReLU": kind(_same, "relu_param", read="negative_slope", idle="engine"),
    "Sigmoid": kind(_same, "sigmoid_param", idle="engine"),
    "TanH": kind(_same, "tanh_param", idle="engine"),
    "ELU": kind(_same, "elu_param", read="alpha"),
    "Exp": kind(_exponential, "exp_param", read="base scale shift"),
    "Log": kind(_logarithm, "log_param", read="base scale shift"),
    "Power": kind(_same, "power_param", read="power scale shift"),
    "Threshold": kind(_same, "threshold_param", read="threshold"),
    "Clip": kind(_clip, "clip_param", read="min max"),
    "Swish": kind(_same, "swish_param", read="beta"),
    "Split": kind(_same, tops=(1, MANY)),
    "Silence": kind(_same, bottoms=(1, MANY), tops=(0, 0)),
    "Dropout": kind(_dropout, "dropout_param", read="scale_train", idle="dropout_ratio"),
    "PReLU": kind(_prelu, "prelu_param", read="channel_shared", idle="filler"),
    "BatchNorm": kind(
        _batch_norm,
        "batch_norm_param",
        read="eps use_global_stats scale_bias",
        idle="moving_average_fraction",
    ),
    "Scale": kind(
        _scale,
        "scale_param",
        read=f"{_SCALED} bias_term",
        idle="filler bias_filler",
        bottoms=(1, 2),
    ),
    "Bias": kind(_bias, "bias_param", read=_SCALED, idle="filler", bottoms=(1, 2)),
    "Eltwise": kind(
        _eltwise,
        "eltwise_param",
        read="operation coeff",
        idle="stable_prod_grad",
        bottoms=(2, MANY),
    ),
    "MVN": kind(_mvn, "mvn_param", read="normalize_variance across_channels eps"),
    "Normalize": kind(
        _normalize, "norm_param", read="across_spatial channel_shared eps", idle="scale_filler"
    ),
    "Softmax": kind(_softmax, "softmax_param", read="axis", idle="engine"),
}
