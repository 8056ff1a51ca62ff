"""Operator sets: what is not imported, not valid, too new or not known is named with the fix."""

import numpy as np
import pytest
from onnx import helper

from conformance.verdicts import ConformanceError, MalformedError, UnsupportedError
from tests.runtimes import models, places


def importing(*opsets, op="Relu", domain="", ir_version=8):
    made = models.model(
        [helper.make_node(op, ["x"], ["y"], name="n1", domain=domain)], places.X4, places.Y4
    )
    made.ir_version = ir_version
    del made.opset_import[:]
    made.opset_import.extend(helper.make_opsetid(*opset) for opset in opsets)
    return made


def refusal(folder, made) -> ConformanceError:
    with models.opened(folder, made) as network, pytest.raises(ConformanceError) as caught:
        network.bind()
    assert caught.value.where.file == "model.onnx"
    assert caught.value.expected
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("opsets", [(), (("ai.onnx.ml", 3),)], ids=["none", "another"])
def test_a_missing_operator_set_is_named_with_the_node_that_needs_it(tmp_path, opsets):
    error = refusal(tmp_path, importing(*opsets))
    assert isinstance(error, MalformedError)
    assert error.message == "No opset import for domain 'ai.onnx'"
    assert error.where.element == "node n1 (Relu)"
    assert "opset_import of the model" in error.fix


def test_an_operator_set_may_be_called_by_either_name(tmp_path):
    with models.opened(tmp_path, importing(("ai.onnx", 17))) as network:
        x = models.floats(2, 4)
        np.testing.assert_array_equal(network.bind().run({"x": x})["y"], np.maximum(x, 0))


def test_a_function_imports_operator_sets_of_its_own(tmp_path):
    function = helper.make_function(
        "mine", "F", ["p"], ["q"], [helper.make_node("Relu", ["p"], ["q"])], []
    )
    made = models.model(
        [places.call("F")], places.X4, places.Y4, domains=["mine"], functions=[function]
    )
    error = refusal(tmp_path, made)
    assert "in function F, which uses Relu" in error.found
    assert "opset_import of function F" in error.fix


@pytest.mark.parametrize(
    ("opsets", "found"),
    [
        ((("", 0),), "0"),
        ((("", -3),), "-3"),
        ((("", 17), ("ai.onnx", 9)), "versions 17 and 9"),
    ],
    ids=["zero", "negative", "two versions"],
)
def test_versions_that_cannot_be_are_malformed(tmp_path, opsets, found):
    error = refusal(tmp_path, importing(*opsets))
    assert isinstance(error, MalformedError)
    assert error.found == found
    assert error.where.element == "model.opset_import"


@pytest.mark.parametrize(
    ("made", "found", "expected"),
    [
        (importing(("", 999)), "opset 999 of ai.onnx", "at most opset"),
        (importing(("", 17), ("ai.onnx.ml", 99)), "opset 99 of ai.onnx.ml", "at most opset"),
        (importing(("", 17), ir_version=99), "IR version 99", "at most IR version"),
    ],
    ids=["opset", "opset of another domain", "IR version"],
)
def test_what_is_newer_than_the_runtime_is_unsupported(tmp_path, made, found, expected):
    error = refusal(tmp_path, made)
    assert isinstance(error, UnsupportedError)
    assert error.found == found
    assert error.expected.startswith(expected)
    assert "version_converter" in error.fix


def test_an_operator_that_is_newer_than_the_models_set_is_unsupported(tmp_path):
    error = refusal(tmp_path, importing(("", 13), op="Gelu"))
    assert isinstance(error, UnsupportedError)
    assert error.where.element == "node n1"


def test_a_custom_domain_is_named_with_the_ways_out(tmp_path):
    error = refusal(tmp_path, importing(("my.ops", 1), op="Fancy", domain="my.ops"))
    assert isinstance(error, UnsupportedError)
    assert error.found == "operator Fancy of domain my.ops"
    assert "ai.onnx.ml" in error.expected
    assert "no custom operator library" in error.expected
    assert "local function my.ops.Fancy" in error.fix


def test_a_custom_operator_in_a_branch_is_found(tmp_path):
    made = places.branches(places.PLACES["branches"][1])
    made.graph.node[0].attribute[0].g.node[1].domain = "my.ops"
    made.opset_import.append(helper.make_opsetid("my.ops", 1))
    assert refusal(tmp_path, made).found == "operator MatMul of domain my.ops"


def test_an_unknown_domain_that_nothing_uses_is_no_obstacle(tmp_path):
    with models.opened(tmp_path, importing(("", 17), ("weird", 1))) as network:
        network.bind()


def test_operators_of_the_runtimes_own_domain_are_run(tmp_path):
    made = importing(("com.microsoft", 1), ("", 17), op="Gelu", domain="com.microsoft")
    with models.opened(tmp_path, made) as network:
        network.bind().run({"x": models.floats(2, 4)})
