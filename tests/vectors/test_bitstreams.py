"""The bitstream vectors: each is what it says, and decodes to what it says."""

import hashlib
import json
from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from conformance.nnc.decoder import decode, decode_observed
from conformance.nnc.errors import NncError, NncLimitError, NncMalformedError, NncUnsupportedError
from conformance.nnc.inspection.features import stream_features
from conformance.nnc.parser import parse_stream
from conformance.tensorfiles import tensor_digest
from tests.vectors.bitstream_cases import BITSTREAMS, CASES, case_id
from tests.vectors.plain_decoder import PlainDecoder

SCHEMA = json.loads((BITSTREAMS / "case.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
ERRORS = {
    "malformed": NncMalformedError,
    "unsupported": NncUnsupportedError,
    "limit": NncLimitError,
}
EDITIONS = {"first-edition", "second-edition", "nncodec-1.0"}
SOUND = [case for case in CASES if not any("error" in entry for entry, _ in case.streams)]
BY_REFERENCE = [case for case in CASES if "reference" in case.document["decoded_by"]]

TOOLS = {
    "block": "payload:block",
    "codebook": "quantization:codebook",
    "decomposition-in-units": "decomposition",
    "dependent": "quantization:dependent",
    "dialect": "dialect:nncodec-1.0",
    "history": "history-dependent-significance",
    "integer": "payload:int",
    "layer-parameter-set": "layer-parameter-set",
    "out-of-band": "out-of-band-dimensions",
    "parent": "parent-signalling",
    "performance-map": "performance-map:",
    "raw-float": "payload:raw-float",
    "row-skip": "row-skip",
    "scan": "scan:",
    "temporal-context": "temporal-context",
    "topology": "topology:",
    "uniform": "quantization:uniform",
    "unary-length": "unary-length:",
    "update-tree": "parent:ndu-id",
}
"""A feature, or how one begins, by the folder whose cases are about it."""
WITHOUT = {
    "block": {"all-in-units", "codebook-in-units"},
    "parent": {"reserved-bits"},
    "scan": {"8x8-column", "8x8-row"},
    "unary-length": {"10"},
    "update-tree": {"signalling-only"},
}
"""Cases of these folders that show where the tool is not used."""


def described(tensors):
    return {
        name: {"dtype": a.dtype.name, "shape": list(a.shape), "sha256": tensor_digest(a)}
        for name, a in tensors.items()
    }


def observed(stream, options, state):
    records = []
    decode_observed(stream, options, state, lambda record, _: records.append(record))
    return records


def features_of(case):
    return {feature for entry, _ in case.streams for feature in entry["features"]}


def test_there_are_enough_of_them_and_they_stay_small():
    assert len(CASES) >= 120
    size = sum(path.stat().st_size for path in BITSTREAMS.rglob("*") if path.is_file())
    assert size < 4_000_000


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_its_description_is_valid(case):
    errors = [
        f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(case.document)
    ]
    assert errors == []


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_its_folder_holds_the_streams_it_describes(case):
    found = {path.name for path in case.folder.iterdir()}
    assert found == {"case.json", *(entry["file"] for entry, _ in case.streams)}
    for entry, path in case.streams:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], path


def test_they_lie_in_folders_of_edition_tool_and_case():
    assert {case.parts[0] for case in CASES} == EDITIONS
    assert {len(case.parts) for case in CASES} == {3}
    assert len({case.id for case in CASES}) == len(CASES)


def test_no_two_cases_have_the_same_streams():
    streams = Counter(
        tuple(entry["sha256"] for entry, _ in case.streams)
        + tuple(sorted(map(str, case.document["options"].items())))
        for case in CASES
    )
    twice = [key for key, count in streams.items() if count > 1]
    same = [c.id for c in CASES if any(c.streams[0][0]["sha256"] in key for key in twice)]
    assert same == []


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_it_decodes_to_its_tensors(case):
    state = case.new_state()
    for entry, path in case.streams:
        if "error" not in entry:
            assert described(decode(path, case.options, state)) == entry["tensors"], path
            continue
        with pytest.raises(NncError) as raised:
            decode(path, case.options, state)
        assert isinstance(raised.value, ERRORS[entry["error"]["kind"]])
        assert raised.value.position.field == entry["error"]["field"]
        assert raised.value.fix


@pytest.mark.parametrize("case", SOUND, ids=case_id)
def test_its_features_are_those_of_its_streams(case):
    state = case.new_state()
    for entry, path in case.streams:
        stream = parse_stream(path.read_bytes(), case.options)
        records = observed(stream, case.options, state)
        assert list(stream_features(stream, records)) == entry["features"], path


@pytest.mark.parametrize("case", SOUND, ids=case_id)
def test_it_uses_the_tool_of_its_folder(case):
    edition, tool, name = case.parts
    expected = {"first-edition": "first", "second-edition": "second", "nncodec-1.0": "first"}
    features = features_of(case)
    assert f"edition:{expected[edition]}" in features
    begins = TOOLS.get(tool, "edition:")
    assert any(f.startswith(begins) for f in features) != (name in WITHOUT.get(tool, ()))


@pytest.mark.parametrize("case", BY_REFERENCE, ids=case_id)
def test_the_plain_reference_decodes_it_too(case):
    decoder = PlainDecoder(case.options)
    for entry, path in case.streams:
        assert described(decoder.decode(path.read_bytes())) == entry["tensors"], path


def test_nearly_all_are_decoded_by_somebody_else():
    alone = [case.id for case in SOUND if not case.document["decoded_by"]]
    assert alone == []
    peer = [case for case in SOUND if "NNCodec 2.1.3" in case.document["decoded_by"]]
    assert len(peer) > len(SOUND) * 0.8
    assert len(BY_REFERENCE) > len(SOUND) * 0.9


def test_every_tool_is_tried_alone_and_with_others():
    features = Counter(feature for case in SOUND for feature in features_of(case))
    wanted = [
        *("payload:int", "payload:float", "payload:raw-float", "payload:block"),
        *("quantization:uniform", "quantization:codebook", "quantization:dependent"),
        *("scan:8x8", "scan:16x16", "scan:32x32", "scan:64x64", "entry-points"),
        *("local-scaling", "batch-norm", "bias", "decomposition", "row-skip"),
        *("history-dependent-significance", "temporal-context", "node-ids", "parent-signalling"),
        *("parent:ndu-id", "parent:sha256", "parent:sha512", "pre-flag", "base-model-id"),
        *("validation-set-performance", "layer-parameter-set", "indexed-references"),
        *("performance-map:sparsification", "performance-map:pruning"),
        *("performance-map:unification", "performance-map:decomposition"),
        *("topology:reflist", "out-of-band-dimensions", "qp-per-tensor", "dialect:nncodec-1.0"),
        *("unary-length:1", "unary-length:256"),
    ]
    assert [feature for feature in wanted if not features[feature]] == []
