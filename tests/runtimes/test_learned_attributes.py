"""Parameters in attributes of operators, as the domain ai.onnx.ml stores them."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from conformance.verdicts import ConformanceError, UnsupportedError
from tests.runtimes import models, places

X3 = [models.value("x", ["N", 3])]


def learned(op, tensors, outputs=("y",), version=3, tensor_names=(), **settings):
    """One operator of ai.onnx.ml whose parameters are ``tensors``, by attribute."""
    attributes = {
        name: places.tensor(a) if name in tensor_names else a.tolist()
        for name, a in tensors.items()
    }
    node = helper.make_node(
        op, ["x"], ["y", *outputs[1:]], domain="ai.onnx.ml", **attributes, **settings
    )
    types = {"y": TensorProto.INT64} if outputs[1:] else {}
    ports = [models.value(name, None, types.get(name, models.FLOAT)) for name in outputs]
    made = models.model([node], X3, ports)
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", version))
    return made


def scaler(t):
    return learned("Scaler", t)


def linear_regressor(t):
    return learned("LinearRegressor", t)


def linear_classifier(t):
    return learned("LinearClassifier", t, ("y", "z"), classlabels_ints=[0, 1, 2])


def svm_regressor(t):
    return learned("SVMRegressor", t, kernel_type="RBF", n_supports=4)


def imputer(t):
    return learned("Imputer", t, replaced_value_float=float("nan"))


TREE = {
    "nodes_treeids": [0, 0, 0, 0, 0],
    "nodes_nodeids": [0, 1, 2, 3, 4],
    "nodes_featureids": [0, 1, 0, 0, 0],
    "nodes_truenodeids": [1, 3, 0, 0, 0],
    "nodes_falsenodeids": [2, 4, 0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
}


def tree_regressor(t):
    targets = {"target_treeids": [0] * 3, "target_nodeids": [2, 3, 4], "target_ids": [0] * 3}
    return learned("TreeEnsembleRegressor", t, n_targets=1, **targets, **TREE)


def tree_classifier(t):
    classes = {"class_treeids": [0] * 3, "class_nodeids": [2, 3, 4], "class_ids": [0, 1, 2]}
    return learned(
        "TreeEnsembleClassifier",
        t,
        ("y", "z"),
        classlabels_int64s=[0, 1, 2],
        **classes,
        **TREE,
    )


def tree_ensemble(t):
    return learned(
        "TreeEnsemble",
        t,
        version=5,
        tensor_names=("nodes_splits", "leaf_weights"),
        nodes_modes=places.tensor(np.array([0, 0], np.uint8)),
        nodes_featureids=[0, 1],
        nodes_truenodeids=[1, 0],
        nodes_trueleafs=[0, 1],
        nodes_falsenodeids=[2, 1],
        nodes_falseleafs=[1, 1],
        leaf_targetids=[0, 0, 0],
        tree_roots=[0],
        n_targets=1,
    )


def f(*values):
    return np.array(values, np.float32)


LEARNED = {
    "Scaler": (scaler, {"offset": f(1, 2, 3), "scale": f(0.5, 2, 4)}),
    "LinearRegressor": (linear_regressor, {"coefficients": f(1, -2, 3), "intercepts": f(0.5)}),
    "LinearClassifier": (
        linear_classifier,
        {"coefficients": models.floats(9, seed=1), "intercepts": f(0.1, 0.2, 0.3)},
    ),
    "SVMRegressor": (
        svm_regressor,
        {
            "coefficients": f(1, -1, 2, -2),
            "support_vectors": models.floats(12, seed=2),
            "rho": f(0.3),
            "kernel_params": f(0.7, 0, 3),
        },
    ),
    "Imputer": (imputer, {"imputed_value_floats": f(1, 2, 3)}),
    "TreeEnsembleRegressor": (
        tree_regressor,
        {"nodes_values": f(0.1, -0.2, 0, 0, 0), "target_weights": f(1, 2, 3)},
    ),
    "TreeEnsembleClassifier": (
        tree_classifier,
        {"nodes_values": f(0.1, -0.2, 0, 0, 0), "class_weights": f(1, 2, 3)},
    ),
    "TreeEnsemble": (
        tree_ensemble,
        {"nodes_splits": f(0.1, -0.2), "leaf_weights": f(1, 2, 3)},
    ),
}
OPERATORS = pytest.mark.parametrize(("build", "tensors"), LEARNED.values(), ids=LEARNED)


def listed(tensors):
    return {f"y.{name}": array for name, array in tensors.items()}


def other(tensors):
    r = models.random(5)
    return {n: (a + r.random(a.shape) * 0.5).astype(np.float32) for n, a in tensors.items()}


def x_for(build):
    x = models.floats(20, 3, seed=9)
    if build is imputer:
        x[::2] = np.nan
    return {"x": x}


@OPERATORS
def test_attributes_are_parameters_and_replaced(tmp_path, build, tensors):
    new, inputs = other(tensors), x_for(build)
    with models.opened(tmp_path, build(tensors)) as network:
        stored = {**network.parameters, **network.scalars}
        assert sorted(stored) == sorted(listed(tensors))
        assert all(stored[name].size == 1 for name in network.scalars)
        assert network.unused_parameters == ()
        runs = {"own": network.bind(), "new": network.bind(listed(new))}
        copies = network.bind({n: a.copy() for n, a in stored.items()})
    for name, wanted in (("own", tensors), ("new", new)):
        found = list(runs[name].run(inputs).values())
        for array, plain in zip(found, models.plain_run(build(wanted), inputs), strict=True):
            np.testing.assert_array_equal(array, plain)
    for own, copy in zip(
        runs["own"].run(inputs).values(), copies.run(inputs).values(), strict=True
    ):
        np.testing.assert_array_equal(own, copy)
    first, second = (list(run.run(inputs).values())[-1] for run in runs.values())
    assert not np.array_equal(first, second)


@OPERATORS
def test_none_of_them_may_be_left_out(tmp_path, build, tensors):
    with models.opened(tmp_path, build(tensors)) as network:
        with pytest.raises(ConformanceError) as caught:
            network.bind({})
        needed = [n for n, a in listed(tensors).items() if a.size > 1]
        assert set(caught.value.found.split("; ")) == {f"{n} is missing" for n in needed}


KEYS = models.random(3).permutation(1000)[:200].tolist()
WORDS = [str(number) for number in KEYS]


@pytest.mark.parametrize(
    ("attributes", "element"),
    [
        pytest.param({"keys_int64s": KEYS, "values_floats": [0.5] * 200}, "keys_int64s", id="keys"),
        pytest.param(
            {"keys_int64s": KEYS, "values_strings": WORDS},
            "values_strings",
            id="words",
        ),
    ],
)
def test_tables_of_integers_and_words_are_unsupported(tmp_path, attributes, element):
    node = helper.make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    kind = TensorProto.STRING if element == "values_strings" else TensorProto.FLOAT
    made = models.model(
        [node],
        [models.value("x", ["N"], TensorProto.INT64)],
        [models.value("y", ["N"], kind)],
    )
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    with models.opened(tmp_path, made) as network:
        network.bind().run({"x": np.arange(3)})
        with pytest.raises(UnsupportedError) as caught:
            network.bind(dict(network.parameters))
    assert f"LabelEncoder.{element} (" in caught.value.found


def test_settings_of_standard_operators_are_no_parameters(tmp_path):
    made = models.lstm()
    made.graph.node[1].attribute.append(
        helper.make_attribute("activations", ["HardSigmoid", "Tanh", "Tanh"])
    )
    made.graph.node[1].attribute.append(helper.make_attribute("activation_alpha", [0.3]))
    made.graph.node[1].attribute.append(helper.make_attribute("activation_beta", [0.5]))
    with models.opened(tmp_path, made) as network:
        assert list(network.parameters) == ["W", "R", "B"]
        network.bind(dict(network.parameters)).run({"x": models.floats(2, 3, 8)})


def test_the_name_of_a_setting_hides_nothing_in_a_call_of_a_function(tmp_path):
    """A function could take its weights from an attribute called like a setting."""
    constant = helper.make_node("Constant", [], ["W"])
    constant.attribute.add(name="value_floats", ref_attr_name="scales", type=6)
    function = places.function(
        "F", [constant, helper.make_node("Mul", ["p", "W"], ["q"])], attributes=["scales"]
    )
    node = places.call("F", scales=[1.0, 2.0, 3.0, 4.0])
    made = models.model([node], places.X4, places.Y4, domains=["mine"], functions=[function])
    x = models.floats(2, 4)
    with models.opened(tmp_path, made) as network:
        assert list(network.parameters) == ["y.scales"]
        new = f(5, 6, 7, 8)
        np.testing.assert_array_equal(network.bind({"y.scales": new}).run({"x": x})["y"], x * new)


def test_a_default_of_a_function_is_a_parameter(tmp_path):
    constant = helper.make_node("Constant", [], ["W"])
    constant.attribute.add(name="value_floats", ref_attr_name="scales", type=6)
    function = places.function("F", [constant, helper.make_node("Mul", ["p", "W"], ["q"])])
    function.attribute_proto.append(helper.make_attribute("scales", [1.0, 2.0, 3.0, 4.0]))
    made = models.model(
        [places.call("F")], places.X4, places.Y4, domains=["mine"], functions=[function]
    )
    x = models.floats(2, 4)
    with models.opened(tmp_path, made) as network:
        assert list(network.parameters) == ["mine.F.scales"]
        new = f(5, 6, 7, 8)
        found = network.bind({"mine.F.scales": new}).run({"x": x})["y"]
    np.testing.assert_array_equal(found, x * new)
