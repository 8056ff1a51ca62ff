"""Parameters that no output depends on are not part of the network."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from conformance.runtimes.onnx.usage import Usage
from conformance.verdicts import UnsupportedError
from tests.runtimes import models


def needed(graph):
    return Usage(helper.make_model(graph)).of_graph(graph)


def unused(folder, made) -> tuple[str, ...]:
    with models.opened(folder, made) as network:
        return network.unused_parameters


def with_tensors(made, **tensors):
    made.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in tensors.items())
    return made


def chosen(then, otherwise, tensors):
    """y is one of two subgraphs, by the input ``flag``."""
    node = helper.make_node("If", ["flag"], ["y"], then_branch=then, else_branch=otherwise)
    inputs = [models.value("x", ["N", 4]), models.value("flag", [], TensorProto.BOOL)]
    return models.model([node], inputs, [models.value("y", ["N", 4])], tensors)


def branch(name: str, nodes, output: str, tensors=()):
    return helper.make_graph(nodes, name, [], [models.value(output, None)], list(tensors))


@pytest.mark.parametrize(
    "made",
    [models.cnn(), models.dense(), models.lstm(), models.two_in_two_out(), models.qdq()],
    ids=["cnn", "dense", "lstm", "two inputs, two outputs", "qdq"],
)
def test_networks_use_what_they_hold(tmp_path, made):
    assert unused(tmp_path, made) == ()


def test_a_parameter_that_nothing_reads_is_unused(tmp_path):
    made = with_tensors(models.dense(), dead=models.floats(1000, 100), W2=models.floats(2, 2))
    assert unused(tmp_path, made) == ("dead", "W2")


def test_a_parameter_that_is_an_input_too_is_unused_if_nothing_reads_it(tmp_path):
    made = with_tensors(models.dense(), dead=models.floats(8))
    made.graph.input.extend([models.value("dead", [8]), models.value("W", [32, 16])])
    assert unused(tmp_path, made) == ("dead",)


def test_a_parameter_whose_results_go_nowhere_is_unused(tmp_path):
    made = with_tensors(models.dense(), dead=models.floats(16))
    made.graph.node.extend(
        [
            helper.make_node("Add", ["y", "dead"], ["nowhere"]),
            helper.make_node("Relu", ["nowhere"], ["nowhere at all"]),
        ]
    )
    assert unused(tmp_path, made) == ("dead",)


def test_a_parameter_that_is_an_output_is_used(tmp_path):
    made = with_tensors(models.dense(), table=models.floats(8))
    made.graph.output.append(models.value("table", [8]))
    assert unused(tmp_path, made) == ()


def test_parameters_that_branches_read_are_used(tmp_path):
    then = branch("then", [helper.make_node("Add", ["x", "near"], ["a"])], "a")
    deep = branch("deep", [helper.make_node("Mul", ["x", "far"], ["c"])], "c")
    same = branch("same", [helper.make_node("Identity", ["x"], ["d"])], "d")
    inner = helper.make_node("If", ["flag"], ["b"], then_branch=deep, else_branch=same)
    tensors = {name: models.floats(4) for name in ("near", "far", "dead")}
    made = chosen(then, branch("else", [inner], "b"), tensors)
    assert unused(tmp_path, made) == ("dead",)


def test_a_name_of_a_branch_hides_the_one_around_it(tmp_path):
    own = numpy_helper.from_array(models.floats(4), "W")
    then = branch("then", [helper.make_node("Add", ["x", "W"], ["a"])], "a", [own])
    otherwise = branch("else", [helper.make_node("Identity", ["x"], ["b"])], "b")
    assert unused(tmp_path, chosen(then, otherwise, {"W": models.floats(4)})) == ("W",)


def test_the_order_of_nodes_does_not_matter():
    graph = models.dense().graph
    graph.node.reverse()
    assert {"W", "b", "x", "p", "y"} == needed(graph)


def test_nodes_in_a_circle_come_to_an_end():
    nodes = [helper.make_node("Add", ["q", "W"], ["y"]), helper.make_node("Relu", ["y"], ["q"])]
    graph = models.model(nodes, [], [models.value("y", [4])]).graph
    assert needed(graph) == {"W", "q", "y"}


def test_lists_of_shapes_are_no_unused_parameters(tmp_path):
    assert unused(tmp_path, with_tensors(models.dense(), shape=np.array([1, 2]))) == ()


def test_unused_parameters_do_not_allow_more_values_elsewhere(tmp_path):
    numbers = models.random(4).integers(0, 1 << 40, 1000).tolist()
    hidden = helper.make_node("Constant", [], ["k"], name="k", value_ints=numbers)
    cast = helper.make_node("Cast", ["k"], ["c"], to=TensorProto.FLOAT)
    add = helper.make_node("Add", ["x", "c"], ["y"])
    ports = [models.value("x", ["N", 1000])], [models.value("y", ["N", 1000])]
    made = models.model([hidden, cast, add], *ports, {"dead": models.floats(1000, 100)})
    with models.opened(tmp_path, made) as network, pytest.raises(UnsupportedError) as caught:
        network.check_replaceable()
    assert caught.value.expected == "content of at most 96 outside the parameters"
    assert "graph.node[0] Constant k.value_ints (1000 of content)" in caught.value.found


def test_used_parameters_allow_some_values_elsewhere(tmp_path):
    made = models.dense(320, 100)
    made.graph.node.append(helper.make_node("Constant", [], ["k"], value_ints=list(range(1000))))
    with models.opened(tmp_path, made) as network:
        network.check_replaceable()


def slopes(*alphas: float):
    """A sum of rectifiers, one for each slope, scaled by the one parameter."""
    names = [f"h{index}" for index in range(len(alphas))]
    nodes = [
        helper.make_node("LeakyRelu", ["x"], [name], alpha=alpha)
        for name, alpha in zip(names, alphas, strict=True)
    ]
    nodes += [helper.make_node("Sum", names, ["s"]), helper.make_node("Mul", ["s", "W"], ["y"])]
    ports = [models.value("x", ["N", 4])], [models.value("y", ["N", 4])]
    return models.model(nodes, *ports, {"W": models.floats(4)})


def test_weights_in_float_attributes_of_many_nodes_are_refused(tmp_path):
    made = slopes(*np.linspace(0.1, 0.9, 97).tolist())
    with models.opened(tmp_path, made) as network, pytest.raises(UnsupportedError) as caught:
        network.bind({"W": models.floats(4)})
    assert caught.value.expected == "content of at most 96 outside the parameters"
    assert "graph.node[0] LeakyRelu.alpha" in caught.value.found


def test_one_setting_of_many_nodes_is_one_value(tmp_path):
    with models.opened(tmp_path, slopes(*[0.1] * 400)) as network:
        network.bind({"W": models.floats(4)})
