"""The JSON document: stable names, true places, bits that add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.nnc.encoder import LevelTools
from conformance.nnc.inspection.document import VERSION, document_of, raw_bits
from conformance.nnc.inspection.examination import examine
from conformance.nnc.inspection.lazy import json_text
from conformance.nnc.options import Interpretation, Options
from conformance.nnc.quantization import Codebook, step_size
from tests.hang import no_hang
from tests.nnc.inspection.breaches import decomposed, parameters
from tests.nnc.inspection.streams import CONST, GOOD, around, block_unit, data, float_unit, raw

VECTORS = Path(__file__).parents[3] / "vectors" / "bitstreams"
SAMPLES = sorted(VECTORS.rglob("stream*.nnc"))[::7]


def document(stream: bytes, **options: Any) -> dict[str, Any]:
    return document_of(examine(stream), **options)


def as_json(found: dict[str, Any]) -> Any:
    return json.loads("\n".join(json_text(found)), parse_constant=pytest.fail)


def tensor(stream: bytes) -> dict[str, Any]:
    [found] = [each for unit in document(stream)["units"] for each in unit["tensors"]]
    return dict(found)


def element(found: dict[str, Any], name: str) -> dict[str, Any]:
    every = [each for unit in found["units"] for each in unit["elements"]]
    return next(each for each in reversed(every) if each["name"] == name)


def meaning(stream: bytes, name: str) -> str:
    return str(element(document(stream), name)["meaning"])


DOCUMENT = "version bytes dialect profile unit_count units features claims error"
UNIT = "index type name title byte size complete elements absent payload tensors"
ELEMENT = "name code bit length value meaning when bits"
TENSOR = "name role shape dtype payload_type quantization codebook zero_offset coding levels bits"


def test_names_of_the_document_are_stable() -> None:
    found = document(CONST, bits=True)
    unit = found["units"][3]
    assert VERSION == 1
    assert list(found) == DOCUMENT.split()
    assert list(unit) == UNIT.split()
    assert list(unit["elements"][0]) == ELEMENT.split()
    assert list(unit["tensors"][0]) == TENSOR.split()


def test_elements_tile_the_headers() -> None:
    for unit in document(CONST)["units"]:
        position = 8 * unit["byte"]
        for each in unit["elements"]:
            assert each["bit"] == position
            position += each["length"]
        payload = unit["payload"]
        end = payload["byte"] if payload else unit["byte"] + unit["size"]
        assert position == 8 * end


def test_raw_bits_are_those_of_the_file() -> None:
    found = document(CONST, bits=True)
    bits = "".join(each["bits"] for unit in found["units"] for each in unit["elements"])
    whole = "".join(f"{byte:08b}" for byte in CONST)
    assert whole.startswith(bits)
    assert len(whole) - len(bits) == 8 * found["units"][3]["payload"]["size"]
    assert "bits" not in document(CONST)["units"][0]["elements"][0]


@pytest.mark.parametrize(("bit", "length"), [(0, 0), (0, 1), (3, 9), (7, 1), (5, 19), (16, 8)])
def test_raw_bits_anywhere(bit: int, length: int) -> None:
    content = bytes(range(160, 164))
    whole = "".join(f"{byte:08b}" for byte in content)
    assert raw_bits(memoryview(content), bit, length) == whole[bit : bit + length]


def test_absent_elements_say_when_they_are_there() -> None:
    absent = {each["name"]: each for each in document(CONST)["units"][3]["absent"]}
    assert absent["entry_points"]["when"] == "count_tensor_dimensions > 1 and scan_order > 0"
    assert absent["parent_node_id_present_flag"]["value"] == 0
    assert absent["codebook_dc"]["value"] is None


def test_the_tensor_of_nncodec() -> None:
    found = tensor(CONST)
    assert found["name"] == "const"
    assert (found["shape"], found["dtype"]) == ([5, 6], "float64")
    step = step_size(-20, 2)
    assert found["quantization"] == {
        "method": "codebook",
        "qp": -20,
        "qp_density": 2,
        "step": step,
    }
    assert (found["codebook"], found["zero_offset"]) == ([8], 0)
    assert found["levels"]["zeros"] == 30
    assert found["bits"]["quantization parameter"] == 8


@pytest.mark.parametrize("dependent", [False, True])
def test_methods_of_quantization(dependent: bool) -> None:
    method = tensor(around(data(float_unit(dependent=dependent))))["quantization"]["method"]
    assert method == ("dependent" if dependent else "uniform")


def test_tools_of_a_tensor() -> None:
    levels = np.ones((20, 6), np.int32)
    levels[2:5] = 0
    tools = LevelTools(skipped=np.isin(np.arange(20), (2, 3, 4)))
    unit = float_unit(levels=levels, tools=tools, scan_order=1)
    coding = tensor(around(data(unit)))["coding"]
    assert coding["matrix"] == [20, 6]
    assert coding["scan_order"] == 1
    assert (coding["row_skip"], coding["skipped_rows"]) == (True, 3)
    stated = list(unit.values["entry_points"])
    assert [each["value"] for each in coding["entry_points"]] == [each["value"] for each in stated]


def test_raw_values_have_bits_and_no_levels() -> None:
    found = tensor(around(data(raw())))
    assert found["levels"] is None
    assert found["coding"] is None
    assert found["bits"] == {"total": 6 * 32, "values": 6 * 32}


def assert_bits_add_up(found: dict[str, Any]) -> None:
    for unit in found["units"]:
        for each in unit["tensors"]:
            assert min(each["bits"].values()) >= 0
            assert sum(each["bits"].values()) == 2 * each["bits"]["total"]
        if unit["tensors"]:
            bits = unit["payload"]["bits"]
            assert bits["total"] == 8 * unit["payload"]["size"]
            assert bits["start"] + bits["tensors"] + bits["rest"] == bits["total"]
            assert bits["tensors"] == sum(each["bits"]["total"] for each in unit["tensors"])


@pytest.mark.parametrize("stream", [CONST, GOOD, decomposed(), around(data(raw()))])
def test_bits_add_up_to_the_payload(stream: bytes) -> None:
    found = document(stream)
    assert_bits_add_up(found)
    assert all(0 <= unit["payload"]["bits"]["rest"] < 8 for unit in found["units"][3:])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: "/".join(path.parts[-4:-1]))
def test_bits_add_up_in_vectors(path: Path) -> None:
    case = json.loads((path.parent / "case.json").read_text())["options"]
    options = Options(
        interpretation=Interpretation(dialect=case.get("dialect", "nncodec-2")),
        dimensions=case.get("dimensions", {}),
    )
    found = document_of(examine(path.read_bytes(), options))
    assert_bits_add_up(found)
    as_json(found)


def test_levels_are_paid_for_by_group() -> None:
    bits = tensor(around(data(float_unit(levels=np.full((20, 6), 40)))))["bits"]
    assert all(bits[name] for name in ("significance", "greater-than", "remainder", "bypass"))


def test_members_of_a_block_are_in_the_order_of_the_payload() -> None:
    block = block_unit(8, ("w", "weight", (20, 6)), ("b", "bias", (20,)))
    unit = document(around(data(block)))["units"][3]
    assert [(each["name"], each["role"]) for each in unit["tensors"]] == [
        ("b", "bias"),
        ("w", "weight"),
    ]


def test_tensors_are_listed_under_their_own_units() -> None:
    found = document(around(data(float_unit("a")), data(float_unit("b"))))
    names = [[each["name"] for each in unit["tensors"]] for unit in found["units"]]
    assert names == [[], [], [], ["a"], ["b"]]


def test_meanings_of_values() -> None:
    assert meaning(CONST, "scan_order") == "row by row"
    assert meaning(CONST, "mps_qp_density") == "the step size doubles every 4 qp"
    assert meaning(CONST, "cabac_unary_length_minus1") == "unary length N = 11"
    assert meaning(CONST, "nnr_unit_size") == "23 bytes, the whole unit"
    assert meaning(CONST, "codebook.codebook_zero_value") == "c[0] = 8"
    assert meaning(CONST, "tensor_dimensions[1]") == ""


def test_meanings_of_a_codebook() -> None:
    codebook = Codebook((-9, -4, 0, 3, 11), 2)
    stream = around(data(float_unit(codebook=codebook, levels=np.ones((20, 6)))))
    assert meaning(stream, "codebook.codebook_centre_offset") == "z = 2"
    assert meaning(stream, "codebook.codebook_deltas_left[1]") == "c[0] = -9"
    assert meaning(stream, "codebook.codebook_deltas_right[1]") == "c[4] = 11"


def test_meanings_of_a_codebook_take_time_in_proportion_to_its_size() -> None:
    unit = float_unit(codebook=Codebook(tuple(range(20_001)), 10_000), levels=np.ones((20, 6)))
    with no_hang():  # one codebook for each entry would take minutes
        found = document(around(data(unit)))
    assert element(found, "codebook.codebook_deltas_right[9999]")["meaning"] == "c[20000] = 20000"


def test_meanings_of_entry_points() -> None:
    unit = float_unit(scan_order=1)
    stream = around(data(unit))
    first, second = tensor(stream)["coding"]["entry_points"]
    assert meaning(stream, "entry_points[1].value") == "offset register where block row 2 begins"
    delta = element(document(stream), "entry_points[1].bit_offset_delta")
    assert delta["value"] == second["bit_offset"] - first["bit_offset"]
    assert delta["meaning"] == f"bit_offset {second['bit_offset']}"


def test_meaning_of_parameter_types() -> None:
    block = block_unit(8, ("w", "weight", (20, 6)), ("b", "bias", (20,)))
    assert meaning(around(data(block)), "compressed_parameter_types") == "bias"


def test_meaning_of_the_quantization_parameter() -> None:
    text = meaning(parameters(mps_quantization_parameter=8), "mps_quantization_parameter")
    assert text == "added to every qp; one of 0 gets the step size 4"


def test_numbers_that_json_has_not_are_text() -> None:
    stream = parameters(
        validation_set_performance_present_flag=1, validation_set_performance=float("inf")
    )
    found = document(stream)
    assert element(found, "validation_set_performance")["value"] == "inf"
    as_json(found)


def test_a_broken_unit_is_marked_and_the_error_told() -> None:
    found = document(GOOD[:-2])
    assert [unit["complete"] for unit in found["units"]] == [True] * 4 + [False]
    assert found["unit_count"] == 5
    error = found["error"]
    assert (error["kind"], error["position"]["unit"]) == ("malformed", 4)
    assert error["position"]["field"] == "nnr_unit_size"
    assert error["expected"]
    assert error["fix"]


def test_an_empty_file() -> None:
    found = document(b"")
    assert (found["bytes"], list(found["units"]), found["profile"]) == (0, [], None)
    assert as_json(found)["units"] == []
