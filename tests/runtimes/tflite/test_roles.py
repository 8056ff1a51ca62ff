"""What of a TFLite model a sample must bring, wherever and in whatever type the file stores it."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from conformance.runtimes.roles import Role
from conformance.verdicts import UnsupportedError
from tests.runtimes.tflite import models as m


def kinds(network):
    """How many tensors there are of each role and shape."""
    inventory = network.inventory
    return Counter((role, inventory.stored(name).shape) for name, role in inventory.roles.items())


@pytest.mark.parametrize(
    "name", ["cnn", "half", "dynamic", "int8", "lstm", "lstm-loop", "loop", "shared", "looked-up"]
)
def test_honest_networks_can_be_replaced(converted, name):
    with m.opened(converted / f"{name}.tflite") as network:
        network.check_replaceable()
        assert network.parameters
        assert network.unused_parameters == ()
        network.bind({n: np.array(a) for n, a in network.parameters.items()})


@pytest.mark.parametrize("way", ["half", "dynamic", "int8"])
def test_the_way_of_quantising_changes_no_role(converted, way):
    """Scales and zero points are not tensors; DEQUANTIZE hands the elements on."""
    found = []
    for name in ("cnn", way):
        with m.opened(converted / f"{name}.tflite") as network:
            found.append({k: v for k, v in kinds(network).items() if k[0] is not Role.TOPOLOGY})
    assert found[0] == found[1]


def test_half_precision_parameters_take_what_they_hold_exactly(converted, expected):
    with m.opened(converted / "half.tflite") as network:
        own = {n: np.array(a, np.float32) for n, a in network.parameters.items()}
        assert {array.dtype.name for array in network.parameters.values()} == {"float16"}
        images = expected["images"]
        assert np.array_equal(m.run(network, images, own), m.run(network, images))
        halved = {name: array / 2 for name, array in own.items()}
        assert not np.array_equal(m.run(network, images, halved), m.run(network, images))


def shared(model):
    """Two biases of the same values, as converters deduplicate constants."""
    one, two = biases(model)
    two.buffer = one.buffer


def apart(model):
    one, two = biases(model)
    model.buffers[two.buffer].data = model.buffers[one.buffer].data


def biases(model):
    found = (t for t in model.subgraphs[0].tensors if list(t.shape) == [4])
    return [t for t in found if model.buffers[t.buffer].data is not None][:2]


def test_tensors_that_share_their_data_are_as_many_parameters_as_without(
    converted, expected, tmp_path, monkeypatch
):
    path, images = converted / "cnn.tflite", expected["images"]
    (tmp_path / "one").mkdir()
    one = m.opened_bytes(tmp_path / "one", m.changed(path, shared))
    two = m.opened_bytes(tmp_path, m.changed(path, apart))
    with one, two:
        with monkeypatch.context() as patched:
            patched.setattr("conformance.runtimes.tflite.network.LARGEST_TABLES", 0)
            two.check_replaceable()
            with pytest.raises(UnsupportedError, match="share their data"):
                one.check_replaceable()
        assert one.inventory.roles == two.inventory.roles
        assert one.counts == two.counts
        rng = np.random.default_rng(4)
        other = {
            name: np.float32(array + rng.normal(size=array.shape))
            for name, array in two.parameters.items()
        }
        assert np.array_equal(m.run(one, images, other), m.run(two, images, other))


def test_roles_follow_from_how_operators_read(converted):
    with m.opened(converted / "looked-up.tflite") as network:
        assert sorted(array.shape for array in network.parameters.values()) == [(4, 4), (7, 4)]
        tables = [a for a in network.parameters.values() if a.dtype == np.int32]
        masks = [a for a in network.constants.values() if a.dtype == np.float32 and a.size > 1]
        assert (len(tables), len(masks)) == (1, 1)


def test_integers_that_no_quantised_operator_reads_cannot_hide_weights(converted, tmp_path):
    def plain(model):
        for tensor in model.subgraphs[0].tensors:
            if tensor.shape is not None and list(tensor.shape) == [20, 64]:
                tensor.quantization = None

    content = m.changed(converted / "dynamic.tflite", plain)
    with m.opened_bytes(tmp_path, content) as network, pytest.raises(UnsupportedError) as caught:
        network.check_replaceable()
    assert "dense" in caught.value.found


def slopes(numbers):
    """What puts a LeakyRelu after the output for each of some numbers."""

    def change(model):
        graph = model.subgraphs[0]
        (last,) = graph.outputs
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.LEAKY_RELU
        code.version = 1
        model.operatorCodes.append(code)
        for place, number in enumerate(numbers):
            made = copy.deepcopy(graph.tensors[last])
            made.name, made.buffer = f"slope{place}".encode(), 0
            operator = schema.OperatorT()
            operator.opcodeIndex = len(model.operatorCodes) - 1
            operator.inputs, operator.outputs = [last], [len(graph.tensors)]
            operator.builtinOptionsType = schema.BuiltinOptions.LeakyReluOptions
            operator.builtinOptions = schema.LeakyReluOptionsT()
            operator.builtinOptions.alpha = float(number)
            graph.tensors.append(made)
            graph.operators.append(operator)
            last = len(graph.tensors) - 1
        graph.outputs = [last]
        for signature in model.signatureDefs or ():
            for output in signature.outputs:
                output.tensorIndex = last

    return change


def test_weights_hidden_as_slopes_are_refused(converted, tmp_path):
    path = converted / "cnn.tflite"
    numbers = np.random.default_rng(2).uniform(0.5, 2, 2000)
    content = m.changed(path, slopes(numbers))
    with m.opened_bytes(tmp_path, content) as network, pytest.raises(UnsupportedError) as caught:
        network.check_replaceable()
    assert "LEAKY_RELU alpha" in caught.value.found


def test_one_slope_in_all_layers_counts_once(converted, tmp_path):
    content = m.changed(converted / "cnn.tflite", slopes([0.25] * 2000))
    with m.opened_bytes(tmp_path, content) as network:
        network.check_replaceable()
