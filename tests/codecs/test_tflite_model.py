"""The tflite codec: features come from the file, which is walked before anything runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.codecs import DecodedModel, Source, codec
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    MalformedError,
    UnsupportedError,
    Verdict,
)
from tests.runtimes.tflite.models import buffer_of, changed, tensor

BUNDLED = Path(__file__).parents[2] / "vectors" / "submissions" / "digits-formats"
PLAIN = BUNDLED / "models" / "digits-tflite" / "digits.tflite"
INT8 = BUNDLED / "samples" / "int8.tflite"
QUANTISED = ("activations:int8", "format:tflite", "full-integer", "int8", "per-channel")
Change = Callable[[schema.ModelT], None]


def decode(*files: Path, limit_bytes: int = 1 << 20, **params: object) -> DecodedModel:
    names = tuple(f"samples/{file.name}" for file in files)
    decoded = codec("tflite").decode(Source(files, names, params, limit_bytes))
    assert isinstance(decoded, DecodedModel)
    return decoded


def features(folder: Path, path: Path, change: Change) -> set[str]:
    """The features of the model at ``path`` after ``change``, but for the format."""
    copy = folder / "model.tflite"
    copy.write_bytes(changed(path, change))
    found = decode(copy).features
    assert list(found) == sorted(found)
    return set(found) - {"format:tflite"}


def test_the_file_is_handed_on() -> None:
    decoded = decode(INT8)
    assert decoded.format == "tflite"
    assert decoded.files == (INT8,)
    assert decoded.display == ("samples/int8.tflite",)


def test_a_network_in_integers_is_full_integer() -> None:
    assert decode(INT8).features == QUANTISED


def test_a_network_in_floats_has_no_features() -> None:
    assert decode(PLAIN).features == ("format:tflite",)


def test_integers_that_meet_floats_are_dynamic_range(tmp_path: Path) -> None:
    def quantise(model: schema.ModelT) -> None:
        weight = tensor(model, "fc2/weight")
        weight.type = schema.TensorType.INT8
        weight.quantization = schema.QuantizationParametersT()
        weight.quantization.scale, weight.quantization.zeroPoint = [0.5], [0]
        model.buffers[weight.buffer].data = np.ones(640, np.uint8)

    assert features(tmp_path, PLAIN, quantise) == {"dynamic-range", "int8"}


def test_weights_that_are_widened_first_are_weight_only(tmp_path: Path) -> None:
    def halve(model: schema.ModelT) -> None:
        graph, weight = model.subgraphs[0], tensor(model, "fc2/weight")
        half = schema.TensorT()
        half.name, half.type, half.shape = b"half", schema.TensorType.FLOAT16, weight.shape
        half.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = np.zeros(1280, np.uint8)
        weight.buffer = 0
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
        model.operatorCodes.append(code)
        widen = schema.OperatorT()
        widen.opcodeIndex = len(model.operatorCodes) - 1
        widen.inputs, widen.outputs = [len(graph.tensors)], [graph.tensors.index(weight)]
        graph.tensors.append(half)
        graph.operators.insert(0, widen)

    assert features(tmp_path, PLAIN, halve) == {"float16", "weight-only"}


def test_a_float_among_the_integers_is_not_full_integer(tmp_path: Path) -> None:
    def widen(model: schema.ModelT) -> None:
        tensor(model, "conv1/Relu").type = schema.TensorType.FLOAT32
        graph = model.subgraphs[0]
        made = {index for operator in graph.operators for index in operator.outputs}
        inner = [graph.tensors[i] for i in made if graph.tensors[i].type == schema.TensorType.INT8]
        inner[0].type, inner[0].quantization = schema.TensorType.FLOAT32, None

    found = features(tmp_path, INT8, widen)
    assert "full-integer" not in found
    assert {"activations:int8", "int8", "per-channel"} <= found


def test_one_scale_for_each_tensor_is_not_per_channel(tmp_path: Path) -> None:
    def merge(model: schema.ModelT) -> None:
        for each in model.subgraphs[0].tensors:
            if each.quantization is not None and each.quantization.scale is not None:
                each.quantization.scale = each.quantization.scale[:1]
                each.quantization.zeroPoint = each.quantization.zeroPoint[:1]

    assert features(tmp_path, INT8, merge) == set(QUANTISED) - {"per-channel", "format:tflite"}


def test_sparse_weights_are_noticed(tmp_path: Path) -> None:
    def sparsify(model: schema.ModelT) -> None:
        tensor(model, "fc2/weight").sparsity = schema.SparsityParametersT()

    assert features(tmp_path, PLAIN, sparsify) == {"sparse"}


def test_what_the_main_graph_does_not_run_counts_for_nothing(tmp_path: Path) -> None:
    def append(model: schema.ModelT) -> None:
        idle = schema.SubGraphT()
        spare = schema.TensorT()
        spare.name, spare.type, spare.shape = b"spare", schema.TensorType.INT8, [4]
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = np.zeros(4, np.uint8)
        spare.buffer = len(model.buffers) - 1
        idle.tensors, idle.inputs, idle.outputs, idle.operators = [spare], [], [], []
        model.subgraphs.append(idle)

    assert features(tmp_path, PLAIN, append) == set()


def test_another_file_is_refused() -> None:
    with pytest.raises(MalformedError, match="one file"):
        decode(INT8, PLAIN)


def test_no_file_is_refused() -> None:
    with pytest.raises(MalformedError, match="no files"):
        decode()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedError) as caught:
        decode(tmp_path / "gone.tflite")
    assert caught.value.where is not None
    assert caught.value.where.file == "samples/gone.tflite"


def test_parameters_are_refused() -> None:
    with pytest.raises(MalformedError, match="threads"):
        decode(INT8, threads=4)


def test_a_file_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(LimitError):
        decode(INT8, limit_bytes=1000)


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ConformanceError, match="LFS"):
        decode(path)


def test_data_in_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"

    def move(model: schema.ModelT) -> None:
        outside = schema.ExternalBufferT()
        outside.id, outside.group, outside.offset, outside.length = 1, 0, 0, 4
        model.externalBuffers = [outside]

    path.write_bytes(changed(INT8, move))
    with pytest.raises(UnsupportedError, match="another file"):
        decode(path)


def test_a_buffer_cut_short_is_told_when_it_is_opened(tmp_path: Path) -> None:
    from tests.runtimes.tflite.models import opened

    path = tmp_path / "model.tflite"
    path.write_bytes(changed(INT8, lambda m: setattr(buffer_of(m, "fc2/weight"), "data", [1])))
    assert decode(path).features == QUANTISED
    with pytest.raises(MalformedError, match="fc2/weight"):
        opened(path)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_flipped_bit_is_an_error_with_a_place_or_no_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(INT8.read_bytes())
    # Tables lie at both ends; what lies between them is mostly weights.
    ends = st.integers(0, 3000) | st.integers(len(content) - 8000, len(content) - 1)
    content[data.draw(ends)] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("flipped") / "model.tflite"
    path.write_bytes(content)
    refused = None
    try:
        decode(path)
    except ConformanceError as error:
        refused = error
    if refused is not None:
        assert refused.verdict in (Verdict.MALFORMED, Verdict.UNSUPPORTED)
        assert refused.where is not None


@given(st.binary(max_size=200), st.booleans())
@settings(deadline=None)
def test_no_bytes_break_the_codec(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, marked: bool
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "model.tflite"
    path.write_bytes(content[:4] + b"TFL3" + content[4:] if marked else content)
    with pytest.raises(ConformanceError):
        decode(path)
