"""Features are what a stream uses, not what its headers would allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.nnc.encoder import LevelTools
from conformance.nnc.inspection.examination import examine
from conformance.nnc.inspection.features import stream_features
from conformance.nnc.options import Interpretation, Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.quantization import Codebook
from tests.nnc.inspection.breaches import chained, decomposed, update
from tests.nnc.inspection.streams import (
    CONST,
    GOOD,
    START,
    TOPOLOGY,
    around,
    block_unit,
    data,
    float_unit,
    int_unit,
    join,
    model,
    raw,
)

UNIFORM = {"edition:second", "payload:float", "quantization:uniform"}
ONE_WEIGHT = around(data(float_unit()))


def features(stream: bytes, options: Options | None = None, state: Any = None) -> set[str]:
    examination = examine(stream, options or Options(), state)
    assert examination.error is None, examination.error
    found = stream_features(examination.stream, examination.records)
    assert list(found) == sorted(set(found))
    return set(found)


def test_what_nncodec_wrote() -> None:
    assert features(CONST) == {
        "edition:second",
        "node-ids",
        "payload:float",
        "quantization:codebook",
        "unary-length:11",
    }


def test_one_uniform_weight() -> None:
    assert features(ONE_WEIGHT) == UNIFORM


def test_integers_are_not_quantized() -> None:
    assert features(around(data(int_unit([[1, 2], [3, 4]])))) == {"edition:second", "payload:int"}


def test_raw_values_have_no_unary_length() -> None:
    unit = data(raw(), cabac_unary_length_flag=1, cabac_unary_length_minus1=3)
    assert features(around(unit)) == {"edition:second", "payload:raw-float"}


def test_the_first_edition() -> None:
    stream = join(
        ("STR", {"general_profile_idc": 0}, b""), model(), TOPOLOGY, data(float_unit(profile=0))
    )
    assert features(stream) == {"edition:first", "payload:float", "quantization:uniform"}


def test_the_dialect_is_a_feature_when_it_was_given() -> None:
    coded = float_unit(profile=0, dialect="nncodec-1.0")
    stream = join(("STR", {"general_profile_idc": 0}, b""), model(), TOPOLOGY, data(coded))
    options = Options(interpretation=Interpretation(dialect="nncodec-1.0"))
    assert "dialect:nncodec-1.0" in features(stream, options)


def test_dependent_quantization_is_not_uniform() -> None:
    found = features(around(data(float_unit(dependent=True))))
    assert found == {"edition:second", "payload:float", "quantization:dependent"}


def test_a_codebook() -> None:
    codebook = Codebook((-4, 0, 7), 1)
    unit = float_unit(codebook=codebook, levels=np.ones((20, 6)))
    assert "quantization:codebook" in features(around(data(unit)))


@pytest.mark.parametrize(("order", "side"), [(1, 8), (2, 16), (3, 32), (4, 64)])
def test_scan_orders(order: int, side: int) -> None:
    unit = float_unit(shape=(20, 6), scan_order=order)
    expected = {f"scan:{side}x{side}"} | ({"entry-points"} if side < 20 else set())
    assert features(around(data(unit))) == UNIFORM | expected


def test_a_scan_order_that_does_not_apply_is_no_feature() -> None:
    unit = data(float_unit(shape=(1, 40)), scan_order=1)
    assert features(around(unit)) == UNIFORM


def test_row_skip() -> None:
    tools = LevelTools(skipped=np.arange(20) < 3)
    levels = np.ones((20, 6), np.int32)
    levels[:3] = 0
    unit = float_unit(levels=levels, tools=tools)
    assert features(around(data(unit))) == UNIFORM | {"row-skip"}


def test_a_block() -> None:
    unit = block_unit(
        2 + 4 + 8,
        ("w", "weight", (20, 6)),
        ("w_scaling", "local-scaling", (20,)),
        *((f"bn.{name}", f"bn-{name}", (20,)) for name in ("beta", "gamma", "mean", "var")),
        ("b", "bias", (20,)),
    )
    assert features(around(data(unit))) == {
        *("edition:second", "payload:block", "quantization:uniform"),
        *("local-scaling", "batch-norm", "bias"),
    }


def test_a_decomposition() -> None:
    assert "decomposition" in features(decomposed())


def test_updates() -> None:
    stream = update(put_node_depth=5)
    assert features(stream, state=chained()) == UNIFORM | {
        *("node-ids", "parent:ndu-id", "parent-signalling"),
    }


@pytest.mark.parametrize(("kind", "name"), [(1, "sha256"), (2, "sha512")])
def test_parents_by_hash(kind: int, name: str) -> None:
    assert f"parent:{name}" in features(update(put_node_depth=1, parent_node_id_type=kind))


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        ({"mps_parent_signalling_enabled_flag": 1, "nnr_pre_flag": 1}, "pre-flag"),
        ({"base_model_id_present_flag": 1, "base_model_id": "m"}, "base-model-id"),
        ({"validation_set_performance_present_flag": 1}, "validation-set-performance"),
        ({"mps_sparsification_flag": 1}, "performance-map:sparsification"),
        ({"mps_pruning_flag": 1}, "performance-map:pruning"),
        ({"mps_unification_flag": 1}, "performance-map:unification"),
        ({"mps_decomposition_performance_map_flag": 1}, "performance-map:decomposition"),
    ],
)
def test_flags_of_the_model(values: dict[str, Any], feature: str) -> None:
    parent = {"parent_node_id_present_flag": 0} if "nnr_pre_flag" in values else {}
    assert feature in features(around(data(float_unit(), **parent), **values))


def test_layers_and_their_maps() -> None:
    stream = around(("LPS", {"lps_pruning_flag": 1}, b""), data(float_unit()))
    assert features(stream) == UNIFORM | {"layer-parameter-set", "performance-map:pruning"}


@pytest.mark.parametrize(("number", "name"), [(3, "pyt"), (4, "tef"), (5, "prun"), (6, "reflist")])
def test_topologies(number: int, name: str) -> None:
    names = {"topology_elem_ids": ("a", "b")} if name == "reflist" else {}
    topology = ("TPL", {"topology_storage_format": number, **names}, b"")
    stream = join(START, model(), topology, data(float_unit()))
    assert features(stream) == UNIFORM | {f"topology:{name}"}


def test_dimensions_out_of_band() -> None:
    stream = around(data(float_unit(), tensor_dimensions_flag=0))
    options = Options(dimensions={"w": (20, 6)})
    assert features(stream, options) == UNIFORM | {"out-of-band-dimensions"}


def test_two_quantization_parameters() -> None:
    stream = around(data(float_unit("a", qp=-20)), data(float_unit("b", qp=-24)))
    assert features(stream) == UNIFORM | {"qp-per-tensor"}


def test_without_records_the_headers_speak() -> None:
    found = stream_features(parse_stream(GOOD))
    assert found == ("edition:second", "payload:float", "payload:int")
