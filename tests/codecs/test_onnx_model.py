"""The onnx codec: features come from the graph, external data stay among the listed files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from conformance.codecs import DecodedModel, Source, codec
from conformance.verdicts import ConformanceError, LimitError, MalformedError

FLOAT = TensorProto.FLOAT


def value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, [1, 4])


def model(
    nodes: Sequence[onnx.NodeProto], *stored: onnx.TensorProto, **extra: object
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], stored)
    return helper.make_model(graph, **extra)


def tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(array, name)


MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])
DEQUANTISE = helper.make_node("DequantizeLinear", ["q", "s"], ["w"])
Q8 = tensor("q", np.ones((4, 4), np.int8))
SCALE = tensor("s", np.array(0.5, np.float32))


def decode(
    folder: Path, made: onnx.ModelProto, *others: str, limit_bytes: int = 10**6
) -> DecodedModel:
    path = folder / "m.onnx"
    path.write_bytes(made.SerializeToString())
    files = (path, *(folder / other for other in others))
    decoded = codec("onnx").decode(Source(files, ("s/m.onnx", *others), {}, limit_bytes))
    assert isinstance(decoded, DecodedModel)
    return decoded


def features(folder: Path, made: onnx.ModelProto) -> set[str]:
    found = decode(folder, made).features
    assert list(found) == sorted(found)
    return set(found) - {"format:onnx"}


def test_the_files_are_handed_on(tmp_path: Path) -> None:
    decoded = decode(tmp_path, model([MATMUL], tensor("w", np.ones((4, 4), np.float32))))
    assert decoded.format == "onnx"
    assert decoded.files == (tmp_path / "m.onnx",)
    assert decoded.display == ("s/m.onnx",)
    assert decoded.features == ("format:onnx",)


def test_dequantised_weights_are_weight_only(tmp_path: Path) -> None:
    assert features(tmp_path, model([DEQUANTISE, MATMUL], Q8, SCALE)) == {"int8", "weight-only"}


def test_a_scale_for_each_channel_is_noticed(tmp_path: Path) -> None:
    scales = tensor("s", np.ones(4, np.float32))
    found = features(tmp_path, model([DEQUANTISE, MATMUL], Q8, scales))
    assert found == {"int8", "weight-only", "per-channel"}


def test_a_scale_for_each_block_is_noticed(tmp_path: Path) -> None:
    node = helper.make_node("DequantizeLinear", ["q", "s"], ["w"], block_size=2, axis=0)
    found = features(tmp_path, model([node, MATMUL], Q8, tensor("s", np.ones((2, 4), np.float32))))
    assert found == {"int8", "weight-only", "blockwise"}


def test_quantised_activations_are_qdq(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        DEQUANTISE,
        helper.make_node("MatMul", ["xd", "w"], ["y"]),
    ]
    found = features(tmp_path, model(nodes, Q8, SCALE, tensor("z", np.array(0, np.uint8))))
    assert found == {"int8", "qdq", "uint8"}


def test_four_bits_are_noticed(tmp_path: Path) -> None:
    q4 = helper.make_tensor("q", TensorProto.INT4, [4, 4], np.zeros(16, np.int8))
    assert features(tmp_path, model([DEQUANTISE, MATMUL], q4, SCALE)) == {"int4", "weight-only"}


def test_half_precision_is_noticed(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["h"], ["w"], to=FLOAT), MATMUL]
    assert features(tmp_path, model(nodes, tensor("h", np.ones((4, 4), np.float16)))) == {"float16"}


def test_constants_count_as_stored(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["q"], value=Q8)
    found = features(tmp_path, model([constant, DEQUANTISE, MATMUL], SCALE))
    assert found == {"int8", "weight-only"}


@pytest.mark.parametrize(
    ("operator", "feature"),
    [
        ("MatMulNBits", "matmulnbits"),
        ("MatMulInteger", "integer-operators"),
        ("QLinearConv", "integer-operators"),
        ("DynamicQuantizeLinear", "dynamic"),
    ],
)
def test_operators_are_noticed(tmp_path: Path, operator: str, feature: str) -> None:
    assert features(tmp_path, model([helper.make_node(operator, ["x"], ["y"])])) == {feature}


def test_sparse_initializers_are_noticed(tmp_path: Path) -> None:
    made = model([MATMUL])
    pair = helper.make_sparse_tensor(
        tensor("w", np.ones(1, np.float32)), tensor("", np.array([3])), [4, 4]
    )
    made.graph.sparse_initializer.append(pair)
    assert features(tmp_path, made) == {"sparse"}


def nested(inner: onnx.NodeProto, *stored: onnx.TensorProto) -> onnx.ModelProto:
    branch = helper.make_graph([inner], "b", [], [value("out")], stored)
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    return model([node])


def test_graphs_inside_control_flow_are_looked_at(tmp_path: Path) -> None:
    inner = helper.make_node("DequantizeLinear", ["q", "s"], ["out"])
    assert features(tmp_path, nested(inner, Q8, SCALE)) == {"int8", "weight-only"}


def test_functions_are_looked_at(tmp_path: Path) -> None:
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [helper.make_node("MatMulNBits", ["a"], ["b"])], []
    )
    made = model([helper.make_node("F", ["x"], ["y"], domain="own")], functions=[function])
    assert features(tmp_path, made) == {"matmulnbits"}


def external(location: str | None, **more: str) -> onnx.TensorProto:
    made = TensorProto(name="w", data_type=FLOAT, dims=[4, 4])
    made.data_location = TensorProto.EXTERNAL
    entries = more if location is None else {"location": location, **more}
    for key, text in entries.items():
        made.external_data.add(key=key, value=text)
    return made


def test_external_data_in_a_listed_file_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(bytes(100))
    stored = external("data/w.bin", offset="36", length="64")
    decoded = decode(tmp_path, model([MATMUL], stored), "data/w.bin")
    assert decoded.files == (tmp_path / "m.onnx", tmp_path / "data" / "w.bin")


OUTSIDE = {
    "parent": "../w.bin",
    "absolute": "/etc/passwd",
    "not-listed": "other.bin",
    "the-model-itself": "m.onnx",
    "through-a-folder": "data/../w.bin",
    "with-a-dot": "./w.bin",
    "backslash": "..\\w.bin",
    "empty": "",
    "missing": None,
}


@pytest.mark.parametrize("place", ["initializer", "attribute", "branch", "sparse", "function"])
@pytest.mark.parametrize("location", OUTSIDE.values(), ids=OUTSIDE)
def test_external_data_elsewhere_are_refused(
    tmp_path: Path, location: str | None, place: str
) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))
    stored = external(location)
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.append(helper.make_attribute("value", stored))
    made = {
        "initializer": lambda: model([MATMUL], stored),
        "attribute": lambda: model([constant, MATMUL]),
        "branch": lambda: nested(MATMUL, stored),
        "sparse": lambda: model([MATMUL]),
        "function": lambda: model(
            [MATMUL], functions=[helper.make_function("own", "F", [], ["w"], [constant], [])]
        ),
    }[place]()
    if place == "sparse":
        made.graph.sparse_initializer.add().values.CopyFrom(stored)
    with pytest.raises(MalformedError) as caught:
        decode(tmp_path, made, "w.bin")
    error = caught.value
    assert "outside the files of the sample" in error.message
    assert "w.bin" in error.expected
    assert error.found == repr(location or "")
    assert error.where is not None
    assert error.where.element == "w"


@pytest.mark.parametrize(
    ("offset", "length"), [("0", "65"), ("64", "1"), ("-1", "4"), ("0", "x"), ("9" * 30, "0")]
)
def test_external_data_beyond_their_file_are_refused(
    tmp_path: Path, offset: str, length: str
) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))
    stored = external("w.bin", offset=offset, length=length)
    with pytest.raises(MalformedError) as caught:
        decode(tmp_path, model([MATMUL], stored), "w.bin")
    assert "beyond the end of 'w.bin'" in caught.value.message
    assert "64 bytes" in caught.value.expected
    where = caught.value.where
    assert where is not None
    numbers = offset.isdigit() and length.isdigit() and len(offset) < 20
    assert where.file == ("w.bin" if numbers else "s/m.onnx")


@pytest.mark.parametrize(
    "content",
    [b"", b"not onnx", b"\x3a\xff", b"\x08\x08"],
    ids=["empty", "text", "cut-off", "no-graph"],
)
def test_what_is_not_a_model_is_malformed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    source = Source((tmp_path / "m.onnx",), ("s/m.onnx",), {}, 1000)
    with pytest.raises(MalformedError, match="not an ONNX model") as caught:
        codec("onnx").decode(source)
    assert caught.value.found
    assert caught.value.where is not None
    assert caught.value.where.file == "s/m.onnx"


def test_parameters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="'container' that is not known"):
        codec("onnx").decode(Source((), (), {"container": "xz"}, 1000))


def test_a_sample_without_files_is_malformed() -> None:
    with pytest.raises(MalformedError, match="no files"):
        codec("onnx").decode(Source((), (), {}, 1000))


def test_a_missing_file_is_malformed(tmp_path: Path) -> None:
    made = model([MATMUL])
    with pytest.raises(MalformedError, match="not there") as caught:
        decode(tmp_path, made, "w.bin")
    assert caught.value.where is not None
    assert caught.value.where.file == "w.bin"


def test_a_model_beyond_the_limit_is_a_limit_error(tmp_path: Path) -> None:
    with pytest.raises(LimitError):
        decode(tmp_path, model([MATMUL]), limit_bytes=10)


def test_damage_of_any_kind_gives_a_model_or_an_explained_error(tmp_path: Path) -> None:
    whole = model([DEQUANTISE, MATMUL], Q8, SCALE).SerializeToString()
    path = tmp_path / "m.onnx"
    source = Source((path,), ("m.onnx",), {}, 10**6)
    random = np.random.default_rng(20180705)
    for _ in range(500):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[position] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(ConformanceError):
            codec("onnx").decode(source)
