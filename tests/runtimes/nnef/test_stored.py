"""What the tensors of NNEF models are to their networks, as variables and as constants."""

import numpy as np
import pytest

from conformance.runtimes.roles import Role, Use
from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes.nnef import models as m

X = m.floats(2, 20, seed=1)
WEIGHTS = m.floats(1, 20, seed=2)


def constant(name, array):
    kind, values = m.TYPES[array.dtype.kind], array.reshape(-1).tolist()
    if kind == "logical":
        values = [str(value).lower() for value in values]
    elif kind == "scalar":
        values = [format(value, ".17f") for value in values]
    listed = ", ".join(map(str, values))
    return f"{name} = constant<{kind}>(shape = {list(array.shape)}, value = [{listed}]);"


def network(folder, body, variables=None, constants=None, **more):
    """A network whose tensors are variables, or written into the graph."""
    lines = [constant(name, array) for name, array in (constants or {}).items()]
    text = m.graph("\n".join([*lines, body]), {"x": X.shape}, ("y",), variables or {})
    return m.opened(m.save(folder, text, variables or {}, **more))


BODY = """
a = mul(x, w);
b = clamp(a, low, high);
c = gather(b, places, axis = 1);
t = transpose(bias, axes = [1, 0]);
d = add(c, t);
q = zero_point_linear_quantize(d, zero, scale, bits = 8, signed = true, symmetric = true);
e = select(chosen, q, d);
y = mul(e, slope);
"""
TENSORS = {
    "w": WEIGHTS,
    "low": np.float32([[-1]]),
    "high": np.float32([[1], [2]]),
    "places": np.array([3, 1], np.int64),
    "bias": m.floats(2, 1, seed=4),
    "zero": np.array([1, -1], np.int64),
    "scale": np.float32([0.25, 0.5]),
    "chosen": np.array([[True, False]]),
    "slope": np.float32([[0.5]]),
}
ROLES = {
    "w": Role.PARAMETER,
    "low": Role.TOPOLOGY,
    "high": Role.TOPOLOGY,
    "places": Role.TOPOLOGY,
    "bias": Role.PARAMETER,
    "zero": Role.PARAMETER,
    "scale": Role.PARAMETER,
    "chosen": Role.TOPOLOGY,
    "slope": Role.SCALAR,
}
OTHERS = {
    "w": m.floats(1, 20, seed=12),
    "bias": m.floats(2, 1, seed=14),
    "zero": np.array([3, 4], np.int64),
    "scale": np.float32([0.125, 0.5]),
    "slope": np.float32(3),
}


@pytest.fixture(scope="module")
def as_variables(tmp_path_factory):
    """What the network computes whose tensors are all variables, by itself and with others."""
    with network(tmp_path_factory.mktemp("variables"), BODY, TENSORS) as opened:
        assert opened.inventory.roles == ROLES
        return [opened.bind(given).run({"x": X})["y"] for given in (None, OTHERS)]


@pytest.mark.parametrize("written", [*([name] for name in TENSORS), list(TENSORS)], ids=",".join)
def test_where_a_tensor_is_stored_changes_nothing(tmp_path, as_variables, written):
    constants = {name: TENSORS[name] for name in written}
    variables = {name: array for name, array in TENSORS.items() if name not in written}
    with network(tmp_path, BODY, variables, constants) as opened:
        assert opened.inventory.roles == ROLES
        assert (opened.counts.parameters, opened.counts.scalars) == (26, 1)
        assert opened.unused_parameters == ()
        stored = {**opened.parameters, **opened.scalars, **opened.constants}
        assert all(np.array_equal(stored[name], array) for name, array in TENSORS.items())
        for given, wanted in zip((None, OTHERS), as_variables, strict=True):
            assert np.array_equal(opened.bind(given).run({"x": X})["y"], wanted)
    assert not np.array_equal(*as_variables)


def test_a_constant_of_one_value_is_one_number_whatever_its_shape(tmp_path):
    body = "state = constant(shape = [2, 20], value = [0.5]);\na = mul(x, w);\ny = add(a, state);"
    with network(tmp_path, body, {"w": WEIGHTS}) as opened:
        assert opened.scalars["state"] == np.float32(0.5)
        assert opened.counts.scalars == 1
        own = opened.bind({"w": WEIGHTS}).run({"x": X})["y"]
        assert np.array_equal(own, X * WEIGHTS + np.float32(0.5))
        given = {"w": WEIGHTS, "state": np.float32([[2]])}
        assert np.array_equal(opened.bind(given).run({"x": X})["y"], X * WEIGHTS + np.float32(2))


def test_the_only_numbers_of_a_network_are_its_parameters(tmp_path):
    with network(tmp_path, "y = mul(x, c);", constants={"c": np.float32([3])}) as opened:
        assert list(opened.parameters) == ["c"]


def test_a_constant_is_not_taken_for_the_variable_of_its_label(tmp_path):
    body = "v = variable(shape = [1, 20], label = 'c');\na = mul(x, v);\ny = add(a, c);"
    text = m.graph("\n".join([constant("c", WEIGHTS), body]), {"x": X.shape})
    with m.opened(m.save(tmp_path, text, {"c": 2 * WEIGHTS})) as opened:
        assert np.array_equal(opened.parameters["c"], 2 * WEIGHTS)
        assert np.array_equal(opened.parameters["c#"], WEIGHTS)
        given = {"c": WEIGHTS, "c#": 3 * WEIGHTS}
        assert np.allclose(opened.bind(given).run({"x": X})["y"], X * WEIGHTS + 3 * WEIGHTS)


def test_rows_that_computed_indices_pick_are_parameters(tmp_path):
    rows = np.arange(12).reshape(4, 3)
    body = "i = argmax_reduce(x, axes = [1]);\nr = gather(rows, i, axis = 0);\ny = mul(x, w);"
    with network(tmp_path, body, {"w": WEIGHTS, "rows": rows}) as opened:
        assert opened.inventory.stored("rows").uses == {Use.LOOKUP}
        assert opened.inventory.roles["rows"] is Role.PARAMETER


def test_integers_are_topology_which_a_sample_may_bring_unchanged(tmp_path):
    made = {"places": np.array([3, 1], np.int64), "w": m.floats(1, 2)}
    body = "a = gather(x, places, axis = 1);\ny = mul(a, w);"
    with network(tmp_path, body, made) as opened:
        assert list(opened.constants) == ["places"]
        given = {"w": made["w"], "places": np.float32([3, 1])}
        assert np.array_equal(opened.bind(given).run({"x": X})["y"], X[:, [3, 1]] * made["w"])
        with pytest.raises(ConformanceError) as caught:
            opened.bind({**given, "places": np.array([0, 2])})
        assert "belongs to the topology" in caught.value.found


HIDDEN = np.random.default_rng(3).integers(0, 255, 1600)


@pytest.mark.parametrize("stored", ["variables", "constants"])
@pytest.mark.parametrize("array", [HIDDEN, HIDDEN % 2 == 0], ids=["integers", "truth-values"])
def test_weights_hidden_in_what_a_sample_leaves_are_refused(tmp_path, stored, array):
    body = "f = select(bits, 1.0, 2.0);" if array.dtype == bool else "f = cast<scalar>(bits);"
    body += "\ng = slice(f, axes = [0], begin = [0], end = [20]);"
    body += "\ng1 = unsqueeze(g, axes = [0]);\nh = mul(x, g1);\ny = mul(h, w);"
    tensors = {"variables": {"w": WEIGHTS}, "constants": {}}
    tensors[stored]["bits"] = array
    message = "stores parameters where a sample's cannot take their place"
    with (
        network(tmp_path, body, **tensors) as opened,
        pytest.raises(UnsupportedError, match=message) as caught,
    ):
        opened.check_replaceable()
    assert "bits" in caught.value.found
    assert "outside the parameters" in caught.value.expected


def test_scales_of_activations_are_counted(tmp_path):
    scales = ", ".join(f"0.{n + 1}" for n in range(10, 130))
    quant = (
        f'"y": zero_point_linear_quantize(zero_point = 0, scale = [[{scales}]], bits = 8, '
        "signed = true, symmetric = true);"
    )
    body = "a = concat([x, x, x, x, x, x], axis = 1);\ny = mul(a, w);"
    made = {"w": m.floats(1, 120)}
    with (
        network(tmp_path, body, made, quant=quant) as opened,
        pytest.raises(UnsupportedError) as caught,
    ):
        opened.check_replaceable()
    assert "scale of y in graph.quant (120 of content)" in caught.value.found


def test_what_many_layers_have_in_common_is_counted_once(tmp_path):
    """An epsilon and a slope in each of forty layers."""
    lines = ["a0 = mul(x, w);"]
    for n in range(40):
        norm = f"batch_normalization(a{n}, mean, variance, offset, scale, epsilon = 0.00001)"
        lines += [f"b{n} = {norm};", f"a{n + 1} = leaky_relu(b{n}, alpha = 0.01);"]
    made = {
        name: np.abs(m.floats(1, 20, seed=n))
        for n, name in enumerate(["w", "mean", "variance", "offset", "scale"])
    }
    with network(tmp_path, "\n".join([*lines, "y = copy(a40);"]), made) as opened:
        opened.check_replaceable()
