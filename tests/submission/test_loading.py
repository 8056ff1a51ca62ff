"""Submissions with one defect each, and the one finding that it must give."""

import copy
import json

import pytest

from conformance.submission import Limits, load
from conformance.verdicts import Verdict
from tests.submission import builder
from tests.submission.builder import at, drop, put
from tests.submission.chains import layered, merge, update

SCHEMA = "SUBMISSION-SCHEMA-001"
ID = "SUBMISSION-ID-001"
REFERENCE = "SUBMISSION-REFERENCE-001"
LICENSE = "SUBMISSION-LICENSE-001"


def load_changed(folder, change):
    data = builder.valid()
    replaced = change(data)
    builder.write_metadata(folder, replaced if replaced is not None else data)
    return load(folder)


def only(loaded):
    """The one finding there is, complete and pointing at what it says."""
    assert len(loaded.problems) == 1, "\n".join(map(str, loaded.problems))
    finding = loaded.problems[0]
    assert finding.verdict is Verdict.FAIL
    for text in (finding.clause, finding.message, finding.expected, finding.found, finding.fix):
        assert text.strip()
    assert finding.where.file
    if finding.where.pointer is not None:
        text = (loaded.root / "submission.json").read_text("utf-8")
        at(json.loads(text), finding.where.pointer)
        assert finding.where.line is not None
    return finding


def test_a_valid_submission_has_no_problems(folder):
    loaded = load(folder)
    assert loaded.problems == ()
    assert loaded.id == "tiny"
    assert loaded.root == folder.resolve()
    assert loaded.submission is not None
    assert loaded.files.keys() == builder.CONTENTS.keys()


@pytest.mark.parametrize("items", [1, 2])
def test_a_shard_that_is_not_batched_is_one_item(folder, items):
    def change(data):
        data["vectors"][0]["batched"] = False
        data["vectors"][0]["shards"][0]["items"] = items

    loaded = load_changed(folder, change)
    if items == 1:
        assert loaded.problems == ()
        return
    finding = only(loaded)
    assert (finding.check, finding.where.pointer) == (SCHEMA, "/vectors/0/shards/0/items")
    assert 'a shard is one item, because "batched" is false' in finding.message
    assert (finding.expected, finding.found) == ("a number of at most 1", "2")


def test_a_relative_folder_is_fine(folder, monkeypatch):
    monkeypatch.chdir(folder)
    from pathlib import Path

    assert load(Path()).root == folder.resolve()


def test_loading_writes_nothing(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    load(folder)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_keys_of_ones_own_are_free(folder):
    def change(data):
        data["x_note"] = {"anything": [1, None]}
        data["models"][0]["x_mine"] = 1

    assert load_changed(folder, change).problems == ()


MISSING = [
    ("/license", "submission \"tiny\" lacks 'license'", "Submission format 1.0 §license"),
    ("/models", "lacks 'models'", "Call §Required test data, item 1"),
    ("/models/0/files", "model \"net\" lacks 'files'", "Call §Required test data, item 1"),
    ("/models/0/training_data", "lacks 'training_data'", "Call §Required test data, item 2"),
    ("/models/0/test_data", "lacks 'test_data'", "Call §Required test data, item 3"),
    ("/datasets/0/name", "dataset \"train-data\" lacks 'name'", "items 2 and 3"),
    ("/datasets/0/url", "lacks 'url' or 'doi'", "items 2 and 3"),
    ("/metrics/0/tolerance", "metric \"top1\" lacks 'tolerance'", "item 4"),
    ("/metrics/0/id", "metric lacks 'id'", "item 4"),
    ("/vectors/0/shards/0/outputs", "shard lacks 'outputs'", "item 3"),
    ("/samples/0/method", "sample \"int8\" lacks 'method'", "Call §Required test data, item 5"),
    ("/samples/0/files/0/sha256", "file lacks 'sha256'", "item 5"),
]


@pytest.mark.parametrize(("pointer", "message", "clause"), MISSING)
def test_a_missing_key(folder, pointer, message, clause):
    finding = only(load_changed(folder, lambda data: drop(data, pointer)))
    assert finding.check == SCHEMA
    assert finding.subject == "tiny"
    assert finding.where.pointer == pointer.rpartition("/")[0]
    assert message in finding.message
    assert clause in finding.clause
    assert "Add " in finding.fix


VALUES = [
    ("type", "/published", "no", "wrong type", "true or false", '"no"', "quotation marks"),
    ("type", "/models", {}, "models has the wrong type", "a list", "an object with", "a list"),
    ("type", "/samples/0", 7, "entry 0 of samples has the wrong type", "an object", "7", "object"),
    ("type", "/metrics/0/tolerance/bound", "0.1", "wrong type", "a number", '"0.1"', "quotation"),
    ("type", "/title", 5, "title has the wrong type", "a string", "5", "Write a string"),
    ("type", "/mdms_number", 12345, "wrong type", "a string or null", "12345", "a string or null"),
    ("integer", "/models/0/parameter_count", 1.5, "wrong type", "an integer", "1.5", "an integer"),
    (
        "enum",
        "/metrics/0/direction",
        "high",
        "not known",
        '"higher" or "lower"',
        '"high"',
        '"higher"?',
    ),
    ("enum", "/metrics/0/tolerance/type", "x", "not known", '"absolute"', '"x"', "Write"),
    ("const", "/schema_version", "2.0", "not known", '"1.0"', '"2.0"', '"1.0"'),
    (
        "pattern",
        "/id",
        "Tiny Net",
        "id is not in the right form",
        "lower-case",
        '"Tiny Net"',
        "lower",
    ),
    ("pattern", "/samples/0/files/0/sha256", "ab", "right form", "64 hexadecimal", '"ab"', "64"),
    ("pattern", "/title", "  ", "right form", "visible character", '"  "', "visible"),
    ("pattern", "/mdms_number", "12345", "right form", "'m' and its digits", '"12345"', "digits"),
    (
        "format",
        "/datasets/0/url",
        "digits",
        "url is not in the right form",
        "https",
        '"digits"',
        "https",
    ),
    (
        "format",
        "/samples/0/method/software/0/url",
        "javascript:alert(1)",
        "url is not in the right form",
        "names a host",
        '"javascript:alert(1)"',
        "https",
    ),
    ("pattern", "/title", "\u200b", "right form", "visible character", '"\u200b"', "visible"),
    ("minimum", "/samples/0/files/0/size", -1, "out of range", "at least 0", "-1", "at least 0"),
    ("minimum", "/datasets/0/items", 0, "out of range", "at least 1", "0", "at least 1"),
    ("maximum", "/metrics/0/tolerance/confidence", 1, "out of range", "most 0.99", "1", "at most"),
    ("maximum", "/metrics/0/tolerance/confidence", 0.9901, "range", "0.99", "0.9901", "at most"),
    ("bounds", "/metrics/0/tolerance/confidence", 0, "out of range", "more than 0", "0", "more"),
    (
        "length",
        "/samples/0/id",
        "a" * 65,
        "too long",
        "at most 64 characters",
        "65 char",
        "Shorten",
    ),
    ("length", "/samples/0/files/0/rel_filepath", "", "short", "1 character", "an empty", "Write"),
    (
        "empty",
        "/models/0/training_data",
        [],
        "too few entries",
        "at least 1 entry",
        "an empty list",
        "1 entry",
    ),
    (
        "many",
        "/samples/0/layers",
        [
            {"id": f"l{n}", "claims": {"size": 0, "cumulative_size": 0, "metric_values": []}}
            for n in range(101)
        ],
        "layers has too many",
        "at most 100 entries",
        "101 entries",
        "at most 100",
    ),
    (
        "empty",
        "/samples",
        [],
        "samples has too few",
        "at least 1 entry",
        "an empty list",
        "1 entry",
    ),
    (
        "empty",
        "/samples/0/metrics",
        [],
        "sample is not lossless",
        "not lossless",
        "an empty list",
        "1 entry",
    ),
    (
        "blank",
        "/title",
        "<fill in: a title>",
        "title is still to be filled in",
        "a title",
        "<fill",
        "Replace",
    ),
    (
        "blank",
        "/datasets/0/items",
        "<fill in>",
        "items is still to be filled in",
        "",
        "<fill",
        "Replace",
    ),
    (
        "blank",
        "/license",
        "<fill in: SPDX>",
        "license is still to be filled in",
        "SPDX",
        "<fill",
        "Replace",
    ),
    (
        "blank",
        "/samples",
        "<fill in: a list>",
        "samples is still to be filled in",
        "a list",
        "<fill",
        "Replace",
    ),
]


@pytest.mark.parametrize(
    ("pointer", "value", "message", "expected", "found", "fix"),
    [row[1:] for row in VALUES],
    ids=[f"{row[0]}{row[1].replace('/', '-')}-{number}" for number, row in enumerate(VALUES)],
)
def test_a_value_that_the_schema_refuses(folder, pointer, value, message, expected, found, fix):
    finding = only(load_changed(folder, lambda data: put(data, pointer, value)))
    assert finding.check == SCHEMA
    assert finding.where.pointer == pointer
    assert message in finding.message
    assert expected in finding.expected
    assert found in finding.found
    assert fix in finding.fix


def test_the_place_of_a_value_is_its_first_character(folder):
    finding = only(load_changed(folder, lambda data: put(data, "/title", 5)))
    lines = (folder / "submission.json").read_text().splitlines()
    assert lines[finding.where.line - 1][finding.where.column - 1 :].startswith("5")


@pytest.mark.parametrize(
    ("pointer", "wrong", "right"),
    [
        ("/license", "licence", "license"),
        ("/models", "modells", "models"),
        ("/use_cases", "useCases", "use_cases"),
        ("/metrics/0/id", "ids", "id"),
        ("/datasets/0/url", "urls", "url"),
        ("/samples/0/method/quantisation", "quantization", "quantisation"),
        ("/samples/0/files/0/sha256", "sha-256", "sha256"),
        ("/samples/0/files/0/rel_filepath", "rel_file_path", "rel_filepath"),
        ("/vectors/0/shards", "shard", "shards"),
    ],
)
def test_a_misspelt_key(folder, pointer, wrong, right):
    def change(data):
        above = pointer.rpartition("/")[0]
        owner = at(data, above)
        owner[wrong] = owner.pop(right)

    finding = only(load_changed(folder, change))
    assert finding.check == SCHEMA
    assert f'"{wrong}" is not a key of' in finding.message
    assert finding.message.endswith(f", but {right!r} is")
    assert finding.expected == f"the key {right!r}"
    assert f"Did you mean {right!r}?" in finding.fix
    lines = (folder / "submission.json").read_text().splitlines()
    assert lines[finding.where.line - 1][finding.where.column - 1 :].startswith(f'"{wrong}"')


def test_a_key_that_is_near_nothing(folder):
    finding = only(load_changed(folder, lambda data: put(data, "/samples/0/qqq", 1)))
    assert '"qqq" is not a key of sample "int8"' in finding.message
    assert "Remove it" in finding.fix
    assert "x_" in finding.fix


def test_two_unknown_keys_are_two_findings(folder):
    loaded = load_changed(folder, lambda data: data.update(qqq=1, zzz=2))
    assert [each.where.pointer for each in loaded.problems] == ["/qqq", "/zzz"]


def test_a_document_that_is_no_object(folder):
    builder.write_metadata(folder, [])
    finding = only(load(folder))
    assert finding.subject == "tiny-folder"
    assert "the document has the wrong type" in finding.message


def test_a_key_that_is_there_twice(folder):
    text = json.dumps(builder.valid(), indent=2)
    builder.write_metadata(folder, text.replace('"id": "tiny",', '"id": "tiny",\n  "id": 5,'))
    finding = only(load(folder))
    assert finding.check == SCHEMA
    assert 'the key "id" is there twice' in finding.message
    assert finding.where.pointer == "/id"
    assert finding.where.line == 4


def test_a_section_that_is_there_twice_has_no_consequences(folder):
    text = json.dumps(builder.valid())[:-1] + ', "models": []}'
    builder.write_metadata(folder, text)
    loaded = load(folder)
    assert '"models" is there twice' in only(loaded).message
    assert loaded.submission is None


@pytest.mark.parametrize(
    "section", ["use_cases", "models", "datasets", "metrics", "vectors", "samples"]
)
def test_a_duplicate_id(folder, section):
    def change(data):
        data[section].append(copy.deepcopy(data[section][0]))

    finding = only(load_changed(folder, change))
    assert finding.check == ID
    assert f"{section} has 2 entries with the id" in finding.message
    last = len(builder.VALID[section])
    assert finding.where.pointer == f"/{section}/{last}/id"
    assert f"/{section}/0/id" in finding.found


REFERENCES = [
    ("/models/0/use_cases/0", "use_cases"),
    ("/models/0/training_data/0", "datasets"),
    ("/models/0/test_data/0", "datasets"),
    ("/models/0/metric_values/0/metric", "metrics"),
    ("/models/0/metric_values/0/vectors", "vectors"),
    ("/vectors/0/model", "models"),
    ("/vectors/0/dataset", "datasets"),
    ("/samples/0/model", "models"),
    ("/samples/0/metrics/0/metric", "metrics"),
    ("/samples/0/metrics/0/vectors", "vectors"),
    ("/samples/1/claims/metric_values/0/metric", "metrics"),
    ("/samples/1/claims/metric_values/0/vectors", "vectors"),
]


REFERENCES_OF_CHAINS = [
    ("/samples/2/update_of/sample", "samples"),
    ("/samples/2/update_of/contexts_of", "samples"),
    ("/samples/5/merge_of/0/sample", "samples"),
    ("/samples/5/merge_of/1/sample", "samples"),
    ("/samples/5/same_tensors_as", "samples"),
    ("/samples/6/layers/0/claims/metric_values/0/metric", "metrics"),
    ("/samples/6/layers/1/claims/metric_values/0/vectors", "vectors"),
]


def chains_and_layers(data):
    update(data, "a", contexts_of="int8")
    update(data, "b")
    update(data, "c")
    merge(data, "merged", "b", "c", same_tensors_as="int8")
    layered(data)


def test_chains_and_layers_refer_to_what_is_there(folder):
    assert load_changed(folder, chains_and_layers).problems == ()


@pytest.mark.parametrize(("pointer", "section"), [*REFERENCES, *REFERENCES_OF_CHAINS])
def test_a_dangling_reference(folder, pointer, section):
    def change(data):
        if (pointer, section) in REFERENCES_OF_CHAINS:
            chains_and_layers(data)
        put(data, pointer, "nothing-such")

    finding = only(load_changed(folder, change))
    assert finding.check == REFERENCE
    assert finding.where.pointer == pointer
    assert f'{section} has no entry with the id "nothing-such"' in finding.message
    assert f"ids of {section}: " in finding.expected
    assert section in finding.fix


def test_a_reference_that_is_misspelt_is_offered_the_nearest_id(folder):
    finding = only(load_changed(folder, lambda data: put(data, "/vectors/0/dataset", "testdata")))
    assert finding.fix == 'Did you mean "test-data"?'


@pytest.mark.parametrize(
    ("section", "places"),
    [("use_cases", 1), ("models", 3), ("datasets", 1), ("metrics", 4), ("vectors", 4)],
)
def test_an_id_that_is_misspelt_is_reported_once_with_all_places(folder, section, places):
    finding = only(load_changed(folder, lambda data: put(data, f"/{section}/0/id", "other")))
    assert finding.check == REFERENCE
    assert finding.evidence.get("places", 1) == places
    assert "other" in finding.expected


@pytest.mark.parametrize("section", ["use_cases", "models", "datasets", "metrics", "vectors"])
@pytest.mark.parametrize("id", [None, "Bad Id", 5])
def test_an_invalid_id_is_reported_without_its_references(folder, section, id):
    finding = only(load_changed(folder, lambda data: put(data, f"/{section}/0/id", id)))
    assert finding.check == SCHEMA


def test_vectors_of_another_model(folder):
    def change(data):
        builder.second_model(data)
        data["samples"][0]["metrics"][0]["vectors"] = "test2"

    finding = only(load_changed(folder, change))
    assert finding.check == REFERENCE
    assert finding.where.pointer == "/samples/0/metrics/0/vectors"
    assert 'the vectors "test2" are not for the model "net"' in finding.message
    assert 'whose model is "net2"' in finding.found


def test_vectors_do_not_equal_those_of_the_same_model(folder):
    def change(data):
        data["vectors"][0]["equivalent_to"] = {"vectors": data["vectors"][0]["id"]}

    finding = only(load_changed(folder, change))
    assert finding.check == REFERENCE
    assert "are for the same model" in finding.message
    assert finding.where.pointer == "/vectors/0/equivalent_to/vectors"
    assert "another model" in finding.expected
    assert 'whose model is "net" as well' in finding.found
    assert "remove equivalent_to" in finding.fix


def test_vectors_that_name_the_wrong_model_are_one_problem(folder):
    def change(data):
        builder.second_model(data)
        data["vectors"][1]["model"] = "net"

    assert 'model is "net"' in only(load_changed(folder, change)).found


def test_a_sample_that_names_the_wrong_model_is_one_problem(folder):
    def change(data):
        builder.second_model(data)
        data["samples"][0]["model"] = "net2"

    finding = only(load_changed(folder, change))
    assert finding.evidence["places"] == 2


def test_two_models_with_their_own_vectors_are_fine(folder):
    assert load_changed(folder, builder.second_model).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "CC-BY-4.0 AND (MIT OR Apache-2.0)",
        "LicenseRef-mine",
        "MIT AND LicenseRef-x.1",
        "GPL-2.0-only WITH Classpath-exception-2.0",
    ],
)
def test_spdx_expressions(folder, text):
    assert load_changed(folder, lambda data: put(data, "/license", text)).problems == ()


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("CC-BY4.0", 'SPDX does not list: "CC-BY4.0"', "Did you mean CC-BY-4.0?"),
        ("my own terms", 'does not list: "my own terms"', "LicenseRef-NAME"),
        ("MIT OR", "is not an SPDX expression", "Join"),
        ("(MIT", "is not an SPDX expression", "Join"),
        ("MIT/Apache-2.0", "is not an SPDX expression", "Join"),
        ("MIT WITH MIT", "is not an SPDX expression", "Join"),
        ("LicenseRef-a b", "does not list", "LicenseRef-NAME"),
        ("((((€", "is not an SPDX expression", "Join"),
    ],
)
@pytest.mark.parametrize("pointer", ["/license", "/datasets/1/license"])
def test_licences_that_are_not_spdx(folder, pointer, text, message, fix):
    finding = only(load_changed(folder, lambda data: put(data, pointer, text)))
    assert finding.check == LICENSE
    assert finding.where.pointer == pointer
    assert message in finding.message
    assert fix in finding.fix
    assert finding.found == json.dumps(text, ensure_ascii=False)


def test_deeply_nested_licences_are_judged(folder):
    loaded = load_changed(folder, lambda data: put(data, "/license", "(" * 490 + ")" * 490))
    assert only(loaded).check == LICENSE


def test_independent_problems_are_all_reported_in_the_order_of_the_text(folder):
    def change(data):
        data["license"] = "nonsense licence"
        data["models"][0]["parameter_count"] = "many"
        data["vectors"][0]["dataset"] = "nothing"
        data["samples"][1]["id"] = "int8"
        data["samples"][1]["files"][0]["size"] = 1

    loaded = load_changed(folder, change)
    assert [each.check for each in loaded.problems] == [
        LICENSE,
        SCHEMA,
        REFERENCE,
        ID,
        "SUBMISSION-FILE-002",
    ]
    lines = [each.where.line for each in loaded.problems]
    assert lines == sorted(lines)


def test_the_number_of_problems_is_bounded(folder):
    def change(data):
        data.update({f"key{number}": 1 for number in range(5000)})

    assert len(load_changed(folder, change).problems) == 1000
    assert len(load(folder, limits=Limits(problems=10)).problems) == 10


# --- The same inputs in two shards


def shards(data, *inputs, targets="vectors/targets.npz"):
    """List a shard for each group of inputs, given by their contents."""
    listed = [
        {
            **data["vectors"][0]["shards"][0],
            "inputs": [builder.entry(name, content) for name, content in group],
            "targets": [builder.entry(targets)],
        }
        for group in inputs
    ]
    data["vectors"][0]["shards"] = listed


ONE, OTHER = ("a.npz", b"one"), ("b.npz", b"other")
SHARED = ("rate.npz", b"16000")


@pytest.mark.parametrize(
    ("groups", "repeated"),
    [
        ([[ONE]] * 6, [1, 2, 3, 4, 5]),
        ([[ONE], [("copy.npz", b"one")]], [1]),
        ([[ONE], [OTHER], [OTHER], [ONE]], [2, 3]),
        ([[ONE, SHARED], [SHARED, ONE]], [1]),
        ([[ONE, SHARED], [OTHER, SHARED]], []),
        ([[ONE], [OTHER]], []),
    ],
    ids=["one-file", "equal-files", "two-contents", "other-order", "shared-input", "different"],
)
def test_the_same_inputs_in_two_shards_are_found_once_for_a_vector_set(folder, groups, repeated):
    loaded = load_changed(folder, lambda data: shards(data, *groups))
    found = [each for each in loaded.problems if each.check == "SUBMISSION-VECTORS-001"]
    assert len(found) == bool(repeated)
    if repeated:
        finding = found[0]
        assert finding.where.pointer == f"/vectors/0/shards/{repeated[0]}/inputs"
        assert finding.evidence.get("also_at", []) == [
            f"/vectors/0/shards/{number}/inputs" for number in repeated[1:]
        ]
        assert f"{len(repeated)} of the shards" in finding.found
    assert loaded.submission is not None


def test_shards_without_digests_are_the_business_of_the_schema(folder):
    def change(data):
        shards(data, [ONE], [ONE])
        for shard in data["vectors"][0]["shards"]:
            shard["inputs"][0]["sha256"] = 5

    found = {each.check for each in load_changed(folder, change).problems}
    assert "SUBMISSION-VECTORS-001" not in found
    assert SCHEMA in found
