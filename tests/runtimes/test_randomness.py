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
    assert "seed" in caught.value.mend


def test_dice_with_a_seed_are_allowed(tmp_path):
    with models.opened(tmp_path, drawing("RandomNormal", seed=1.0)) as network:
        network.bind()


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
