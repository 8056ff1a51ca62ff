import numpy as np
import pytest
from onnx import TensorProto, helper

from conformance.verdicts import UnsupportedError
from tests.runtimes import models


def drawing(op, **attributes):
    attributes = (
        {"shape": [2], **attributes} if op in {"RandomNormal", "RandomUniform"} else attributes
    )
    inputs = [] if op in {"RandomNormal", "RandomUniform"} else ["x"]
    graph = helper.make_graph(
        [
            helper.make_node(op, inputs, ["noise"], name="dice", **attributes),
            helper.make_node("Identity", ["x"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


@pytest.mark.parametrize(
    "op", ["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli"]
)
def test_network_that_throws_dice_is_not_judged(tmp_path, op):
    with pytest.raises(UnsupportedError) as caught:
        models.opened(tmp_path, drawing(op))
    assert caught.value.where.element == f"graph.node[0] {op} dice"
    assert op in caught.value.found
    assert "for inference" in caught.value.fix


def test_a_seed_does_not_help_because_it_goes_on_from_run_to_run(tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        models.opened(tmp_path, drawing("RandomNormal", seed=1.0))
    assert caught.value.where.element == "graph.node[0] RandomNormal dice"
    assert "draws random numbers" in caught.value.message


def dropping(*inputs: str):
    ports = [models.value("x", ["N", 4])], [models.value("y", ["N", 4])]
    tensors = {"ratio": np.float32(0.5), "training": np.bool_(True)}
    return models.model([helper.make_node("Dropout", inputs, ["y"], seed=1)], *ports, tensors)


def test_dropout_that_trains_is_not_judged(tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        models.opened(tmp_path, dropping("x", "ratio", "training"))
    assert caught.value.found == "operator Dropout"


@pytest.mark.parametrize("inputs", [("x",), ("x", "ratio"), ("x", "ratio", "")])
def test_dropout_for_inference_copies(tmp_path, inputs):
    x = models.floats(3, 4)
    with models.opened(tmp_path, dropping(*inputs)) as network:
        np.testing.assert_array_equal(network.bind().run({"x": x})["y"], x)


def test_dice_in_a_branch_are_found(tmp_path):
    branch = drawing("RandomUniformLike").graph
    for value in branch.input:
        branch.input.remove(value)
    condition = helper.make_node("If", ["flag"], ["z"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [condition],
        "g",
        [
            helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
        ],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(UnsupportedError) as caught:
        models.opened(tmp_path, made)
    assert caught.value.where.element.startswith("graph.node[0] If.")
