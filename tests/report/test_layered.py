from __future__ import annotations

from conformance.judging.grouped import Grouped
from conformance.report.layered import layered_block
from tests.judging.found import about, layer, row, sample, submission

LAYERS = (layer("base", 1000, "whole"), layer("fine", 300), layer("finer", 200, "replace"))
SCALABLE = sample("s", 1500, layers=LAYERS)
VALUE = {"metric": "top1", "vectors": "test", "direction": "higher", "reference": 0.9}


def layers(each=SCALABLE, *found) -> list[dict]:
    (block,) = layered_block(submission(sample("other"), each), Grouped(found))
    assert (block["sample"], block["model"]) == ("s", "m")
    return block["layers"]


def test_layers_of_files_have_the_sizes_of_their_files() -> None:
    assert [(x["id"], x["mode"], x["size"], x["cumulative_size"]) for x in layers()] == [
        ("base", "whole", 1000, 1000),
        ("fine", "add", 300, 1300),
        ("finer", "replace", 200, 1500),
    ]


def test_layers_of_units_have_the_sizes_that_were_measured() -> None:
    units = sample("s", 1500, layers=tuple(layer(n, 1500, units=True) for n in ("base", "fine")))
    unknown = [(x["size"], x["cumulative_size"]) for x in layers(units)]
    assert unknown == [(None, None), (None, None)]
    found = [
        about("LAYER-SIZE-001", units, {"layer": "base", "size": 900, "cumulative_size": 900}),
        about(
            "LAYER-SIZE-001",
            units,
            {"layer": "fine", "size": 600, "cumulative_size": 1500},
            "fail",
        ),
    ]
    known = [(x["size"], x["cumulative_size"]) for x in layers(units, *found)]
    assert known == [(900, 900), (600, 1500)]


def test_each_layer_has_its_own_values() -> None:
    found = [
        about("LAYER-METRIC-001", SCALABLE, {**row(0.7), "layer": "base"}),
        about("LAYER-METRIC-001", SCALABLE, {**row(0.8), "layer": "fine"}, "fail"),
        about("LAYER-METRIC-001", SCALABLE, {"layer": "finer"}, "error"),
    ]
    values = [x["metrics"] for x in layers(SCALABLE, *found)]
    assert values == [[{**VALUE, "value": 0.7}], [{**VALUE, "value": 0.8}], []]


def test_what_the_sample_is_judged_by_holds_for_its_last_layer() -> None:
    values = [x["metrics"] for x in layers(SCALABLE, about("METRIC-DELTA-001", SCALABLE, row(0.9)))]
    assert values == [[], [], [{**VALUE, "value": 0.9}]]


def test_samples_without_layers_are_not_listed() -> None:
    assert layered_block(submission(sample("a")), Grouped([])) == []
