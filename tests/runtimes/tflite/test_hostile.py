"""Damaged and hostile TFLite files: each is a finding that names the file and the place."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.runtimes.tflite.flatbuffer import Reader
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    MalformedError,
    UnsupportedError,
)
from tests.runtimes.tflite import models as m

CUSTOM = 32


def refused(folder, content, limit=m.GIB):
    with pytest.raises(ConformanceError) as caught, m.opened_bytes(folder, content, limit):
        pass
    assert "model.tflite" in str(caught.value)
    return caught.value


def custom(code):
    def change(model):
        model.operatorCodes[0] = schema.OperatorCodeT()
        model.operatorCodes[0].builtinCode = CUSTOM
        model.operatorCodes[0].deprecatedBuiltinCode = CUSTOM
        model.operatorCodes[0].customCode = code

    return change


def operator(number):
    def change(model):
        model.operatorCodes[0].builtinCode = number

    return change


def set_on_tensor(part, **fields):
    def change(model):
        for name, value in fields.items():
            setattr(m.tensor(model, part), name, value)

    return change


def on_graph(**fields):
    def change(model):
        for name, value in fields.items():
            setattr(model.subgraphs[0], name, value)

    return change


def on_operator(index, **fields):
    def change(model):
        for name, value in fields.items():
            setattr(model.subgraphs[0].operators[index], name, value)

    return change


def short_data(model):
    buffer = m.buffer_of(model, "dense_1/MatMul")
    buffer.data = buffer.data[:-4]


def sparse(model):
    m.tensor(model, "dense_1/MatMul").sparsity = schema.SparsityParametersT()


def blocks(model):
    quantisation = schema.QuantizationParametersT()
    quantisation.detailsType = 2
    quantisation.details = schema.BlockwiseQuantizationT()
    m.tensor(model, "dense_1/MatMul").quantization = quantisation


def wrong_scales(model):
    quantisation = schema.QuantizationParametersT()
    quantisation.scale = np.ones(7, np.float32)
    quantisation.zeroPoint = np.zeros(7, np.int64)
    m.tensor(model, "dense_1/MatMul").quantization = quantisation


def elsewhere(model):
    model.externalBuffers = [schema.ExternalBufferT()]


def stored_variable(model):
    m.tensor(model, "dense_1/MatMul").isVariable = True


def swapped_operators(model):
    operators = model.subgraphs[0].operators
    operators[0], operators[1] = operators[1], operators[0]


def written_twice(model):
    operators = model.subgraphs[0].operators
    operators[1].outputs = operators[0].outputs


def outside(model):
    model.buffers[2].data = None
    model.buffers[2].offset, model.buffers[2].size = 1 << 40, 80


def two_places(model):
    model.buffers[2].offset, model.buffers[2].size = 64, 80


def no_names(model):
    model.signatureDefs = []
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b""


def text_input(model):
    m.tensor(model, "serving_default").type = schema.TensorType.STRING


CHANGES = {
    "custom-operator": (custom(b"Mine"), UnsupportedError, "not builtin: Mine"),
    "flex-operator": (custom(b"FlexErfinv"), UnsupportedError, "TensorFlow itself: Erfinv"),
    "delegate": (operator(51), UnsupportedError, "DELEGATE"),
    "unknown-operator": (operator(9999), UnsupportedError, "number 9999"),
    "random-operator": (operator(148), UnsupportedError, "random numbers"),
    "resource-operator": (operator(142), UnsupportedError, "variables or tables"),
    "negative-operator": (operator(-7), MalformedError, "negative number"),
    "data-too-short": (short_data, MalformedError, "wrong length"),
    "wrong-shape": (
        set_on_tensor("dense_1/MatMul", shape=[20, 65]),
        MalformedError,
        "wrong length",
    ),
    "wrong-type": (
        set_on_tensor("dense_1/MatMul", type=schema.TensorType.FLOAT16),
        MalformedError,
        "wrong length",
    ),
    "negative-shape": (
        set_on_tensor("dense_1/MatMul", shape=[-20, 64]),
        MalformedError,
        "impossible shape",
    ),
    "huge-shape": (
        set_on_tensor("MaxPool2d", shape=[1 << 30, 1 << 30, 4, 4]),
        MalformedError,
        "impossible shape",
    ),
    "large-shape": (
        set_on_tensor("MaxPool2d", shape=[1, 1 << 20, 1 << 10, 4], shapeSignature=None),
        LimitError,
        "too much memory",
    ),
    "unknown-type": (
        set_on_tensor("MaxPool2d", type=99),
        UnsupportedError,
        "type 99",
    ),
    "text-input": (text_input, UnsupportedError, "STRING"),
    "buffer-index": (
        set_on_tensor("dense_1/MatMul", buffer=4000),
        MalformedError,
        "index out of range",
    ),
    "input-index": (on_graph(inputs=[700]), MalformedError, "index out of range"),
    "output-index": (on_graph(outputs=[-2]), MalformedError, "index out of range"),
    "tensor-index": (on_operator(1, inputs=[12, 90, 3]), MalformedError, "index out of range"),
    "operator-index": (on_operator(1, opcodeIndex=60), MalformedError, "index out of range"),
    "no-graph": (lambda model: setattr(model, "subgraphs", []), MalformedError, "no graph"),
    "version": (lambda model: setattr(model, "version", 4), MalformedError, "a different version"),
    "order": (swapped_operators, MalformedError, "nothing has written"),
    "written-twice": (written_twice, MalformedError, "two places"),
    "sparse": (sparse, UnsupportedError, "sparse"),
    "blocks": (blocks, UnsupportedError, "blocks"),
    "scales": (wrong_scales, MalformedError, "does not fit its shape"),
    "external-buffers": (elsewhere, UnsupportedError, "another file"),
    "stored-variable": (stored_variable, MalformedError, "stored content"),
    "buffer-outside": (outside, MalformedError, "outside the file"),
    "buffer-in-two-places": (two_places, MalformedError, "two places"),
    "no-names": (no_names, MalformedError, "unique names"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_spoilt_model_is_refused(converted, tmp_path, name):
    change, kind, said = CHANGES[name]
    error = refused(tmp_path, m.changed(converted / "cnn.tflite", change))
    assert type(error) is kind
    assert said in str(error)
    assert error.expected
    assert error.found
    assert error.fix


@pytest.mark.parametrize("name", ["random", "counter"])
def test_networks_with_chance_or_a_memory_are_unsupported(converted, name):
    with pytest.raises(UnsupportedError), m.opened(converted / f"{name}.tflite"):
        pass


def calls_itself(model):
    loop = next(o for o in model.subgraphs[0].operators if o.builtinOptions is not None)
    assert isinstance(loop.builtinOptions, schema.WhileOptionsT)
    loop.builtinOptions.bodySubgraphIndex = 0


def calls_nothing(model):
    loop = next(o for o in model.subgraphs[0].operators if o.builtinOptions is not None)
    loop.builtinOptionsType, loop.builtinOptions = 0, None


@pytest.mark.parametrize(
    ("change", "said"),
    [(calls_itself, "graph 0 runs graph 0"), (calls_nothing, "does not say which subgraph")],
    ids=["circle", "no-options"],
)
def test_a_loop_that_leads_astray_is_malformed(converted, tmp_path, change, said):
    error = refused(tmp_path, m.changed(converted / "loop.tflite", change))
    assert type(error) is MalformedError
    assert said in str(error)


def test_a_model_beyond_the_limit_is_refused(converted, tmp_path):
    content = (converted / "cnn.tflite").read_bytes()
    error = refused(tmp_path, content, limit=4096)
    assert isinstance(error, LimitError)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x18\0\0\0", b"\x18\0\0\0TFL4" + bytes(64), b"PK\x03\x04" + bytes(99)],
    ids=["empty", "four-bytes", "wrong-magic", "zip"],
)
def test_what_is_no_tflite_file_is_malformed(tmp_path, content):
    error = refused(tmp_path, content)
    assert type(error) is MalformedError
    assert "TFL3" in str(error)


def test_a_pointer_to_a_large_file_is_told_as_such(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    assert "git lfs" in str(refused(tmp_path, pointer)).lower()


def test_offsets_that_lead_out_of_the_file_name_the_byte(converted, tmp_path):
    content = bytearray((converted / "cnn.tflite").read_bytes())
    content[:4] = struct.pack("<I", len(content) + 8)
    error = refused(tmp_path, bytes(content))
    assert error.where.byte_offset is not None
    assert "out of the file" in str(error)


def test_an_offset_that_leads_before_the_file_is_told_as_its_start(converted, tmp_path):
    """A report has no place for a negative byte."""
    content = bytearray((converted / "cnn.tflite").read_bytes())
    root = struct.unpack_from("<I", content)[0]
    struct.pack_into("<i", content, root, root + 4000)
    error = refused(tmp_path, bytes(content))
    assert error.where.byte_offset == 0
    assert "-4000" in error.found


def test_one_table_that_stands_for_two_tensors_is_malformed(converted, tmp_path):
    """To give one of them other data would change both."""

    def change(model):
        graph = model.subgraphs[0]
        graph.tensors = [*graph.tensors, *graph.tensors[:1]]

    path = converted / "cnn.tflite"
    content = bytearray(m.changed(path, change))
    tables = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    vector = tables._tab.Vector(tables._tab.Offset(4))
    last = vector + 4 * (tables.TensorsLength() - 1)
    first = vector + struct.unpack_from("<I", content, vector)[0]
    struct.pack_into("<I", content, last, first - last)
    error = refused(tmp_path, bytes(content))
    assert type(error) is MalformedError
    assert "two tensors share one table" in str(error)


@pytest.mark.parametrize("more", [4, 7, 60])
def test_tables_that_share_a_vtable_may_have_less_padding_than_it_says(
    converted, tmp_path, expected, more
):
    """A vtable says how long one table is, padding included; what follows another one's last
    field may be the next part already."""
    content = (converted / "cnn.tflite").read_bytes()
    reader = Reader(memoryview(content), "cnn.tflite")
    reader.root("Model", b"TFL3")
    longer = bytearray(content)
    vtables = [begin for (begin, _), (use, _) in reader.claimed.items() if use == "vtable"]
    for begin in vtables:
        (size,) = struct.unpack_from("<H", longer, begin + 2)
        struct.pack_into("<H", longer, begin + 2, size + more)
    assert len(vtables) > 10
    with m.opened_bytes(tmp_path, bytes(longer)) as network:
        np.testing.assert_allclose(m.run(network, expected["images"]), expected["cnn"], atol=1e-4)


def test_a_field_in_the_next_part_of_the_file_is_malformed(converted, tmp_path):
    content = bytearray((converted / "cnn.tflite").read_bytes())
    reader = Reader(memoryview(bytes(content)), "cnn.tflite")
    tensor = reader.root("Model", b"TFL3").tables("subgraphs")[0].tables("tensors")[1]
    vtable = tensor.position - struct.unpack_from("<i", content, tensor.position)[0]
    (size,) = struct.unpack_from("<H", content, vtable + 2)
    slot = vtable + 4 + 2 * 8
    assert struct.unpack_from("<H", content, slot) == (tensor.places["has_rank"] - tensor.position,)
    struct.pack_into("<H", content, vtable + 2, size + 4)
    struct.pack_into("<H", content, slot, size)
    error = refused(tmp_path, bytes(content))
    assert isinstance(error, MalformedError)
    assert error.message == "two parts of the file overlap"
    assert "quantization" in error.where.element or "tensors[" in error.where.element


def test_a_file_of_too_many_entries_is_beyond_a_limit(converted, tmp_path):
    def change(model):
        model.metadataBuffer = None
        model.subgraphs[0].operators[0].inputs = np.zeros(2_100_000, np.int32)

    error = refused(tmp_path, m.changed(converted / "cnn.tflite", change))
    assert isinstance(error, LimitError)
    assert "too many entries" in str(error)


@pytest.fixture(scope="module")
def cnn(converted) -> bytes:
    return (converted / "cnn.tflite").read_bytes()


EACH = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@EACH
@given(data=st.data())
def test_a_truncated_file_is_malformed_at_any_length(cnn, tmp_path, data):
    end = data.draw(st.integers(0, len(cnn) - 1))
    assert type(refused(tmp_path, cnn[:end])) is MalformedError


@EACH
@given(data=st.data())
def test_other_bytes_anywhere_are_a_finding_or_another_network(cnn, tmp_path, data):
    content = bytearray(cnn)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(cnn) - 1))
        new = data.draw(st.binary(min_size=1, max_size=8))
        content[start : start + len(new)] = new
    try:
        with m.opened_bytes(tmp_path, bytes(content)) as network:
            found = sum(array.size for array in network.parameters.values())
            assert found == network.counts.parameters
    except ConformanceError as error:
        refusals = [error.found, error.expected, error.fix]
        assert all(refusals)


@pytest.mark.parametrize("name", ["cnn", "int8", "lstm", "lstm-loop", "loop", "shared"])
def test_flipped_bits_never_crash_the_interpreter(converted, name):
    """In its own process: LiteRT is native code."""
    script = Path(__file__).with_name("flip.py")
    done = subprocess.run(
        [sys.executable, str(script), str(converted / f"{name}.tflite"), "100"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stdout[-300:], done.stderr[-1500:])
    refusals, runs = map(int, done.stdout.split())
    assert refusals + runs == 100
    assert refusals > 10


def test_an_input_that_an_operator_needs_cannot_be_left_out(converted, tmp_path):
    """LiteRT follows it to an address: the process dies."""

    def change(model):
        reshape = next(o for o in model.subgraphs[0].operators if len(o.inputs) == 2)
        reshape.inputs = [reshape.inputs[0], -1]

    error = refused(tmp_path, m.changed(converted / "int8.tflite", change))
    assert isinstance(error, MalformedError)
    assert "lacks an input" in str(error)
    assert "input 1 of" in error.expected


def test_a_bias_may_be_left_out(converted, tmp_path):
    def change(model):
        dense = next(o for o in model.subgraphs[0].operators[::-1] if len(o.inputs) == 3)
        dense.inputs = [*dense.inputs[:2], -1]

    with m.opened_bytes(tmp_path, m.changed(converted / "cnn.tflite", change)) as network:
        assert m.run(network, np.ones((1, 8, 8, 1), np.float32)).shape == (1, 3)
