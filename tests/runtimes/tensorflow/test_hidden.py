"""Values that a graph holds where nobody looks for parameters: a replacement must be refused."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from tensorflow.core.framework import (
    attr_value_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)

from conformance.runtimes.roles import content_of
from conformance.runtimes.tensorflow.constants import Constants
from conformance.verdicts import MalformedError, UnsupportedError
from tests.runtimes.tensorflow import nets

tf = nets.tf
RNG = np.random.default_rng(5)
OWN = RNG.normal(size=(144, 3)).astype(np.float32)


def from_bytes():
    """Its bytes become quantised ones in :func:`as_quantised`."""
    return tf.bitcast(
        tf.constant(np.frombuffer(OWN.tobytes(), np.uint8).reshape(144, 3, 4)), "float"
    )


def from_sizes():
    found = 0.0
    for _ in range(9):
        empty = tf.constant(np.zeros([0, *[1] * 30], np.float32))
        found += tf.reduce_sum(tf.cast(tf.raw_ops.Shape(input=empty), tf.float32))
    return found


def as_saved(meta):
    pass


def function_nodes(meta):
    return ((f, n) for f in meta.graph_def.library.function for n in f.node_def)


def as_quantised(meta):
    for _, node in function_nodes(meta):
        if node.op == "Const" and node.attr["dtype"].type == types_pb2.DT_UINT8:
            node.attr["dtype"].type = types_pb2.DT_QUINT8
            node.attr["value"].tensor.dtype = types_pb2.DT_QUINT8
        if node.op == "Bitcast":
            node.attr["T"].type = types_pb2.DT_QUINT8


def hiding(tmp_path, weights, change):
    """A SavedModel that declares ``net/dense``, and computes with ``weights`` instead."""

    class Hiding(nets.Cnn):
        @tf.function(input_signature=[tf.TensorSpec((None, *nets.IMAGE), tf.float32, name="image")])
        def serve(self, image):
            hidden = tf.nn.conv2d(image, self.kernel, 1, "SAME") + self.bias
            return {
                "logits": tf.matmul(tf.reshape(hidden, [-1, 144]), self.dense * 0.0 + weights())
            }

    return nets.changed(nets.save(tmp_path / "hiding", Hiding(1)), change)


@pytest.mark.parametrize(
    ("weights", "change"),
    [(from_bytes, as_quantised), (from_sizes, as_saved)],
    ids=["quantised-bytes", "sizes-of-empty-tensors"],
)
def test_constants_of_unusual_types_cannot_hide_the_original(tmp_path, weights, change):
    with nets.opened(hiding(tmp_path, weights, change)) as network:
        nets.run(network, nets.feed(network))
        with pytest.raises(UnsupportedError) as caught:
            network.bind(nets.copies(network))
    assert "stores parameters where a sample's cannot take their place" in str(caught.value)
    assert "Const" in caught.value.where.element


def test_a_constant_that_the_call_of_its_function_brings_is_refused(tmp_path):
    def as_argument(meta):
        function, node = next(
            (f, n) for f, n in function_nodes(meta) if n.attr["dtype"].type == types_pb2.DT_UINT8
        )
        brought = attr_value_pb2.AttrValue()
        brought.CopyFrom(node.attr["value"])
        node.attr["value"].placeholder = "brought"
        function.signature.attr.add(name="brought", type="tensor")
        for caller in meta.graph_def.node:
            if caller.attr["f"].func.name == function.signature.name:
                caller.attr["f"].func.attr["brought"].CopyFrom(brought)

    path = hiding(tmp_path, from_bytes, as_argument)
    with pytest.raises(UnsupportedError) as caught, nets.opened(path):
        pass
    assert "the placeholder 'brought'" in str(caught.value)
    assert "of function" in caught.value.where.element


def test_constants_of_eight_bits_are_parameters(tmp_path):
    def from_eight_bits():
        return tf.cast(tf.constant(OWN.astype(ml_dtypes.float8_e5m2)), tf.float32)

    with nets.opened(hiding(tmp_path, from_eight_bits, as_saved)) as network:
        value, tensors = nets.feed(network), nets.copies(network)
        own = nets.run(network, value, tensors)
        (name,) = [name for name, array in tensors.items() if array.dtype.itemsize == 1]
        tensors[name] = np.zeros(OWN.shape, np.float32)
        assert not np.array_equal(nets.run(network, value, tensors), own)


def content(**fields):
    """The content of all that a constant holds."""
    graph = tf.compat.v1.GraphDef()
    node = graph.node.add(name="hiding", op="Const")
    node.attr["value"].tensor.CopyFrom(tensor_pb2.TensorProto(**fields))
    found = Constants(graph, {}, "model.pb", nets.GIB)
    every = [*found.tensors.values(), *found.loose]
    return sum(content_of(each.values(), 10**6) for each in every)


@pytest.mark.parametrize("way", ["string_val", "tensor_content"])
def test_texts_are_counted_in_either_way_of_storing_them(way):
    text = RNG.bytes(50)
    held = {way: [text] if way == "string_val" else text}
    assert content(dtype=types_pb2.DT_STRING, **held) >= 50


def test_lists_of_tensors_are_counted():
    data = RNG.bytes(400)
    inner = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=data)
    listed = tensor_pb2.VariantTensorDataProto(type_name="tensorflow::TensorList", tensors=[inner])
    assert content(dtype=types_pb2.DT_VARIANT, variant_val=[listed]) >= 400


def test_a_constant_of_fewer_or_more_values_than_its_shape_says_is_malformed():
    shape = tensor_shape_pb2.TensorShapeProto(dim=[{"size": 7}])
    with pytest.raises(MalformedError) as caught:
        content(dtype=types_pb2.DT_FLOAT, tensor_shape=shape, tensor_content=bytes(20))
    assert caught.value.where.element == "node hiding (Const)"


def test_a_variable_of_text_is_not_judged(tmp_path):
    class Speaking(nets.Cnn):
        def __init__(self, seed):
            super().__init__(seed)
            self.text = tf.Variable("a text", name="net/text")

        @tf.function(input_signature=[tf.TensorSpec((None, *nets.IMAGE), tf.float32, name="image")])
        def serve(self, image):
            return {"made": image * tf.cast(tf.strings.length(self.text), tf.float32)}

    path = nets.save(tmp_path / "speaking", Speaking(1))
    with pytest.raises(UnsupportedError) as caught, nets.opened(path):
        pass
    assert "element type" in str(caught.value)
    assert "node " in caught.value.where.element
