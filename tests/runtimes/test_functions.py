"""Local functions: written out by ONNX Runtime, unless they have no end or are too many."""

import itertools

import numpy as np
import pytest
from onnx import helper

from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.hang import no_hang
from tests.runtimes import models, places


def with_functions(*functions, first="F0"):
    node = places.call(first)
    return models.model([node], places.X4, places.Y4, domains=["mine"], functions=functions)


def calling(name, *others):
    """A function that calls ``others`` one after the other."""
    steps = ["p", *(f"s{i}" for i in range(len(others) - 1)), "q"]
    nodes = [
        places.call(other, [steps[i]], [steps[i + 1]])
        if other != "Relu"
        else relu(*steps[i : i + 2])
        for i, other in enumerate(others)
    ]
    return places.function(name, nodes)


def relu(before="p", after="q"):
    return helper.make_node("Relu", [before], [after])


def refusal(folder, made) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        models.opened(folder, made)
    assert caught.value.fix
    return caught.value


def test_functions_in_functions_are_run(tmp_path):
    names = [f"F{i}" for i in range(40)]
    functions = [calling(name, after) for name, after in itertools.pairwise(names)]
    made = with_functions(*functions, calling(names[-1], "Relu"))
    x = models.floats(3, 4)
    with models.opened(tmp_path, made) as network:
        np.testing.assert_array_equal(network.bind().run({"x": x})["y"], np.maximum(x, 0))


@pytest.mark.parametrize(
    ("functions", "circle"),
    [
        ([calling("F0", "F0")], "mine.F0 -> mine.F0"),
        ([calling("F0", "F1"), calling("F1", "F0")], "mine.F0 -> mine.F1 -> mine.F0"),
        (
            [calling("F0", "F1"), calling("F1", "Relu", "F2"), calling("F2", "F1")],
            "mine.F1 -> mine.F2 -> mine.F1",
        ),
    ],
    ids=["itself", "each other", "further in"],
)
def test_a_function_that_calls_itself_is_malformed(tmp_path, functions, circle):
    error = refusal(tmp_path, with_functions(*functions))
    assert isinstance(error, MalformedError)
    assert error.found == circle
    assert error.where.element.startswith("function F")


def test_a_circle_that_no_node_calls_is_malformed_too(tmp_path):
    made = with_functions(calling("F0", "Relu"), calling("F1", "F1"))
    assert isinstance(refusal(tmp_path, made), MalformedError)


def test_a_circle_through_a_branch_is_found(tmp_path):
    branch = helper.make_graph(
        [places.call("F0", ["p"], ["o"])], "b", [], [models.value("o", None)]
    )
    node = helper.make_node("If", ["p"], ["q"], then_branch=branch, else_branch=branch)
    error = refusal(tmp_path, with_functions(places.function("F0", [node])))
    assert error.found == "mine.F0 -> mine.F0"


@pytest.mark.parametrize(("levels", "found"), [(21, "2097152 nodes"), (60, "more than 2^53 nodes")])
def test_functions_that_double_at_every_level_are_too_many_nodes(tmp_path, levels, found):
    names = [f"F{i}" for i in range(levels)]
    functions = [calling(n, after, after) for n, after in itertools.pairwise(names)]
    with no_hang():
        error = refusal(tmp_path, with_functions(*functions, calling(names[-1], "Relu", "Relu")))
    assert isinstance(error, LimitError)
    assert error.found == found


@pytest.mark.parametrize("levels", [66, 5000])
def test_functions_nested_too_deeply_are_over_the_limit(tmp_path, levels):
    names = [f"F{i}" for i in range(levels)]
    functions = [calling(name, after) for name, after in itertools.pairwise(names)]
    error = refusal(tmp_path, with_functions(*functions, calling(names[-1], "Relu")))
    assert isinstance(error, LimitError)
    assert "at most 64 calls" in error.expected


def test_two_definitions_of_a_function_are_malformed(tmp_path):
    error = refusal(tmp_path, with_functions(calling("F0", "Relu"), calling("F0", "Relu", "Relu")))
    assert isinstance(error, MalformedError)
    assert "mine.F0 is defined twice" in error.message


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("", "Constant"),
        ("ai.onnx", "Constant"),
        ("ai.onnx.ml", "Scaler"),
        ("com.microsoft", "FusedMatMul"),
        ("com.microsoft.nchwc", "Conv"),
        ("ai.onnx.preview.training", "Adam"),
    ],
)
def test_a_function_in_the_place_of_an_operator_is_unsupported(tmp_path, domain, name):
    """ONNX Runtime would run its own, which may read what the function does not."""
    taken = places.function(name, [relu()], domain=domain)
    error = refusal(tmp_path, with_functions(calling("F0", "Relu"), taken))
    assert isinstance(error, UnsupportedError)
    assert f"operator {name}" in error.message


def test_a_function_in_a_domain_of_the_runtime_may_have_a_name_of_its_own(tmp_path):
    call = helper.make_node("MatMul", ["x"], ["y"], domain="com.microsoft")
    function = places.function("MatMul", [relu()], domain="com.microsoft")
    made = models.model(
        [call], places.X4, places.Y4, domains=["com.microsoft"], functions=[function]
    )
    x = models.floats(2, 4)
    with models.opened(tmp_path, made) as network:
        np.testing.assert_array_equal(network.bind().run({"x": x})["y"], np.maximum(x, 0))


def test_random_numbers_in_a_function_are_found(tmp_path):
    dice = helper.make_node("RandomNormalLike", ["p"], ["q"])
    error = refusal(tmp_path, with_functions(places.function("F0", [dice])))
    assert error.found == "operator RandomNormalLike"


def test_a_function_that_is_not_there_is_a_custom_operator(tmp_path):
    made = with_functions(calling("F1", "Relu"))
    with models.opened(tmp_path, made) as network, pytest.raises(UnsupportedError) as caught:
        network.bind()
    assert caught.value.found == "operator F0 of domain mine"
    assert "local function mine.F0" in caught.value.fix


def test_a_shared_function_with_other_attributes_is_run(tmp_path):
    leaky = helper.make_node("LeakyRelu", ["p"], ["q"])
    leaky.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    function = places.function("F0", [leaky], attributes=["slope"])
    nodes = [places.call("F0", ["x"], ["h"], slope=0.5), places.call("F0", ["h"], ["y"], slope=0.1)]
    made = models.model(nodes, places.X4, places.Y4, domains=["mine"], functions=[function])
    x = -np.ones((1, 4), np.float32)
    with models.opened(tmp_path, made) as network:
        np.testing.assert_allclose(network.bind().run({"x": x})["y"], 0.05 * x)


def test_overloads_are_told_apart(tmp_path):
    tensors = {"mine.F:a.k": models.floats(4, seed=1), "mine.F:b.k": models.floats(4, seed=2)}
    functions, nodes = [], []
    for overload, before, after in (("a", "x", "h"), ("b", "h", "y")):
        value = places.tensor(tensors[f"mine.F:{overload}.k"])
        body = [
            helper.make_node("Constant", [], ["k"], value=value),
            helper.make_node("Add", ["p", "k"], ["q"]),
        ]
        functions.append(places.function("F", body))
        functions[-1].overload = overload
        nodes.append(places.call("F", [before], [after]))
        nodes[-1].overload = overload
    made = models.model(
        nodes, places.X4, places.Y4, domains=["mine"], functions=functions, ir_version=10
    )
    x = models.floats(2, 4)
    with models.opened(tmp_path, made) as network:
        assert list(network.parameters) == list(tensors)
        new = {name: array + 1 for name, array in tensors.items()}
        wanted = x + sum(new.values())
        np.testing.assert_allclose(network.bind(new).run({"x": x})["y"], wanted, rtol=1e-5)
