"""Features of quantised operators: every one that ONNX Runtime registers has a rule that works."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from conformance.codecs import DecodedModel, Source, codec
from conformance.codecs.onnx_quantised import QUANTISED

SCALE = re.compile(r"scale|zero_?point|absmax", re.IGNORECASE)
NAME = re.compile(
    r"quant|integer|nbits|bnb|fpq|bfp|packed$|^q[a-z]*[A-Z]|float8|qmoe", re.IGNORECASE
)
OTHERS = {
    "multiplies by a learnt scale": (
        "BatchNormalization GroupNormalization InstanceNormalization LayerNormalization "
        "RMSNormalization SimplifiedLayerNormalization BranchwiseRMSNorm GatedRMSNorm "
        "RMSNormRotary EngramGate HyperConnectionLowRankMix LinearAttentionGate ScaledSiLU"
    ),
    "sizes of images": "Resize Upsample",
    "its name only": "QuickGelu QuickGeluGrad TorchEmbedding",
}
NOT_QUANTISED = {name for names in OTHERS.values() for name in names.split()}


def schemas() -> dict[str, list[str]]:
    """The inputs of each operator by name, of the newest version in any domain."""
    newest: dict[str, tuple[int, list[str]]] = {}
    for schema in get_all_operator_schema():
        inputs = [each.name for each in schema.inputs]
        if schema.name not in newest or newest[schema.name][0] <= schema.since_version:
            newest[schema.name] = schema.since_version, inputs
    return {name: inputs for name, (_, inputs) in newest.items()}


SCHEMAS = schemas()


def test_every_quantised_operator_of_the_runtime_has_a_rule() -> None:
    found = {
        name
        for name, inputs in SCHEMAS.items()
        if NAME.search(name) or any(SCALE.search(each) for each in inputs)
    }
    assert found - NOT_QUANTISED - QUANTISED.keys() == set(), "operators without a rule"
    assert QUANTISED.keys() - found == set(), "rules of no operator"
    assert NOT_QUANTISED.isdisjoint(QUANTISED)


@pytest.mark.parametrize("operator", sorted(QUANTISED.keys() & SCHEMAS.keys()))
def test_scales_are_where_the_operator_has_them(operator: str) -> None:
    inputs = SCHEMAS[operator]
    for numbers, scale in QUANTISED[operator].scales:
        assert SCALE.search(inputs[scale]), inputs[scale]
        assert not SCALE.search(inputs[numbers]), inputs[numbers]


def features(folder: Path, *nodes: onnx.NodeProto, **stored: np.ndarray) -> tuple[set, set]:
    """The features of a network of these nodes: those that must be declared, and that may be."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    tensors = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    decoded = codec("onnx").decode(Source((path,), ("m.onnx",), {}, 10**6))
    assert isinstance(decoded, DecodedModel)
    return set(decoded.features) - {"format:onnx"}, set(decoded.implied)


def node_of(operator: str, numbers: int, scale: int) -> onnx.NodeProto:
    inputs = ["x"] * (max(numbers, scale) + 1)
    inputs[numbers], inputs[scale] = "w", "s"
    return helper.make_node(operator, inputs, ["y"])


WEIGHTS = np.ones((4, 4), np.int8)
PLACES = [(name, *pair) for name, rule in sorted(QUANTISED.items()) for pair in rule.scales]


@pytest.mark.parametrize(("operator", "numbers", "scale"), PLACES)
def test_truthful_scales_by_channel_may_be_declared(
    tmp_path: Path, operator: str, numbers: int, scale: int
) -> None:
    node, rule = node_of(operator, numbers, scale), QUANTISED[operator]
    must, may = features(tmp_path, node, w=WEIGHTS, s=np.ones((1, 4), np.float32))
    assert ("per-channel" in must) == (not rule.by_blocks)
    assert "per-channel" in must | may
    assert {"int8", *rule.tools} <= must
    must, may = features(tmp_path, node, w=WEIGHTS, s=np.ones((1, 1), np.float32))
    assert "per-channel" not in must | may
    # Scales of what a run computes are not a property of the weights, but not false either.
    must, may = features(tmp_path, node, s=np.ones((1, 4), np.float32))
    assert "per-channel" in may - must


def test_scales_of_two_directions_are_not_those_of_channels(tmp_path: Path) -> None:
    node = node_of("DynamicQuantizeLSTM", 1, 8)
    weights = np.ones((2, 4, 16), np.int8)
    must, may = features(tmp_path, node, w=weights, s=np.ones(2, np.float32))
    assert "per-channel" not in must | may
    must, _ = features(tmp_path, node, w=weights, s=np.ones((2, 16), np.float32))
    assert must == {"int8", "per-channel"}


@pytest.mark.parametrize("operator", ["MatMulInteger", "ConvInteger"])
@pytest.mark.parametrize("factor", ["scale", "product"])
@pytest.mark.parametrize("channels", [1, 4])
def test_scales_after_a_product_of_integers_are_found(
    tmp_path: Path, operator: str, factor: str, channels: int
) -> None:
    nodes = [
        helper.make_node(operator, ["x", "w"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["xs", "s"], ["product"]),
        helper.make_node("Mul", ["f", "s" if factor == "scale" else "product"], ["y"]),
    ]
    must, _ = features(tmp_path, *nodes, w=WEIGHTS, s=np.ones(channels, np.float32))
    assert must == {"int8", "integer-operators"} | ({"per-channel"} if channels > 1 else set())


@pytest.mark.parametrize("block", [0, 2])
def test_matmul_nbits_says_what_its_scales_are(tmp_path: Path, block: int) -> None:
    node = node_of("MatMulNBits", 1, 2)
    node.attribute.append(helper.make_attribute("block_size", block))
    must, may = features(tmp_path, node, w=np.ones((4, 2, 1), np.uint8), s=np.ones(8, np.float32))
    assert must == {"matmulnbits", "uint8"}
    assert {"blockwise", "per-channel", "weight-only"} <= may


def test_weights_quantised_by_the_network_itself_count(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["w", "s"], ["q"]),
        helper.make_node("Transpose", ["q"], ["t"]),
        helper.make_node("DequantizeLinear", ["t", "s"], ["d"]),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    must, _ = features(tmp_path, *nodes, w=np.ones((4, 4), np.float32), s=np.ones(4, np.float32))
    assert must == {"per-channel", "qdq"}


def test_values_that_go_in_a_circle_are_no_scales(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["b"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("MatMulInteger", ["x", "a"], ["i"]),
        helper.make_node("Identity", ["i"], ["i"]),
        helper.make_node("DequantizeLinear", ["a", "b"], ["y"]),
    ]
    assert features(tmp_path, *nodes)[0] == {"integer-operators"}


def inside_a_branch(node: onnx.NodeProto, stored: list[onnx.TensorProto]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    branch = helper.make_graph([node], "branch", [], [value])
    choice = helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch)
    return helper.make_model(helper.make_graph([choice], "g", [], [value], stored))


def inside_a_function(node: onnx.NodeProto, stored: list[onnx.TensorProto]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    function = helper.make_function("own", "F", ["w", "s", "x"], ["y"], [node], [])
    call = helper.make_node("F", ["w", "s", "x"], ["y"], domain="own")
    graph = helper.make_graph([call], "g", [], [value], stored)
    return helper.make_model(graph, functions=[function])


@pytest.mark.parametrize("place", [inside_a_branch, inside_a_function])
@pytest.mark.parametrize("operator", ["DequantizeLinear", "QGemm"])
def test_tensors_from_outside_are_found(tmp_path: Path, place, operator: str) -> None:
    numbers, scale = QUANTISED[operator].scales[-1]
    stored = [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(np.ones(4), "s")]
    path = tmp_path / "m.onnx"
    path.write_bytes(place(node_of(operator, numbers, scale), stored).SerializeToString())
    decoded = codec("onnx").decode(Source((path,), ("m.onnx",), {}, 10**6))
    assert {"int8", "per-channel"} <= set(decoded.features)
