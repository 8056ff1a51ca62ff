"""Parameters in Constant nodes, subgraphs, functions and sparse tensors: listed and replaced."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from conformance.jobs.replacing import zeroed
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.runtimes import models, places

PLACES = pytest.mark.parametrize(("build", "tensors"), places.PLACES.values(), ids=places.PLACES)


def other(tensors, seed=1):
    """Other values, none of them zero."""
    r = models.random(seed)
    return {n: (r.random(a.shape) + 0.5).astype(a.dtype) for n, a in tensors.items()}


def assert_runs_as(runner, made, flag=True):
    inputs = places.inputs_of(made, flag)
    found = runner.run(inputs)
    names = [port.name for port in made.graph.output]
    for name, wanted in zip(names, models.plain_run(made, inputs), strict=True):
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6)


@PLACES
def test_parameters_are_listed_by_scoped_names(tmp_path, build, tensors):
    with models.opened(tmp_path, build(tensors)) as network:
        assert sorted(network.parameters) == sorted(tensors)
        for name, array in network.parameters.items():
            np.testing.assert_array_equal(array, tensors[name])
            assert not array.flags.writeable
        assert network.counts.parameters == sum(array.size for array in tensors.values())
        assert network.unused_parameters == ()


@PLACES
@pytest.mark.parametrize("flag", [True, False], ids=["then", "else"])
def test_the_network_runs_with_its_own_and_with_other_parameters(tmp_path, build, tensors, flag):
    new = other(tensors)
    with models.opened(tmp_path, build(tensors)) as network:
        replaced, own, again = network.bind(new), network.bind(), network.bind(new)
    assert_runs_as(own, build(tensors), flag)
    assert_runs_as(replaced, build(new), flag)
    inputs = places.inputs_of(build(tensors), flag)
    np.testing.assert_array_equal(replaced.run(inputs)["y"], again.run(inputs)["y"])


@PLACES
def test_own_parameters_given_back_change_not_one_bit(tmp_path, build, tensors):
    inputs = places.inputs_of(build(tensors))
    with models.opened(tmp_path, build(tensors)) as network:
        copies = {name: array.copy() for name, array in network.parameters.items()}
        own, given = network.bind().run(inputs), network.bind(copies).run(inputs)
    np.testing.assert_array_equal(own["y"], given["y"])


@PLACES
def test_without_parameters_the_network_runs_with_zeros(tmp_path, build, tensors):
    zero = {name: np.zeros_like(array) for name, array in tensors.items()}
    with models.opened(tmp_path, build(tensors)) as network:
        inputs = places.inputs_of(build(tensors))
        empty, zeros = network.bind_changed(zeroed).run(inputs), network.bind(zero).run(inputs)
    np.testing.assert_array_equal(empty["y"], zeros["y"])


@PLACES
def test_every_parameter_has_to_be_given(tmp_path, build, tensors):
    with models.opened(tmp_path, build(tensors)) as network:
        for name in tensors:
            rest = {n: a for n, a in tensors.items() if n != name}
            with pytest.raises(ConformanceError) as caught:
                network.bind(rest)
            assert caught.value.found == f"{name} is missing"
            wrong = {**tensors, name: np.zeros((9, 9), np.float32)}
            with pytest.raises(ConformanceError, match="do not fit") as caught:
                network.bind(wrong)
            assert f"{name} has shape [9, 9]" in caught.value.found


@PLACES
def test_nan_is_a_value_like_any_other(tmp_path, build, tensors):
    new = {name: np.full_like(array, np.nan) for name, array in tensors.items()}
    with models.opened(tmp_path, build(tensors)) as network:
        assert np.isnan(network.bind(new).run(places.inputs_of(build(tensors)))["y"]).all()


# Which constants are parameters


def adding(array, **more):
    array = np.asarray(array)
    nodes = [
        helper.make_node("Constant", [], ["k"], name="k", value=places.tensor(array)),
        helper.make_node("Cast", ["k"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    shape = list(array.shape)
    return models.model(nodes, [models.value("x", shape)], [models.value("y", shape)], **more)


def roles(network):
    return {
        "parameters": list(network.parameters),
        "scalars": list(network.scalars),
        "constants": list(network.constants),
    }


@pytest.mark.parametrize(
    ("array", "role"),
    [
        (np.ones(2, np.float32), "parameters"),
        (np.ones((3, 3), np.float16), "parameters"),
        (np.ones(1, np.float32), "parameters"),
        (np.float32(1), "parameters"),
        (np.ones((2, 2), np.int64), "constants"),
        (np.ones(2, np.int8), "constants"),
        (np.ones(4, np.int64), "constants"),
        (np.int32(1), "constants"),
        (np.ones(4, np.bool_), "constants"),
    ],
    ids=lambda value: f"{value.dtype}{list(value.shape)}" if hasattr(value, "dtype") else "",
)
def test_the_role_of_a_constant(tmp_path, array, role):
    """Single numbers are the parameters of a network that has no others."""
    with models.opened(tmp_path, adding(array)) as network:
        assert roles(network) == {**{each: [] for each in roles(network)}, role: ["k"]}
        x = np.zeros(array.shape, np.float32)
        given = array + (role == "parameters")
        result = network.bind({"k": given}).run({"x": x})["y"]
        np.testing.assert_array_equal(result, given.astype(np.float32))
        if role == "constants":
            with pytest.raises(ConformanceError, match="do not fit") as caught:
                network.bind({"k": array * 0})
            assert "k belongs to the topology" in caught.value.found


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_more_values_than_a_graph_needs_are_hidden_parameters(tmp_path, dtype):
    hidden = models.random(3).integers(0, 2, 6400).astype(dtype)
    with models.opened(tmp_path, adding(hidden)) as network:
        network.bind()
        with pytest.raises(UnsupportedError) as caught:
            network.bind({})
    assert "content of at most 96 outside the parameters" in caught.value.expected
    assert "graph.node[0] Constant k.value (" in caught.value.found
    assert caught.value.where.element == "graph.node[0] Constant k.value"


def pieces(values, attribute):
    """The output is made of many constants of one number, or one word, each."""
    names = [f"k{i}" for i in range(len(values))]
    nodes = [
        helper.make_node("Constant", [], [name], **{attribute: value})
        for name, value in zip(names, values, strict=True)
    ]
    if attribute != "value_float":
        nodes += [helper.make_node("Cast", [n], [f"c{n}"], to=TensorProto.FLOAT) for n in names]
        names = [f"c{name}" for name in names]
    nodes.append(helper.make_node("Sum", ["x", "W", *names], ["y"]))
    return models.model(nodes, places.X4, places.Y4, {"W": models.floats(4)})


PIECES = {
    "value_float": [0.5 + i for i in range(120)],
    "value_int": list(range(120)),
    "value_string": [f"{i:03}" for i in range(120)],
    "value_ints": [[i] for i in range(120)],
}


@pytest.mark.parametrize("attribute", PIECES)
def test_weights_in_many_small_pieces_are_found(tmp_path, attribute):
    with models.opened(tmp_path, pieces(PIECES[attribute], attribute)) as network:
        network.bind().run({"x": models.floats(2, 4)})
        with pytest.raises(UnsupportedError) as caught:
            network.bind({"W": models.floats(4)})
        assert "and 111 more" in caught.value.found  # the settings of operators are one


@pytest.mark.parametrize("attribute", PIECES)
def test_one_number_in_many_places_counts_once(tmp_path, attribute):
    made = pieces([PIECES[attribute][7]] * 120, attribute)
    with models.opened(tmp_path, made) as network:
        network.bind({"W": models.floats(4)})


def encoded(numbers):
    """A LabelEncoder for every 15 numbers gives them."""
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    nodes += [
        helper.make_node(
            "LabelEncoder",
            ["k"],
            [f"h{begin}"],
            domain="ai.onnx.ml",
            keys_int64s=list(range(15)),
            values_int64s=numbers[begin : begin + 15],
        )
        for begin in range(0, len(numbers), 15)
    ]
    return nodes


def padded(numbers):
    """The sizes of a tensor without elements are numbers that a graph can read."""
    return [
        helper.make_node("Identity", ["x"], ["y"]),
        *(
            helper.make_node("Pad", ["x"], [f"h{begin}"], pads=[0, 0, *numbers[begin : begin + 2]])
            for begin in range(0, len(numbers), 2)
        ),
    ]


@pytest.mark.parametrize("hidden", [encoded, padded])
def test_weights_in_many_short_lists_of_integers_are_found(tmp_path, hidden):
    numbers = models.random().integers(1, 1 << 20, 150).tolist()
    made = models.model(hidden(numbers), places.X4, places.Y4, opset=10, domains=["ai.onnx.ml"])
    with models.opened(tmp_path, made) as network, pytest.raises(UnsupportedError) as caught:
        network.check_replaceable()
    assert "integers that are settings of operators" in caught.value.found


def test_layers_may_share_their_settings(tmp_path):
    numbers = [7, 8] * 75
    made = models.model(padded(numbers), places.X4, places.Y4, opset=10)
    with models.opened(tmp_path, made) as network:
        network.check_replaceable()


@pytest.mark.parametrize("attribute", ["default_string", "values_strings"])
def test_weights_in_words_that_an_operator_gives_are_found(tmp_path, attribute):
    words = [f"{number:.6}" for number in models.random().normal(size=60).tolist()]
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    for index, word in enumerate(words):
        given = {attribute: word if attribute.startswith("default") else [word]}
        nodes.append(
            helper.make_node(
                "LabelEncoder",
                ["k"],
                [f"h{index}"],
                domain="ai.onnx.ml",
                keys_int64s=[0],
                **{"values_strings": ["-"], **given},
            )
        )
    made = models.model(nodes, places.X4, places.Y4, domains=["ai.onnx.ml"])
    with models.opened(tmp_path, made) as network, pytest.raises(UnsupportedError) as caught:
        network.check_replaceable()
    assert attribute in caught.value.found


def resized(scales):
    """The scales of a Resize, in a Constant node, are not parameters."""
    nodes = [
        helper.make_node("Constant", [], ["scales"], value=places.tensor(scales)),
        helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest"),
    ]
    return models.model(
        nodes, [models.value("x", [1, 1, 2, 2])], [models.value("y", [1, 1, "H", "W"])]
    )


def test_the_scales_of_a_resize_belong_to_the_topology(tmp_path):
    made = resized(np.array([1, 1, 2, 2], np.float32))
    with models.opened(tmp_path, made) as network:
        assert roles(network) == {"parameters": [], "scalars": [], "constants": ["scales"]}
        assert network.bind({}).run({"x": models.floats(1, 1, 2, 2)})["y"].shape == (1, 1, 4, 4)


def test_what_is_a_scale_and_something_else_too_is_a_parameter(tmp_path):
    made = resized(np.array([1, 1, 2, 2], np.float32))
    made.graph.node.append(helper.make_node("Relu", ["scales"], ["z"]))
    made.graph.output.append(models.value("z", [4]))
    with models.opened(tmp_path, made) as network:
        assert list(network.parameters) == ["scales"]


def test_a_constant_that_is_an_output_is_replaced(tmp_path):
    made = adding(np.ones(3, np.float32))
    made.graph.output.append(models.value("k", [3]))
    with models.opened(tmp_path, made) as network:
        outputs = network.bind({"k": np.arange(3, dtype=np.float32)}).run({"x": np.zeros(3, "f4")})
    assert outputs["k"].tolist() == outputs["y"].tolist() == [0, 1, 2]


def test_places_are_counted_as_in_the_file_though_constants_are_taken_out(tmp_path):
    made = adding(np.ones(3, np.float32))
    made.graph.node.append(helper.make_node("RandomNormalLike", ["x"], ["z"], name="dice"))
    with pytest.raises(UnsupportedError) as caught:
        models.opened(tmp_path, made)
    assert caught.value.where.element == "graph.node[3] RandomNormalLike dice"


@pytest.mark.parametrize("ir_version", [3, 8])
def test_constants_are_taken_out_in_every_version(tmp_path, ir_version):
    made = adding(np.ones(3, np.float32), opset=8, ir_version=ir_version)
    with models.opened(tmp_path, made) as network:
        assert network.bind().run({"x": np.zeros(3, np.float32)})["y"].tolist() == [1, 1, 1]


def test_strings_of_constants_are_run(tmp_path):
    words = places.tensor(np.array(["a", "b"], object), "unlike the output")
    nodes = [
        helper.make_node("Constant", [], ["k"], value=words),
        helper.make_node("Gather", ["k", "x"], ["y"]),
    ]
    ports = (
        models.value("x", ["N"], TensorProto.INT64),
        models.value("y", ["N"], TensorProto.STRING),
    )
    made = models.model(nodes, [ports[0]], [ports[1]])
    with models.opened(tmp_path, made) as network:
        assert network.counts.topology == 2
        assert not network.constants  # strings stay in the graph
        assert network.bind().run({"x": np.array([1, 0])})["y"].tolist() == ["b", "a"]


# Names


def test_a_constant_and_a_node_of_one_name_are_malformed(tmp_path):
    made = adding(np.ones(3, np.float32))
    made.graph.node.append(helper.make_node("Relu", ["x"], ["k"]))
    with pytest.raises(MalformedError, match="two things in the graph are called 'k'") as caught:
        models.opened(tmp_path, made)
    assert caught.value.found == "the output of a node"


def test_a_constant_and_an_input_of_one_name_are_malformed(tmp_path):
    made = adding(np.ones(3, np.float32))
    made.graph.input.append(models.value("k", [3]))
    with pytest.raises(MalformedError, match="two things"):
        models.opened(tmp_path, made)


def test_an_initializer_and_a_node_of_one_name_are_malformed(tmp_path):
    made = models.dense()
    made.graph.node.append(helper.make_node("Relu", ["x"], ["W"]))
    with pytest.raises(MalformedError, match="two things"):
        models.opened(tmp_path, made)


@pytest.mark.parametrize("taken", ["k", "y.then_branch.hidden"])
def test_two_tensors_listed_under_one_name_are_malformed(tmp_path, taken):
    made = places.branches(places.PLACES["branches"][1])
    if taken == "k":
        made = adding(np.ones(3, np.float32))
    made.graph.initializer.append(places.tensor(np.ones(3, np.float32), taken))
    with pytest.raises(MalformedError, match="two stored tensors are called") as caught:
        models.opened(tmp_path, made)
    assert taken in caught.value.message


# Unused


def test_tensors_of_subgraphs_and_functions_that_nothing_needs_are_unused(tmp_path):
    build, tensors = places.PLACES["branches"]
    made = build(tensors)
    then = next(a.g for a in made.graph.node[0].attribute if a.name == "then_branch")
    then.initializer.append(places.tensor(np.ones(5, np.float32), "dead"))
    made.graph.node.append(
        helper.make_node("Constant", [], ["alone"], value=places.tensor(np.ones(5, np.float32)))
    )
    unused = places.function(
        "Unused", [helper.make_node("Constant", [], ["q"], value=places.tensor(np.ones(7, "f4")))]
    )
    made.functions.append(unused)
    with models.opened(tmp_path, made) as network:
        assert set(network.unused_parameters) == {"alone", "y.then_branch.dead", "mine.Unused.q"}
        network.bind(dict(network.parameters))


def test_what_a_function_does_not_use_of_its_inputs_is_unused(tmp_path):
    ignoring = places.function("First", [helper.make_node("Relu", ["p"], ["q"])], ["p", "o"])
    made = models.model(
        [places.call("First", ["x", "big"])],
        places.X4,
        places.Y4,
        {"big": models.floats(100, 100)},
        domains=["mine"],
        functions=[ignoring],
    )
    with models.opened(tmp_path, made) as network:
        assert network.unused_parameters == ("big",)


def test_a_graph_in_an_attribute_of_another_type_is_no_subgraph(tmp_path):
    """ONNX Runtime would not run it; what it holds must not count as used."""
    made = models.dense()
    attribute = made.graph.node[0].attribute.add(name="note", type=1)
    attribute.g.CopyFrom(places.branch_of("V", np.ones(50, np.float32), "o"))
    with models.opened(tmp_path, made) as network:
        assert set(network.parameters) == {"W", "b"}


# Sparse tensors


def with_sparse(sparse, shape=(4, 4)):
    made = models.model(
        [helper.make_node("Add", ["x", "S"], ["y"])],
        [models.value("x", list(shape))],
        [models.value("y", list(shape))],
    )
    made.graph.sparse_initializer.append(sparse)
    return made


@pytest.mark.parametrize("per_axis", [False, True], ids=["linear", "per axis"])
def test_both_kinds_of_indices_are_read(tmp_path, per_axis):
    made = with_sparse(places.sparse_of(places.HALF, "S", per_axis))
    zeros = {"x": np.zeros((4, 4), np.float32)}
    with models.opened(tmp_path, made) as network:
        np.testing.assert_array_equal(network.parameters["S"], places.HALF)
        np.testing.assert_array_equal(network.bind().run(zeros)["y"], places.HALF)
        np.testing.assert_array_equal(models.plain_run(made, zeros)[0], places.HALF)


def test_a_sparse_tensor_of_hardly_any_values_is_run_but_not_replaced(tmp_path):
    """Its few stored bytes must not count as the bytes of the whole tensor."""
    whole = np.zeros((4, 4), np.float32)
    whole[1, 2] = 3
    with models.opened(tmp_path, with_sparse(places.sparse_of(whole, "S"))) as network:
        assert not network.parameters
        np.testing.assert_array_equal(
            network.bind().run({"x": np.zeros((4, 4), np.float32)})["y"], whole
        )
        with pytest.raises(UnsupportedError) as caught:
            network.bind({})
    assert caught.value.where.element == "graph.sparse_initializer S"
    assert "16 elements" in caught.value.found


def damaged(**changes):
    sparse = places.sparse_of(places.HALF, "S")
    if "dims" in changes:
        sparse.dims[:] = changes["dims"]
    if "indices" in changes:
        sparse.indices.CopyFrom(places.tensor(changes["indices"]))
    if "index_type" in changes:
        sparse.indices.data_type = changes["index_type"]
    if "values" in changes:
        sparse.values.CopyFrom(places.tensor(changes["values"], "S"))
    return sparse


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"indices": np.array([0, 1, 2, 3, 4, 5, 6, 16])}, "one outside"),
        ({"indices": np.array([0, 1, 2, 3, 4, 5, 6, -1])}, "one outside"),
        ({"indices": np.full((8, 2), 4)}, "one outside"),
        ({"indices": np.array([0, 1])}, "int64 indices [2]"),
        ({"indices": np.arange(8, dtype=np.int32)}, "int32 indices"),
        ({"index_type": 39}, "element type 39"),
        ({"values": np.ones((2, 4), np.float32)}, "values [2, 4]"),
        ({"dims": [-4, 4]}, "[-4, 4]"),
        ({"dims": [1 << 40, 1 << 40]}, "1099511627776"),
    ],
    ids=["beyond", "negative", "per axis", "too few", "type", "no type", "values", "size", "huge"],
)
def test_a_sparse_tensor_that_contradicts_itself_is_malformed(tmp_path, changes, found):
    with pytest.raises(MalformedError) as caught:
        models.opened(tmp_path, with_sparse(damaged(**changes)))
    assert found in caught.value.found
    assert caught.value.where.element == "graph.sparse_initializer S"


def test_a_sparse_tensor_that_unfolds_beyond_the_limit_is_refused(tmp_path):
    with pytest.raises(LimitError) as caught:
        models.opened(tmp_path, with_sparse(damaged(dims=[1 << 20, 1 << 20])))
    assert caught.value.found == f"{1 << 42} bytes"
    assert caught.value.where.element == "graph.sparse_initializer S"


@pytest.mark.parametrize(("part", "found"), [("values", "external"), ("indices", "external")])
def test_sparse_tensors_in_other_files_are_unsupported(tmp_path, part, found):
    sparse = places.sparse_of(places.HALF, "S")
    getattr(sparse, part).data_location = TensorProto.EXTERNAL
    with pytest.raises(UnsupportedError) as caught:
        models.opened(tmp_path, with_sparse(sparse))
    assert found in caught.value.found
