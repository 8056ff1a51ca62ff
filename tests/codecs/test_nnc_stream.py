"""The ``nnc`` codec: what it gets from a stream, its parameters, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.codecs import DecodedTensors, Source, codec
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import LimitError, MalformedError, UnsupportedError
from tests.bitstreams import raw_stream

ROOT = Path(__file__).parents[2]
SUBMISSION = ROOT / "vectors" / "submissions" / "digits-cnn"
SAMPLES = {
    sample["id"]: sample
    for sample in json.loads((SUBMISSION / "submission.json").read_text("utf-8"))["samples"]
    if sample["codec"]["id"] == "nnc"
}
LIMIT = 10**7
VALUES = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5


def decode(path: Path, limit_bytes: int = LIMIT, **params: Any) -> DecodedTensors:
    decoded = codec("nnc").decode(Source((path,), (f"shown/{path.name}",), params, limit_bytes))
    assert isinstance(decoded, DecodedTensors)
    return decoded


def sample(name: str) -> Path:
    return SUBMISSION / "samples" / f"{name}.nnc"


def raw_file(folder: Path, model: Mapping[str, Any] | None = None, **unit: Any) -> Path:
    """Write a stream of one tensor ``w`` whose values are not coded."""
    path = folder / "raw.nnc"
    path.write_bytes(raw_stream({"w": VALUES}, model, **unit))
    return path


def without_dimensions(folder: Path) -> Path:
    absent = {"tensor_dimensions_flag": 0, "count_tensor_dimensions": None}
    return raw_file(folder, input_parameters_present_flag=0, **absent, tensor_dimensions=None)


@pytest.mark.parametrize("name", SAMPLES)
def test_tensors_have_the_digests_of_another_decoder(name: str) -> None:
    declared = SAMPLES[name]
    with decode(sample(name), **declared["codec"]["params"]) as decoded:
        found = {tensor: tensor_digest(array) for tensor, array in decoded.items()}
        assert found == declared["claims"]["tensor_digests"]
        assert decoded.features == tuple(declared["features"])


def test_raw_values_are_decoded_as_they_are(tmp_path: Path) -> None:
    with decode(raw_file(tmp_path)) as decoded:
        assert decoded["w"].dtype == np.float32
        np.testing.assert_array_equal(decoded["w"], VALUES)
        assert decoded.stored_bits == {"w": 8 * VALUES.nbytes}
        assert decoded.features == ("edition:second", "payload:raw-float")


def test_stored_bits_of_all_tensors_are_those_of_the_payloads() -> None:
    path = sample("nnc-qp-38")
    with decode(path) as decoded:
        assert decoded.stored_bits.keys() == set(decoded)
        share = sum(decoded.stored_bits.values()) / (8 * path.stat().st_size)
    assert 0.97 < share < 1


def test_scaled_weights_count_the_bits_of_their_scaling() -> None:
    with (
        decode(sample("nnc-blocks")) as parts,
        decode(sample("nnc-blocks"), apply_local_scaling=True) as whole,
    ):
        assert set(parts) - set(whole) == {
            f"{layer}.weight_scaling" for layer in ("conv1", "conv2", "fc1", "fc2")
        }
        spent = parts.stored_bits
        together = spent["fc1.weight"] + spent["fc1.weight_scaling"]
        assert whole.stored_bits["fc1.weight"] == together
        assert whole.stored_bits["fc1.bias"] == spent["fc1.bias"]


def test_local_scaling_multiplies_each_row_in_float32() -> None:
    with (
        decode(sample("nnc-blocks")) as parts,
        decode(sample("nnc-blocks"), apply_local_scaling=True) as whole,
    ):
        rows = parts["fc2.weight_scaling"][:, np.newaxis]
        np.testing.assert_array_equal(whole["fc2.weight"], parts["fc2.weight"] * rows)


def test_codebooks_are_float64_unless_float32_is_asked_for() -> None:
    path = sample("nnc-codebook")
    with decode(path) as wide, decode(path, codebook_dtype="float32") as narrow:
        assert {array.dtype.name for array in wide.values()} == {"float64"}
        assert {array.dtype.name for array in narrow.values()} == {"float32"}
        for name in wide:
            np.testing.assert_array_equal(narrow[name], wide[name])


def test_other_tensors_keep_their_type_whatever_codebooks_are(tmp_path: Path) -> None:
    with decode(raw_file(tmp_path), codebook_dtype="float32") as decoded:
        assert decoded["w"].dtype == np.float32


def test_dimensions_may_come_from_the_metadata(tmp_path: Path) -> None:
    path = without_dimensions(tmp_path)
    with decode(path, dimensions={"w": [3, 2]}) as decoded:
        np.testing.assert_array_equal(decoded["w"], VALUES.reshape(3, 2))
        assert "out-of-band-dimensions" in decoded.features


@pytest.mark.parametrize(
    ("dimensions", "named", "found"),
    [
        ({"v": [3, 2]}, "'v'", "no such tensor"),
        ({"w": [3, 2]}, "'w'", "a tensor whose dimensions it states"),
        ({"w_G": [3, 2]}, "'w_G'", "no such tensor"),
    ],
    ids=["unknown", "stated", "factor"],
)
def test_dimensions_that_nothing_asks_for_are_told(
    tmp_path: Path, dimensions: Any, named: str, found: str
) -> None:
    with pytest.raises(MalformedError, match=named) as caught:
        decode(raw_file(tmp_path), dimensions=dimensions)
    assert found in caught.value.found
    assert "none" in caught.value.expected
    assert caught.value.where is not None
    assert caught.value.where.file == "submission.json"
    assert caught.value.where.element == "codec.params"


def test_dimensions_beside_those_that_are_asked_for_are_told(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="'nothing'") as caught:
        decode(without_dimensions(tmp_path), dimensions={"w": [3, 2], "nothing": [1 << 40]})
    assert "'w'" in caught.value.expected


def test_missing_dimensions_are_unsupported_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="dimensions of 'w'") as caught:
        decode(without_dimensions(tmp_path))
    where = caught.value.where
    assert where is not None
    assert where.file == "shown/raw.nnc"
    assert where.element is not None
    assert "NDU" in where.element
    assert caught.value.expected
    assert caught.value.found
    assert caught.value.fix


def test_truncation_is_malformed_at_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "cut.nnc"
    path.write_bytes(sample("nnc-qp-38").read_bytes()[:-1])
    with pytest.raises(MalformedError) as caught:
        decode(path)
    where = caught.value.where
    assert where is not None
    assert (where.file, where.byte_offset) == ("shown/cut.nnc", 30085)
    assert where.element == "bit 1, unit 18, nnr_unit_size"


def test_stream_larger_than_allowed_is_a_limit() -> None:
    with pytest.raises(LimitError, match="takes more memory") as caught:
        decode(sample("nnc-qp-38"), limit_bytes=100)
    assert caught.value.expected == "at most 100 bytes"


def test_tensors_larger_than_allowed_are_a_limit() -> None:
    size = sample("nnc-qp-24").stat().st_size
    with pytest.raises(LimitError) as caught:
        decode(sample("nnc-qp-24"), limit_bytes=size)
    assert str(size) in caught.value.expected
    assert caught.value.where is not None
    assert caught.value.where.element is not None


def test_stream_in_another_dialect_is_refused() -> None:
    with pytest.raises(MalformedError):
        decode(sample("nnc-qp-38"), dialect="nncodec-1.0")


@pytest.mark.parametrize(
    ("params", "named", "expected"),
    [
        ({"dialect": "2"}, "'dialect'", "nncodec-2, nncodec-1.0"),
        ({"map_entries": 1}, "'map_entries'", "count-minus-1, count"),
        ({"codebook_dtype": "float16"}, "'codebook_dtype'", "float64, float32"),
        ({"apply_local_scaling": 1}, "'apply_local_scaling'", "true or false"),
        ({"multiply_decomposition": "yes"}, "'multiply_decomposition'", "true or false"),
        ({"dimensions": [2, 3]}, "'dimensions'", "an object of lists of sizes"),
        ({"threads": 2}, "'threads'", "dialect"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_parameters_are_told(
    tmp_path: Path, params: dict[str, Any], named: str, expected: str
) -> None:
    with pytest.raises(MalformedError, match=named) as caught:
        decode(raw_file(tmp_path), **params)
    assert expected in caught.value.expected
    assert caught.value.where is not None
    assert caught.value.where.element == "codec.params"


@pytest.mark.parametrize("sizes", [[-1], ["2"], 7, [1 << 70]])
def test_dimensions_that_are_no_shape_are_refused(tmp_path: Path, sizes: Any) -> None:
    with pytest.raises(MalformedError):
        decode(without_dimensions(tmp_path), dimensions={"w": sizes})


def test_sample_is_one_file(tmp_path: Path) -> None:
    path = raw_file(tmp_path)
    with pytest.raises(MalformedError, match="one bitstream") as caught:
        codec("nnc").decode(Source((path, path), ("a.nnc", "b.nnc"), {}, LIMIT))
    assert caught.value.found == "2 files: a.nnc, b.nnc"
    assert caught.value.where is not None
    assert caught.value.where.file == "b.nnc"


def test_sound_stream_breaks_no_rule(tmp_path: Path) -> None:
    with decode(sample("nnc-rows")) as decoded:
        assert decoded.inspect is not None
        assert [v for v in decoded.inspect().violations if not v.is_warning] == []


def test_violation_says_rule_place_and_command(tmp_path: Path) -> None:
    data = bytearray(sample("nnc-qp-38").read_bytes())
    data[8] |= 1
    path = tmp_path / "reserved.nnc"
    path.write_bytes(data)
    with decode(path) as decoded:
        assert decoded.inspect is not None
        (violation,) = [v for v in decoded.inspect().violations if not v.is_warning]
    assert violation.rule.startswith("NNC-")
    assert violation.text
    assert violation.where.file == "shown/reserved.nnc"
    assert violation.where.byte_offset == 8
    assert violation.command.startswith("nnr-conformance nnc inspect shown/reserved.nnc --unit 1")
    as_json = json.loads(json.dumps(violation.to_json()))
    assert as_json["where"] == violation.where.to_json()


def test_claims_of_the_stream_are_told(tmp_path: Path) -> None:
    model = {
        "validation_set_performance_present_flag": 1,
        "performance_metric_type": "top1",
        "validation_set_performance": 0.75,
        "base_model_id_present_flag": 1,
        "base_model_id": "digits-cnn",
    }
    with decode(raw_file(tmp_path, model)) as decoded:
        assert decoded.inspect is not None
        claims = decoded.inspect().claims
        assert {"validation-set-performance", "base-model-id"} <= set(decoded.features)
    assert claims["performance_metric_type"] == "top1"
    assert claims["validation_set_performance"] == 0.75
    assert claims["base_model_id"] == "digits-cnn"
    json.dumps(claims)


def test_what_a_stream_claims_at_length_is_cut(tmp_path: Path) -> None:
    model = {"base_model_id_present_flag": 1, "base_model_id": "x" * 3_000_000}
    with decode(raw_file(tmp_path, model)) as decoded:
        assert decoded.inspect is not None
        claims = decoded.inspect().claims
    assert claims["base_model_id"] == f"{'x' * 200}... (3000000 characters)"
    assert len(json.dumps(claims)) < 2000


@pytest.mark.parametrize(("count", "more"), [(1000, []), (1003, ["... and 3 more"])])
def test_claims_about_many_units_are_bounded(tmp_path: Path, count: int, more: list[str]) -> None:
    names = ["a" * 200, "b" * 201, *map(str, range(2, count))]
    node = dict.fromkeys(("device_id", "parameter_id", "put_node_depth"), 0)
    path = tmp_path / "many.nnc"
    path.write_bytes(raw_stream(dict.fromkeys(names, VALUES), node_id_present_flag=1, **node))
    with decode(path) as decoded:
        assert decoded.inspect is not None
        nodes = decoded.inspect().claims["nodes"]
    assert nodes[1000:] == more
    assert nodes[0] == {"unit": 2, "tensors": ["a" * 200], **node, "parent": None}
    assert nodes[1]["tensors"] == [f"{'b' * 200}... (201 characters)"]
    assert [each["tensors"] for each in nodes[2:1000]] == [[name] for name in names[2:1000]]


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 40, b"ONNX" * 10, bytes(64)])
def test_bytes_that_are_no_stream_are_malformed(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "noise.nnc"
    path.write_bytes(data)
    with pytest.raises(MalformedError) as caught:
        decode(path)
    assert caught.value.where is not None
    assert caught.value.where.file == "shown/noise.nnc"
    assert caught.value.fix
