"""The bare script: its values are those that the suites measure."""

import json

import floor
import numpy as np
import pytest
from bench_suites import CLOSE, DEFAULT, reported, require_equal, value_rows

CLAIMS = {
    sample["id"]: {
        f"{v['metric']}@{v['vectors']}": v for v in sample["claims"].get("metric_values", [])
    }
    for sample in json.loads((DEFAULT / "submission.json").read_text("utf-8"))["samples"]
}


@pytest.fixture(scope="module")
def values():
    return floor.values_of(DEFAULT)


@pytest.mark.parametrize("sample", sorted(name for name, claims in CLAIMS.items() if claims))
def test_the_floor_computes_the_claimed_values(values, sample):
    assert values[sample].keys() == CLAIMS[sample].keys()
    for use, claim in CLAIMS[sample].items():
        assert values[sample][use] == pytest.approx(claim["value"], abs=claim["tolerance"])


def test_the_floor_sees_that_a_lossless_sample_is_one(values):
    assert values["lossless-xz"] == {"lossless": True}


def test_the_floor_measures_every_control(values):
    controls = [name for name in values if name.startswith("digits-cnn ")]
    assert controls == ["digits-cnn zeros", *(f"digits-cnn shuffled {n}" for n in (1, 2, 3))]
    for name in controls:
        assert values[name].keys() == values["digits-cnn"].keys()
        assert values[name]["logits-mse@test"] > 10


def test_the_original_equals_itself(values):
    assert values["digits-cnn"]["logits-mse@test"] == 0
    assert values["digits-cnn"]["logits-cosine@test"] == pytest.approx(1)


def test_the_lower_class_wins_where_scores_are_equal():
    scores = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    assert floor.top_k(scores, np.array([0, 2])) == 0.5
    assert floor.top_k(scores, np.array([1, 2]), k=2) == 1.0


def test_errors_are_means_over_all_values():
    assert floor.mse(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])) == 2.0
    assert floor.cosine(np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])) == pytest.approx(0.5**0.5)


def test_a_report_gives_the_values_by_network_and_use(tmp_path):
    folder = tmp_path / "reports" / "one"
    folder.mkdir(parents=True)
    row = {"metric": "top1", "vectors": "test"}
    report = {
        "models": [{"id": "net", "metrics": [{**row, "measured": 0.5}]}],
        "samples": [{"id": "half", "metrics": [{**row, "value": 0.25}]}],
    }
    (folder / "report.json").write_text(json.dumps(report))
    assert reported(tmp_path) == {"net": {"top1@test": 0.5}, "half": {"top1@test": 0.25}}


@pytest.mark.parametrize("own", [0.5 + 2 * CLOSE, float("nan")], ids=["apart", "nan"])
def test_a_floor_that_computes_something_else_is_refused(own):
    with pytest.raises(RuntimeError, match=r"net, top1@test: report.json has 0.5, floor.py"):
        require_equal({"net": {"top1@test": own}}, {"net": {"top1@test": 0.5}})


def test_a_floor_that_leaves_a_value_out_is_refused():
    with pytest.raises(RuntimeError, match=r"floor\.py None"):
        require_equal({}, {"net": {"top1@test": 0.5}})


def test_values_that_are_equal_pass():
    require_equal({"net": {"top1@test": 0.5 + CLOSE / 2}}, {"net": {"top1@test": 0.5}})


def test_values_are_shown_in_words():
    assert list(value_rows({"net": {"a@t": 0.5, "b@t": 2.0}})) == [("net", "a@t 0.5, b@t 2")]
