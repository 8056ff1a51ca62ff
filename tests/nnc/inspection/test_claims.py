"""What a stream says about itself comes out as JSON."""

from __future__ import annotations

import json

from conformance.nnc.inspection.claims import stream_claims
from conformance.nnc.parser import parse_stream
from tests.nnc.inspection.breaches import update
from tests.nnc.inspection.streams import CONST, around, data, float_unit


def test_a_plain_stream_claims_nothing() -> None:
    claims = stream_claims(parse_stream(around(data(float_unit()))))
    assert claims == {
        "general_profile_idc": 1,
        "base_model_id": None,
        "performance_metric_type": None,
        "validation_set_performance": None,
        "metric_type_performance_map_valid": False,
        "topology_carriage": True,
        "pre_flag": False,
        "performance_maps": {},
        "nodes": [],
    }


def test_performance_and_base_model() -> None:
    stream = around(
        data(float_unit()),
        base_model_id_present_flag=1,
        base_model_id="resnet",
        validation_set_performance_present_flag=1,
        performance_metric_type="top-1",
        validation_set_performance=0.75,
    )
    claims = stream_claims(parse_stream(stream))
    assert claims["base_model_id"] == "resnet"
    assert claims["performance_metric_type"] == "top-1"
    assert claims["validation_set_performance"] == 0.75


def test_performance_maps_with_the_unit_they_are_in() -> None:
    entry = {"sparsification_threshold": 0.5, "non_zero_ratio": 0.25, "spm_nn_accuracy": 0.125}
    values = {"spm_count_thresholds": 2, "sparsification_performance_map": [entry]}
    stream = around(data(float_unit()), mps_sparsification_flag=1, **values)
    [found] = stream_claims(parse_stream(stream))["performance_maps"]["sparsification"]
    assert found["unit"] == 1
    assert found["non_zero_ratio"] == 0.25


def test_nodes_and_parents() -> None:
    [node] = stream_claims(parse_stream(update(put_node_depth=3, parameter_id=4)))["nodes"]
    assert node["tensors"] == ["w"]
    assert (node["device_id"], node["parameter_id"], node["put_node_depth"]) == (0, 4, 3)
    assert node["parent"]["type"] == "ndu-id"


def test_hashes_of_parents() -> None:
    digest = "0f" * 32
    stream = update(put_node_depth=1, parent_node_id_type=1, parent_node_payload_sha256=digest)
    [node] = stream_claims(parse_stream(stream))["nodes"]
    assert node["parent"] == {"type": "sha256", "payload": digest}


def test_claims_are_json() -> None:
    claims = stream_claims(parse_stream(CONST))
    assert json.loads(json.dumps(claims)) == claims
