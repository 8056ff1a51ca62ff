"""Damaged files whose parameters lie in all kinds of places: findings, or networks that run."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, helper

from conformance.runtimes import runtime
from conformance.verdicts import ConformanceError, LimitError, MalformedError
from tests.runtimes import models, places

FILES = {name: build(t).SerializeToString() for name, (build, t) in places.PLACES.items()}
RELAXED = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


def use(folder, data: bytes) -> None:
    """Open, describe, read, bind and run; whatever is wrong must be a finding."""
    with contextlib.suppress(ConformanceError):
        source = models.save(folder, data)
        runtime("onnx").describe(source.files[0])
    with contextlib.suppress(ConformanceError), models.opened(folder, data) as network:
        tensors = {name: np.array(array) for name, array in network.parameters.items()}
        with contextlib.suppress(ConformanceError):
            network.bind().run({})
        network.bind(tensors)


@RELAXED
@given(name=st.sampled_from(sorted(FILES)), data=st.data(), bit=st.integers(0, 7))
def test_a_flipped_bit_is_harmless_or_a_finding(tmp_path, name, data, bit):
    file = bytearray(FILES[name])
    file[data.draw(st.integers(0, len(file) - 1))] ^= 1 << bit
    use(tmp_path, bytes(file))


@RELAXED
@given(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_a_file_cut_short_is_a_finding(tmp_path, name, data):
    file = FILES[name]
    size = data.draw(st.integers(0, len(file) - 1))
    models.save(tmp_path, file[:size])
    use(tmp_path, file[:size])


@RELAXED
@given(name=st.sampled_from(sorted(FILES)), data=st.data(), more=st.binary(min_size=1, max_size=9))
def test_overwritten_bytes_are_harmless_or_a_finding(tmp_path, name, data, more):
    file = bytearray(FILES[name])
    position = data.draw(st.integers(0, len(file) - 1))
    file[position : position + len(more)] = more
    use(tmp_path, bytes(file))


@pytest.mark.parametrize(
    "magic",
    [b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"ORTM", b"\x80\x02}", b"GGUF", b"\x1f\x8b\x08"],
    ids=["zip", "hdf5", "ort", "pickle", "gguf", "gzip"],
)
def test_files_of_other_formats_are_malformed(tmp_path, magic):
    with pytest.raises(MalformedError) as caught:
        models.opened(tmp_path, magic + bytes(range(200)))
    assert caught.value.where.byte_offset is not None


def deep(levels: int):
    """Branches within branches; each level is three messages deep."""
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["a0"])], "g0", [], [models.value("a0", None)]
    )
    for level in range(1, levels):
        node = helper.make_node(
            "If", ["flag"], [f"a{level}"], then_branch=graph, else_branch=_identity(level)
        )
        graph = helper.make_graph([node], f"g{level}", [], [models.value(f"a{level}", None)])
    node = helper.make_node("If", ["flag"], ["y"], then_branch=graph, else_branch=_identity(levels))
    return models.model([node], [*places.X4, places.FLAG], places.Y4)


def _identity(level):
    name = f"e{level}"
    node = helper.make_node("Identity", ["x"], [name])
    return helper.make_graph([node], f"h{level}", [], [models.value(name, None)])


def test_branches_nested_ten_deep_are_run(tmp_path):
    made = deep(10)
    with models.opened(tmp_path, made) as network:
        inputs = places.inputs_of(made)
        np.testing.assert_array_equal(network.bind().run(inputs)["y"], np.maximum(inputs["x"], 0))


@pytest.mark.parametrize("levels", [30, 33, 40, 200])
def test_branches_nested_too_deeply_are_a_finding(tmp_path, levels):
    use(tmp_path, wrapped(levels))


def wrapped(levels: int) -> bytes:
    """The wire format of a graph in a node in a graph, without the limits of a writer."""
    graph = b""
    for _ in range(levels):
        attribute = b"\x0a\x01g" + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, b"\x12\x01y" + b"\x22\x02If" + field(5, attribute))
    return b"\x08\x08" + field(7, graph) + b"\x42\x02\x10\x11"


def field(number: int, content: bytes) -> bytes:
    size, encoded = len(content), bytearray()
    while size > 127:
        encoded.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *encoded, size]) + content


def test_messages_nested_beyond_what_is_parsed_are_malformed(tmp_path):
    with pytest.raises(MalformedError, match="the graph cannot be read"):
        models.opened(tmp_path, wrapped(200))


# Single tensors that lie


def branch_with(tensor):
    build, tensors = places.PLACES["branches"]
    made = build(tensors)
    made.graph.node[0].attribute[0].g.initializer[0].CopyFrom(tensor)
    return made


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"raw_data": bytes(8)}, "8 bytes"),
        ({"dims": [-3]}, "[-3]"),
        ({"dims": [1 << 40, 1 << 40]}, "1099511627776"),
        ({"raw_data": b""}, "no data"),
    ],
    ids=["too short", "negative size", "huge shape", "no data"],
)
def test_a_tensor_in_a_branch_that_contradicts_itself_is_malformed(tmp_path, changes, found):
    tensor = TensorProto(name="hidden", data_type=1, dims=[3], raw_data=bytes(12))
    for name, content in changes.items():
        if isinstance(content, list):
            tensor.ClearField(name)
            getattr(tensor, name).extend(content)
        else:
            setattr(tensor, name, content)
    with pytest.raises(MalformedError) as caught:
        models.opened(tmp_path, branch_with(tensor))
    assert found in caught.value.found
    assert caught.value.where.byte_offset is None
    assert "If choice.else_branch.initializer hidden" in caught.value.where.element


def test_too_few_numbers_in_a_branch_are_malformed(tmp_path):
    tensor = TensorProto(name="hidden", data_type=1, dims=[3], float_data=[1.0])
    with pytest.raises(MalformedError, match="does not fit its type and shape"):
        models.opened(tmp_path, branch_with(tensor))


def test_a_constant_that_contradicts_itself_is_malformed_at_its_byte(tmp_path):
    made = places.constant_node(places.PLACES["constant nodes"][1])
    made.graph.node[0].attribute[0].t.raw_data = bytes(3)
    with pytest.raises(MalformedError) as caught:
        models.opened(tmp_path, made)
    assert caught.value.where.element == "graph.node[0] Constant k.value.raw_data"
    assert caught.value.where.byte_offset > 0


@pytest.mark.parametrize("spoil", ["two values", "a value twice", "wrong type", "a reference"])
def test_constants_that_say_two_things_are_refused_by_the_runtime(tmp_path, spoil):
    made = places.constant_node(places.PLACES["constant nodes"][1])
    node = made.graph.node[0]
    if spoil == "two values":
        node.attribute.append(helper.make_attribute("value_floats", [1.0, 2.0]))
    elif spoil == "a value twice":
        node.attribute.append(node.attribute[0])
    elif spoil == "wrong type":
        node.attribute[0].type = AttributeProto.FLOAT
    else:
        node.attribute[0].ref_attr_name = "elsewhere"
    with pytest.raises(ConformanceError), models.opened(tmp_path, made) as network:
        network.bind()


def test_tensors_within_the_graph_beyond_the_limit_are_refused(tmp_path):
    build, tensors = places.PLACES["branches"]
    data = build(tensors).SerializeToString()
    models.opened(tmp_path, data, limit_bytes=len(data)).close()
    sparse = places.sparse_of(places.HALF, "S")
    made = models.relu()
    made.graph.sparse_initializer.extend([sparse] * 2)
    made.graph.sparse_initializer[1].values.name = "T"
    with pytest.raises(LimitError) as caught:
        models.opened(tmp_path, made, limit_bytes=400 if made.ByteSize() > 400 else 100)
    assert caught.value.found.endswith("bytes")


@pytest.mark.parametrize("name", ["branches", "functions", "sparse in a branch"])
def test_every_name_has_to_be_utf_8(tmp_path, name):
    """A parser hands other text on as bytes, which no message and no other name goes with."""
    file = FILES[name]
    for text in (b"MatMul", b"Mul", b"then_branch", b"Shift"):
        if text in file:
            damaged = file.replace(text, b"\xff" + text[1:], 1)
            with pytest.raises(MalformedError, match="not UTF-8") as caught:
                models.opened(tmp_path, damaged)
            assert "xff" in caught.value.found


def test_a_reference_that_holds_a_value_too_is_malformed(tmp_path):
    made = places.function_attribute(places.PLACES["attribute of a call"][1])
    constant = made.functions[0].node[0].attribute[0]
    constant.t.CopyFrom(places.tensor(np.ones(4, np.float32)))
    with pytest.raises(MalformedError, match="refers to the caller's") as caught:
        models.opened(tmp_path, made)
    assert caught.value.found == "t"
    assert caught.value.where.element == "node Constant.value"
