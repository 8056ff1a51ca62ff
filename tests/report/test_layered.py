from __future__ import annotations

from conformance.plan.results import StateResult
from conformance.report.layered import layered_block
from conformance.report.measurements import Measurements
from tests.judging.found import Known, layer, sample, submission, values
from tests.results import made

LAYERS = (layer("base", 1000, "whole"), layer("fine", 300), layer("finer", 200, "replace"))
SCALABLE = sample("s", 1500, layers=LAYERS)
VALUE = {"metric": "top1", "vectors": "test", "direction": "higher", "reference": 0.9}


def layers(each=SCALABLE, **known) -> list[dict]:
    of = submission(sample("other"), each)
    (block,) = layered_block(of, Measurements(of, Known(known)))
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
    states = {
        f"state s#{place}": made(StateResult, {"size": size})
        for place, size in enumerate((900, 600))
    }
    known = [(x["size"], x["cumulative_size"]) for x in layers(units, **states)]
    assert known == [(900, 900), (600, 1500)]


def test_each_layer_has_its_own_values() -> None:
    known = [values(SCALABLE, value, part=n) for n, value in enumerate((0.7, 0.8, None))]
    found = [x["metrics"] for x in layers(SCALABLE, **(known[0] | known[1] | known[2]))]
    assert found == [[{**VALUE, "value": 0.7}], [{**VALUE, "value": 0.8}], []]


def test_what_the_sample_is_judged_by_holds_for_its_last_layer() -> None:
    found = [x["metrics"] for x in layers(SCALABLE, **values(SCALABLE, 0.9))]
    assert found == [[], [], [{**VALUE, "value": 0.9}]]


def test_samples_without_layers_are_not_listed() -> None:
    of = submission(sample("a"))
    assert layered_block(of, Measurements(of, Known({}))) == []
