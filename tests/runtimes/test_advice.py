"""What a refusal says to do leads to no other refusal, and does not make another network."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from conformance.runtimes.faults import cannot_run
from conformance.runtimes.tensorflow.graphs import check_operators
from conformance.runtimes.tensorflow.keras_file.config import read_config
from conformance.runtimes.tflite.graph import check_graphs
from conformance.runtimes.tflite.operators import RESOURCES
from conformance.verdicts import UnsupportedError


def operator(name: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, element=name, inputs=(), outputs=(), calls=(), custom_code="")


def refused_tflite(*names: str) -> UnsupportedError:
    graph = SimpleNamespace(operators=[*map(operator, names)])
    with pytest.raises(UnsupportedError) as caught:
        check_graphs(SimpleNamespace(subgraphs=[graph]), [0], "m.tflite")
    return caught.value


def test_the_state_of_a_streaming_network_is_not_to_be_frozen() -> None:
    fix = refused_tflite("VAR_HANDLE", "READ_VARIABLE", "ADD", "ASSIGN_VARIABLE").fix
    assert "make the state an input and an output of the network" in fix
    assert "freeze the variables" not in fix.lower()


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_every_resource_has_advice_of_its_kind(name: str) -> None:
    fix = refused_tflite(name).fix
    if name.startswith("HASHTABLE"):
        assert "Look values up before the network" in fix
    else:
        assert "make the state an input and an output" in fix


def refused_graph(op: str) -> str:
    node = SimpleNamespace(op=op, name="n")
    with pytest.raises(UnsupportedError) as caught:
        check_operators([("node n", node)], {"Add"}, "saved_model.pb")
    return caught.value.fix


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("AssignVariableOp", "make the state an input and an output"),
        ("AssignAddVariableOp", "RandomFlip"),
        ("StatelessRandomUniformV2", "Leave out the layers that draw random numbers"),
        ("TruncatedNormal", "Leave out the layers that draw random numbers"),
        ("HashTableV2", "Look values up before the network"),
    ],
)
def test_operators_of_a_saved_model_are_told_how_to_do_without(op: str, said: str) -> None:
    assert said in refused_graph(op)


def refused_keras(layer: str) -> str:
    listed = {"class_name": layer, "module": "keras.layers"}
    model = {"class_name": "Sequential", "module": "keras", "config": {"layers": [listed]}}
    with pytest.raises(UnsupportedError, match=layer) as caught:
        read_config(np.frombuffer(json.dumps(model).encode(), np.uint8), "m.keras")
    return caught.value.fix


@pytest.mark.parametrize("name", ["RandomFlip", "RandomRotation", "MixUp", "StringLookup"])
def test_layers_that_a_saved_model_would_not_save_are_not_sent_there(name: str) -> None:
    assert "or export it as a SavedModel" not in refused_keras(name)
    assert "or export it as a SavedModel" in refused_keras("SomeOtherLayer")


def test_a_network_that_cannot_run_is_to_be_run_where_it_fails() -> None:
    said = cannot_run("LiteRT").fix
    assert said.startswith("Run the network in LiteRT on these inputs")
    assert "export the network again" in said
