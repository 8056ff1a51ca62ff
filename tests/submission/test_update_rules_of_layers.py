"""Layers that cannot be told apart or are not the whole sample."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.submission.claims import CHECK as CLAIM
from conformance.submission.update_rules import CHECK, find_update_problems
from tests.submission import builder
from tests.submission.chains import layer, layered, of_units
from tests.submission.test_loading import load_changed, only

AT = "/samples/2"


def changed(change):
    return lambda data: change(layered(data))


def units(*ranges):
    return lambda data: of_units(data, *ranges) and None


def test_layers_of_files_are_fine(folder):
    assert load_changed(folder, lambda data: layered(data) and None).problems == ()


def test_layers_of_units_are_fine(folder):
    assert load_changed(folder, units((0, 4), (5, 5), (6, 9))).problems == ()


def test_units_of_a_layer_need_not_be_side_by_side(folder):
    def change(data):
        made = of_units(data, (0, 2), (4, 4))
        made["layers"][0]["units"].append({"first": 5, "last": 9})

    assert load_changed(folder, change).problems == ()


def _same_id(made):
    made["layers"][1]["id"] = "base"


def _mode_of_the_first(made):
    made["layers"][0]["mode"] = "replace"


def _no_mode(made):
    del made["layers"][1]["mode"]


def _no_content(made):
    del made["layers"][1]["files"]
    made["files"].pop()
    made["claims"]["compressed_size"] = made["files"][0]["size"]


def _unknown_file(made):
    made["layers"][1]["files"].append("samples/else.xz")


def _file_twice(made):
    made["layers"][1]["files"].append("samples/int8.npz")


def _file_twice_in_one(made):
    made["layers"][1]["files"] *= 2


def _file_in_no_layer(made):
    made["files"].append(builder.entry("README.txt"))


def _no_value(made):
    made["layers"][1]["claims"]["metric_values"] = []


def _other_value(made):
    (value,) = made["layers"][1]["claims"]["metric_values"]
    value["metric"] = "mse"


def _another_metric(data):
    metric = {**data["metrics"][0], "id": "mse"}
    data["metrics"].append(metric)
    _other_value(layered(data))


def _mixed(data):
    made = of_units(data, (0, 4), (5, 9))
    made["layers"].append(layer("l2", files=["samples/int8.npz"]))


def _other_codec(data):
    of_units(data, (0, 4), (5, 9))["codec"]["id"] = "tensors"


def _two_files(data):
    of_units(data, (0, 4), (5, 9))["files"].append(builder.entry("samples/exact.xz"))


DEFECTS = {
    "same-id": (
        changed(_same_id),
        f"{AT}/layers/1/id",
        'two layers have the id "base"',
        "an id that no other layer",
        '"base"',
        "another id",
    ),
    "mode-of-the-first": (
        changed(_mode_of_the_first),
        f"{AT}/layers/0/mode",
        "the first layer has a mode",
        "a network by itself",
        '"replace"',
        "Remove the key",
    ),
    "no-mode": (
        changed(_no_mode),
        f"{AT}/layers/1",
        "lacks the key 'mode'",
        "'add' or 'replace'",
        '"id", "claims", "files"',
        "replace them",
    ),
    "no-content": (
        changed(_no_content),
        f"{AT}/layers/1",
        "consists of files or of units",
        "one of the keys files and units",
        '"id", "claims", "mode"',
        "Name the files",
    ),
    "unknown-file": (
        changed(_unknown_file),
        f"{AT}/layers/1/files/1",
        '"samples/else.xz" is not a file of the sample',
        '"samples/int8.npz", "samples/exact.xz"',
        '"samples/else.xz"',
        "list the file",
    ),
    "file-in-two-layers": (
        changed(_file_twice),
        f"{AT}/layers/1/files/1",
        '"samples/int8.npz" belongs to two layers',
        "each in one layer",
        '"samples/int8.npz"',
        "Correct the name",
    ),
    "file-twice-in-a-layer": (
        changed(_file_twice_in_one),
        f"{AT}/layers/1/files/1",
        '"samples/exact.xz" belongs to two layers',
        "each in one layer",
        '"samples/exact.xz"',
        "Correct the name",
    ),
    "file-in-no-layer": (
        changed(_file_in_no_layer),
        f"{AT}/layers",
        '"README.txt" belongs to no layer',
        "every file of the sample",
        "layers without it",
        "Add it to a layer",
    ),
    "no-value": (
        changed(_no_value),
        f"{AT}/layers/1/claims/metric_values",
        'no value of "top1" on "test" is claimed for the layer',
        "each metric that the sample is judged by",
        "none",
        "nnr-conformance measure",
    ),
    "value-of-another-metric": (
        _another_metric,
        f"{AT}/layers/1/claims/metric_values",
        'no value of "top1" on "test" is claimed for the layer',
        "each metric that the sample is judged by",
        '"mse on test"',
        "nnr-conformance measure",
    ),
    "files-and-units": (
        _mixed,
        f"{AT}/layers/2/files",
        "some layers consist of files and some of units",
        "units in every layer",
        "files",
        "or files in each",
    ),
    "units-of-another-codec": (
        _other_codec,
        f"{AT}/layers",
        "need one bitstream of NNR units",
        "a codec of bitstreams, such as nnc, and one file",
        'codec "tensors" and 1 files',
        "files of each layer",
    ),
    "units-of-two-files": (
        _two_files,
        f"{AT}/layers",
        "need one bitstream of NNR units",
        "a codec of bitstreams, such as nnc, and one file",
        'codec "nnc" and 2 files',
        "files of each layer",
    ),
    "range-that-ends-before-it-begins": (
        units((0, 4), (9, 5)),
        f"{AT}/layers/1/units/0",
        "ends before it begins",
        "last: 9 or more",
        "5",
        "Exchange the two",
    ),
    "ranges-that-overlap": (
        units((0, 4), (4, 9)),
        f"{AT}/layers/1/units/0",
        "unit 4 belongs to two layers",
        "each unit in one layer",
        "units 4 to 9, next to 0 to 4",
        "nnr-conformance nnc inspect",
    ),
    "range-within-another": (
        units((0, 9), (4, 5)),
        f"{AT}/layers/1/units/0",
        "unit 4 belongs to two layers",
        "each unit in one layer",
        "units 4 to 5, next to 0 to 9",
        "Correct the ranges",
    ),
    "ranges-written-with-a-point": (
        units((0.0, 4.0), (4.0, 9.0)),
        f"{AT}/layers/1/units/0",
        "unit 4 belongs to two layers",
        "each unit in one layer",
        "units 4 to 9, next to 0 to 4",
        "Correct the ranges",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_one_finding_at_its_place(folder, name):
    change, pointer, message, expected, found, fix = DEFECTS[name]
    finding = only(load_changed(folder, change))
    assert finding.check == (CLAIM if "value" in name else CHECK)
    assert finding.where.pointer == pointer
    assert message in finding.message
    assert expected in finding.expected
    assert found in finding.found
    assert fix in finding.fix


def test_files_and_units_in_one_layer_are_told(folder):
    def change(data):
        of_units(data, (0, 4), (5, 9))["layers"][1]["files"] = ["samples/int8.npz"]

    found = load_changed(folder, change).problems
    assert "a layer consists of files or of units" in {each.message for each in found}
    assert {each.check for each in found} == {CHECK}


def test_one_layer_alone_breaks_the_schema(folder):
    def change(data):
        made = layered(data)
        del made["layers"][1], made["files"][1]

    (finding,) = load_changed(folder, change).problems
    assert finding.check == "SUBMISSION-SCHEMA-001"
    assert finding.where.pointer == f"{AT}/layers"


RANGES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 6)).map(lambda r: (r[0], r[0] + r[1])),
    min_size=2,
    max_size=5,
)


@given(RANGES)
def test_ranges_are_refused_where_they_share_a_unit_and_nowhere_else(ranges):
    data = builder.valid()
    of_units(data, *ranges)
    listed = [unit for first, last in ranges for unit in range(first, last + 1)]
    assert bool(list(find_update_problems(data))) == (len(listed) != len(set(listed)))


def test_more_layers_than_there_may_be_are_told(folder):
    finding = only(load_changed(folder, units(*((place, place) for place in range(101)))))
    assert finding.check == "SUBMISSION-SCHEMA-001"
    assert finding.message == "layers has too many entries"
    assert (finding.expected, finding.found) == ("at most 100 entries", "101 entries")
    assert finding.fix == "Give at most 100 entries."
    assert finding.where.pointer == f"{AT}/layers"
