"""Networks as exporters write them: samples bring what was learnt, however the rest is stored."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from conformance.jobs.replacing import zeroed
from conformance.runtimes import Network
from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes import honest, models, places

STORED = pytest.mark.parametrize("stored", honest.STORED)
NETWORKS = pytest.mark.parametrize("kind", honest.HONEST)


def inputs(kind):
    ids = np.arange(3)
    fixed = {"gpt2": {"ids": ids.reshape(1, 3)}, "quantised_words": {"ids": ids}}
    return fixed.get(kind) or models.inputs_of(honest.made(kind)[1], items=2)


def classes(network: Network):
    return [sorted(held) for held in (network.parameters, network.scalars, network.constants)]


@NETWORKS
@STORED
def test_a_sample_brings_what_was_learnt_and_nothing_else(tmp_path, kind, stored):
    written, graph = honest.made(kind)
    with models.opened(tmp_path, honest.STORED[stored](graph)) as network:
        parameters, scalars, constants = classes(network)
        assert parameters == sorted(written.learnt)
        assert sorted([*parameters, *scalars, *constants]) == sorted(written.tensors)
        assert network.unused_parameters == ()
        network.check_replaceable()
        own = network.bind().run(inputs(kind))["y"]
        copies = {name: written.tensors[name] for name in written.learnt}
        np.testing.assert_array_equal(network.bind(copies).run(inputs(kind))["y"], own)
        zeros = {name: np.zeros_like(array) for name, array in copies.items()}
        other = network.bind(zeros).run(inputs(kind))["y"]
        np.testing.assert_array_equal(network.bind_changed(zeroed).run(inputs(kind))["y"], other)
        assert not np.array_equal(other, own)


@NETWORKS
@STORED
def test_where_a_tensor_is_stored_says_nothing_of_it(tmp_path, kind, stored):
    graph = honest.made(kind)[1]
    with models.opened(tmp_path, graph) as network:
        wanted, counts = classes(network), network.counts
    with models.opened(tmp_path, honest.STORED[stored](graph)) as network:
        assert classes(network) == wanted
        assert network.counts == counts


@STORED
def test_scalars_and_equal_topology_may_be_brought(tmp_path, stored):
    written, graph = honest.made("tf2onnx")
    with models.opened(tmp_path, honest.STORED[stored](graph)) as network:
        own = network.bind().run(inputs("tf2onnx"))["y"]
        every = dict(written.tensors)
        np.testing.assert_array_equal(network.bind(every).run(inputs("tf2onnx"))["y"], own)
        halves = {name: every[name] for name in written.learnt} | {"half_1": np.float32([[1.5]])}
        assert not np.array_equal(network.bind(halves).run(inputs("tf2onnx"))["y"], own)
        with pytest.raises(ConformanceError, match="do not fit") as caught:
            network.bind({**every, "shape": np.array([-1, 512])})
        assert "shape belongs to the topology" in caught.value.found


def hidden(name, written, tensor, *, op="Cast"):
    """y of a network, and its sum with what was hidden in it."""
    node = helper.make_node(op, [name], ["hidden"], to=TensorProto.FLOAT)
    nodes = [
        *written.nodes[:-1],
        node,
        helper.make_node("ReduceSum", ["hidden"], ["sum"], keepdims=0),
        helper.make_node("Add", [written.nodes[-1].input[0], "sum"], ["y"]),
    ]
    ports = [models.value("x", ["N", 16, 16])], [models.value("y", None)]
    return models.model(nodes, *ports, {**written.tensors, name: tensor})


RANDOM = np.random.default_rng(7)
HIDDEN = {
    "int8 weights": RANDOM.integers(-128, 128, (40, 40)).astype(np.int8),
    "int64 weights": RANDOM.integers(-(1 << 40), 1 << 40, (20, 20)),
    "truth values": RANDOM.integers(0, 2, (100, 100)).astype(bool),
    "a mask": np.where(RANDOM.random((100, 100)) < 0.5, 0, -1e4).astype(np.float32),
}


@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("stored", ["initializers", "Constant nodes", "Constant nodes with lists"])
def test_weights_hidden_in_an_honest_network_are_refused(tmp_path, kind, stored):
    written, _ = honest.made("swin")
    graph = honest.STORED[stored](hidden("secret", written, HIDDEN[kind]))
    with models.opened(tmp_path, graph) as network:
        sample = dict(network.parameters)
        assert "secret" not in sample
        with pytest.raises(UnsupportedError, match="stores parameters where"):
            network.bind(sample)


@pytest.mark.parametrize("stored", ["initializers", "Constant nodes", "Constant nodes with lists"])
def test_weights_hidden_as_many_scalars_are_refused(tmp_path, stored):
    written, graph = honest.made("swin")
    n = honest.Network([*written.nodes[:-1]], dict(written.tensors))
    last = written.nodes[-1].input[0]
    for value in models.floats(400, seed=3):
        last = n.add("Add", last, n.number(value))
    graph = n.end(last, list(graph.graph.input), ["N", 16, 16])
    network = models.opened(tmp_path, honest.STORED[stored](graph))
    with network, pytest.raises(UnsupportedError, match="stores parameters where"):
        network.bind(dict(network.parameters))


def test_operands_in_attributes_are_topology_too(tmp_path):
    """Until operator set 9, the scales of Upsample were an attribute."""
    x, y = models.value("x", [1, 1, 2, 2]), models.value("y", [1, 1, 4, 4])
    given = helper.make_node("Upsample", ["x", "scales"], ["u"])
    held = helper.make_node("Upsample", ["x"], ["u"], scales=[1.0, 1.0, 2.0, 2.0])
    scaled = helper.make_node("Mul", ["u", "W"], ["y"])
    weights = {"W": models.floats(4, 4)}
    scales = {"scales": np.float32([1, 1, 2, 2])}
    found = []
    for made_, opset in (
        (models.model([given, scaled], [x], [y], weights | scales, opset=9), 9),
        (models.model([held, scaled], [x], [y], weights, opset=7), 7),
    ):
        assert made_.opset_import[0].version == opset
        with models.opened(tmp_path, made_) as network:
            found.append((list(network.parameters), network.counts))
    assert found[0] == found[1]


def test_weights_of_a_function_call_count_as_those_of_the_graph(tmp_path):
    build, tensors = places.PLACES["attribute of a call"]
    plain = models.model(
        [helper.make_node("Mul", ["x", "a"], ["h"]), helper.make_node("Mul", ["h", "b"], ["y"])],
        places.X4,
        places.Y4,
        {"a": tensors["h.weights"], "b": tensors["y.weights"]},
    )
    found = []
    for graph in (build(tensors), plain):
        with models.opened(tmp_path, graph) as network:
            found.append((len(network.parameters), network.counts))
    assert found[0] == found[1]
