"""Sparse tensors that DENSIFY unpacks, as in models of MediaPipe: dense parameters with zeros."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from conformance.verdicts import MalformedError, UnsupportedError
from tests.runtimes.tflite import models as m

SHAPE = (20, 64)
DENSIFY = 124
RNG = np.random.default_rng(12)
DENSE = RNG.normal(size=SHAPE).astype(np.float32)
IN_BLOCKS = np.repeat(RNG.random((20, 16)) < 0.3, 4, axis=1)
SINGLE = RNG.random(SHAPE) < 0.3
PATTERNS = {"single": (SINGLE, 1), "blocks": (IN_BLOCKS, 4)}


def numbers(values, kind):
    vector = {"i": schema.Int32VectorT, "H": schema.Uint16VectorT, "B": schema.Uint8VectorT}[kind]()
    vector.values = np.asarray(values, kind)
    return vector


def level(segments=None, places=None, size=0, kind="B"):
    made = schema.DimensionMetadataT()
    if segments is None:
        made.format, made.denseSize = schema.DimensionType.DENSE, size
        return made
    made.format = schema.DimensionType.SPARSE_CSR
    code = {"i": 1, "H": 2, "B": 3}[kind]
    made.arraySegmentsType = made.arrayIndicesType = code
    made.arraySegments, made.arrayIndices = numbers(segments, kind), numbers(places, kind)
    return made


def weights(model):
    return m.tensor(model, "dense_1/MatMul")


def sparsity_of(pattern, block):
    made = schema.SparsityParametersT()
    entries = pattern[:, ::block]
    places = [np.flatnonzero(row) for row in entries]
    segments = np.cumsum([0, *map(len, places)])
    made.traversalOrder = [0, 1] if block == 1 else [0, 1, 2]
    made.blockMap = [] if block == 1 else [1]
    made.dimMetadata = [level(size=20), level(segments, np.concatenate(places), kind="H")]
    made.dimMetadata += [] if block == 1 else [level(size=block)]
    return made


def sparse(pattern, block):
    """A change that stores the weights of a layer sparse, and unpacks them before it."""

    def change(model):
        graph = model.subgraphs[0]
        packed = weights(model)
        packed.sparsity = sparsity_of(pattern, block)
        model.buffers[packed.buffer].data = DENSE[pattern].view(np.uint8)
        place = graph.tensors.index(packed)
        whole = schema.TensorT()
        whole.name, whole.shape, whole.buffer, whole.type = b"whole", list(SHAPE), 0, packed.type
        graph.tensors.append(whole)
        for operator in graph.operators:
            operator.inputs = [len(graph.tensors) - 1 if i == place else i for i in operator.inputs]
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = DENSIFY
        code.version = 1
        model.operatorCodes.append(code)
        unpacking = schema.OperatorT()
        unpacking.opcodeIndex = len(model.operatorCodes) - 1
        unpacking.inputs, unpacking.outputs = [place], [len(graph.tensors) - 1]
        graph.operators.insert(0, unpacking)

    return change


def dense(pattern):
    def change(model):
        model.buffers[weights(model).buffer].data = (
            np.where(pattern, DENSE, 0).reshape(-1).view(np.uint8)
        )

    return change


@pytest.mark.parametrize("kind", PATTERNS)
def test_a_sparse_tensor_is_the_dense_one_with_zeros(converted, expected, tmp_path, kind):
    pattern, block = PATTERNS[kind]
    path, images = converted / "cnn.tflite", expected["images"]
    (tmp_path / "dense").mkdir()
    one = m.opened_bytes(tmp_path / "dense", m.changed(path, dense(pattern)))
    two = m.opened_bytes(tmp_path, m.changed(path, sparse(pattern, block)))
    with one, two:
        assert one.inventory.roles == two.inventory.roles
        assert one.counts == two.counts
        own = {name: np.array(array) for name, array in two.parameters.items()}
        for name, array in one.parameters.items():
            assert np.array_equal(own[name], array)
        assert np.array_equal(m.run(two, images), m.run(one, images))
        halved = {name: array / 2 for name, array in own.items()}
        found = m.run(two, images, halved)
        assert np.array_equal(found, m.run(one, images, halved))
        assert not np.array_equal(found, m.run(two, images))


@pytest.mark.parametrize("kind", PATTERNS)
def test_a_sample_may_have_values_where_the_file_stores_none(converted, expected, tmp_path, kind):
    """A quantiser on a trellis does not keep every zero."""
    pattern, block = PATTERNS[kind]
    path, images = converted / "cnn.tflite", expected["images"]
    (tmp_path / "dense").mkdir()
    one = m.opened_bytes(tmp_path / "dense", m.changed(path, dense(pattern)))
    two = m.opened_bytes(tmp_path, m.changed(path, sparse(pattern, block)))
    with one, two:
        given = {name: np.array(array) for name, array in two.parameters.items()}
        before = m.run(two, images, given)
        name = next(name for name, array in given.items() if array.shape == SHAPE)
        given[name][~pattern] = 0.25
        found = m.run(two, images, given)
        assert np.array_equal(found, m.run(one, images, given))
        assert not np.array_equal(found, before)


def no_order(sparsity):
    sparsity.traversalOrder = []


def an_order_twice(sparsity):
    sparsity.traversalOrder = [0, 0]


def another_size(sparsity):
    sparsity.dimMetadata[0].denseSize = 19


def a_level_less(sparsity):
    del sparsity.dimMetadata[1]


def no_lists(sparsity):
    sparsity.dimMetadata[1].arraySegments = sparsity.dimMetadata[1].arrayIndices = None


def lists_of_a_dense_level(sparsity):
    sparsity.dimMetadata[0].arrayIndices = numbers([1], "B")
    sparsity.dimMetadata[0].arrayIndicesType = 3


def a_place_outside(sparsity):
    sparsity.dimMetadata[1].arrayIndices.values[-1] = 64


def a_place_twice(sparsity):
    places = sparsity.dimMetadata[1].arrayIndices.values
    places[1] = places[0]


def segments_that_fall(sparsity):
    sparsity.dimMetadata[1].arraySegments.values[3] = 0


def segments_beyond_the_places(sparsity):
    sparsity.dimMetadata[1].arraySegments.values[-1] += 1


def a_block_of_nothing(sparsity):
    sparsity.traversalOrder, sparsity.blockMap = [0, 1, 2], [1]
    sparsity.dimMetadata.append(level(size=0))


def a_block_of_no_dimension(sparsity):
    sparsity.traversalOrder, sparsity.blockMap = [0, 1, 2], [2]
    sparsity.dimMetadata.append(level(size=4))


SPOILT = (
    *(no_order, an_order_twice, another_size, a_level_less, no_lists, lists_of_a_dense_level),
    *(a_place_outside, a_place_twice, segments_that_fall, segments_beyond_the_places),
    *(a_block_of_nothing, a_block_of_no_dimension),
)


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_lists_that_contradict_themselves_are_malformed(converted, tmp_path, spoil):
    def change(model):
        sparse(SINGLE, 1)(model)
        spoil(weights(model).sparsity)

    content = m.changed(converted / "cnn.tflite", change)
    with pytest.raises(MalformedError, match="contradicts itself"):
        m.opened_bytes(tmp_path, content)


def test_what_other_operators_read_must_be_dense(converted, tmp_path):
    def change(model):
        weights(model).sparsity = sparsity_of(SINGLE, 1)

    with pytest.raises(UnsupportedError) as caught:
        m.opened_bytes(tmp_path, m.changed(converted / "cnn.tflite", change))
    assert "DENSIFY" in caught.value.expected
