"""What is claimed, by the evidence that there is of a submission."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import inquiry
from conformance.cli.measure import true_claims
from conformance.evidence.evidence import Evidence
from conformance.plan.jobs import Job
from conformance.submission import Loaded, load
from conformance.verdicts import ConformanceError, EvaluationError, Location, NotRunError
from tests import tiny_submission
from tests.results import result_of
from tests.tiny_chain import TinyChain, difference

FACTS = {"sha256": "a" * 64, "non_finite": 0}
FOUND: dict[str, dict[str, Any]] = {
    "original": {"metrics": {"top1": {"value": 0.9}, "distance": {"value": 0.0}}},
    "reconstruction": {"metrics": {"top1": {"value": 0.8}, "distance": {"value": 0.5}}},
    "decode": {"coverage": [], "features": ["float16"], "tensors": {"w": FACTS}},
    "state": {"coverage": [], "tensors": {"w": FACTS}, "size": 100},
}
"""By the kind of a job, what it gives where a test does not say otherwise."""

Claims = Callable[..., dict[str, Any]]


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> Claims:
    """What is claimed in a folder of a sample or model, with evidence by the kind of a job."""

    def claims_of(folder: Path, name: str = "half", **found: Any) -> dict[str, Any]:
        class Executor:
            def __init__(self, loaded: Loaded, *_: object) -> None:
                self.loaded = loaded

            def evidence(self, job: Job) -> Evidence:
                result = found.get(job.kind, FOUND[job.kind])
                if callable(result):
                    result = result(job)
                if isinstance(result, Exception):
                    return Evidence("", "", folder, None, result)  # type: ignore[arg-type]
                return Evidence("", "", folder, result_of(job.kind, result))

            def close(self) -> None:
                pass

        monkeypatch.setattr(inquiry, "Executor", Executor)
        text = true_claims(folder, name)
        made: dict[str, Any] = json.loads(text)
        assert text == json.dumps(made, indent=2)
        return made

    return claims_of


def value(metric: str, number: float, tolerance: float = 1e-6, vectors: str = "test") -> dict:
    return {"metric": metric, "vectors": vectors, "value": number, "tolerance": tolerance}


def decoded(**tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {**FOUND["decode"], "tensors": tensors}


def missing(*names: str) -> list[dict[str, Any]]:
    return [
        {
            "tensor": name,
            "file": "half.safetensors",
            "message": f"no {name}",
            "expected": "w",
            "found": "none",
            "fix": f"add {name}",
        }
        for name in names
    ]


def test_a_sample_claims_its_sizes_values_and_digests(tiny: Path, claims: Claims) -> None:
    model, size = ((tiny / n).stat().st_size for n in ("model.onnx", "half.safetensors"))
    other = {"metrics": {"top1": {"value": 0.1}, "distance": {"value": 0.2}}}
    found = claims(
        tiny, reconstruction=lambda c: FOUND["reconstruction"] if c.sample == "half" else other
    )
    assert found == {
        "features": ["float16"],
        "claims": {
            "compressed_size": size,
            "compression_factor": round(model / size, 4),
            "compressed_percent": round(size / model * 100, 4),
            "metric_values": [value("top1", 0.8), value("distance", 0.5)],
            "tensor_digests": {"w": "a" * 64},
        },
    }


def test_tensors_that_a_sample_need_not_hold_have_no_digest(tiny: Path, claims: Claims) -> None:
    tensors = {
        "w": FACTS,
        "scale": {**FACTS, "optional": True},
        "one": {**FACTS, "optional": True, "scalar": True},
        "zero": {**FACTS, "scalar": True},
    }
    digests = claims(tiny, decode=decoded(**tensors))["claims"]["tensor_digests"]
    assert list(digests) == ["w", "one", "zero"]


def test_an_original_claims_every_value_on_every_vector_set(tiny: Path, claims: Claims) -> None:
    metadata = tiny_submission.write(tiny)
    metadata["vectors"].append({**metadata["vectors"][0], "id": "night"})
    metadata["models"].append({**metadata["models"][0], "id": "other"})
    metadata["vectors"].append({**metadata["vectors"][0], "id": "elsewhere", "model": "other"})
    metadata["models"][1]["metric_values"] = [
        {"metric": "top1", "vectors": "elsewhere", "value": 0}
    ]
    tiny_submission.save(tiny, metadata)
    assert claims(tiny, "linear") == {
        "metric_values": [
            value(metric, number, vectors=vectors)
            for vectors in ("test", "night")
            for metric, number in (("top1", 0.9), ("distance", 0.0))
        ]
    }


def test_of_a_sample_and_a_model_with_one_id_the_sample_is_meant(
    tiny: Path, claims: Claims
) -> None:
    metadata = tiny_submission.write(tiny)
    metadata["samples"][0]["id"] = "linear"
    tiny_submission.save(tiny, metadata)
    assert "claims" in claims(tiny, "linear")


@pytest.mark.parametrize(
    ("own", "reference", "number", "tolerance"),
    [
        ({"bound": 1e-5}, 0.9, 0.8, 0.05 * 1e-5),
        ({"bound": 1e-5, "type": "relative"}, 0.5, 0.25, 0.05 * 1e-5 * 0.5),
        ({"bound": 1e-6, "type": "relative"}, -4.0, -3.0, 0.05 * 1e-6 * 4),
        ({"bound": 0.05}, 0.9, 0.8, 1e-6),
        ({"bound": 0.0}, 0.9, 0.8, 1e-6),
        ({"bound": 0.0}, 0.9, 1e-9, 1e-6),
    ],
    ids=["absolute", "relative", "relative-to-a-negative", "wide", "none", "none-of-little"],
)
def test_tolerances_that_are_printed_are_accepted(
    tiny: Path, claims: Claims, own: dict, reference: float, number: float, tolerance: float
) -> None:
    """The tightest in use counts, in the unit of the metric, whosever value is claimed."""
    metadata = tiny_submission.write(tiny)
    uses = [use for sample in metadata["samples"] for use in sample["metrics"]]
    top1 = [use for use in uses if use["metric"] == "top1"]
    top1[0]["tolerance"] = {"type": "absolute", "inclusive": True, **own}
    if own["bound"] == 0:
        top1[1]["tolerance"] = top1[0]["tolerance"]
    tiny_submission.save(tiny, metadata)
    original = {"metrics": {"top1": {"value": reference}, "distance": {"value": 0.0}}}
    sample = {"metrics": {"top1": {"value": number}, "distance": {"value": 0.5}}}
    for name, measured in (("half", number), ("linear", reference)):
        printed = claims(tiny, name, original=original, reconstruction=sample)
        values = printed.get("claims", printed)["metric_values"]
        assert values == [
            value("top1", measured, pytest.approx(tolerance)),  # type: ignore[arg-type]
            value("distance", 0.5 if name == "half" else 0.0),
        ]
        owner = metadata["samples" if name == "half" else "models"][0]
        owner.get("claims", owner)["metric_values"] = values
    for each in metadata["samples"][1:]:
        each["claims"]["metric_values"] = owner["metric_values"]
    tiny_submission.save(tiny, metadata)
    assert load(tiny).problems == ()


def test_a_tolerance_of_no_loss_hides_no_other(tiny: Path, claims: Claims) -> None:
    metadata = tiny_submission.write(tiny)
    for sample, bound in zip(metadata["samples"], (0.0, 1e-5), strict=False):
        sample["metrics"][0]["tolerance"] = {"type": "absolute", "bound": bound, "inclusive": True}
    tiny_submission.save(tiny, metadata)
    values = claims(tiny)["claims"]["metric_values"]
    assert values[0]["tolerance"] == pytest.approx(0.05 * 1e-5)


def test_the_first_tensor_that_is_not_finite_is_named(tiny: Path, claims: Claims) -> None:
    bad = {**FACTS, "non_finite": 2}
    with pytest.raises(ConformanceError) as caught:
        claims(tiny, decode=decoded(c=bad, b={**FACTS, "non_finite": 1}, a=FACTS))
    error = caught.value
    assert "'half' cannot be measured: tensor 'b' holds values that are not" in error.message
    assert error.where is not None
    assert (error.where.file, error.where.element) == ("half.safetensors", "b")
    assert error.found == "1 values that are NaN or infinite"
    assert "scale in the encoder" in error.fix


@pytest.mark.parametrize(
    ("names", "rest"),
    [("w", ""), ("wv", "; `nnr-conformance run` lists this and 1 more")],
    ids=["one", "two"],
)
def test_a_sample_that_lacks_parameters_names_the_first(
    tiny: Path, claims: Claims, names: str, rest: str
) -> None:
    with pytest.raises(ConformanceError) as caught:
        claims(tiny, decode={**FOUND["decode"], "coverage": missing(*names)})
    # What is wrong with two in the same way is one cause: these say different things.
    assert caught.value.message == "sample 'half' is not the whole network: no w"
    assert caught.value.where is not None
    assert caught.value.where.element == "w"
    assert caught.value.fix == f"add w{rest}"


@pytest.mark.parametrize("name", ["half", "linear"])
def test_a_metric_without_a_value_says_why(tiny: Path, claims: Claims, name: str) -> None:
    broken = {"metrics": {**FOUND["original"]["metrics"]}}
    broken["metrics"]["distance"] = {"error": EvaluationError("it broke").to_json()}
    kind = "reconstruction" if name == "half" else "original"
    with pytest.raises(EvaluationError, match="it broke") as caught:
        claims(tiny, name, **{kind: broken})
    assert caught.value.where is not None
    assert caught.value.where.element == "metric 'distance'"


def test_a_metric_without_a_value_keeps_the_place_of_its_error(tiny: Path, claims: Claims) -> None:
    error = EvaluationError("it broke", where=Location("targets.npz"))
    broken = {"metrics": {"top1": {"error": error.to_json()}}}
    with pytest.raises(EvaluationError) as caught:
        claims(tiny, original=broken)
    assert caught.value.where == Location("targets.npz")


def test_the_original_is_to_blame_before_the_sample(tiny: Path, claims: Claims) -> None:
    with pytest.raises(EvaluationError, match="no input"):
        claims(tiny, original=EvaluationError("no input"), reconstruction=NotRunError("not run"))


# --- Chains and layers


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A folder with an update ``a``, a merge ``m`` of that and another, and ``layers``."""
    made = TinyChain(tmp_path / "tiny")
    made.whole()
    made.update("a", "base", difference(1), difference(2))
    made.update("b")
    made.merge("m", a=1.0, b=1.0)
    made.layered("others", made.original, {})
    made.layered("layers", made.original, {"fc.bias": made.original["fc.bias"]})
    return made.save()


@pytest.mark.parametrize(("name", "files"), [("a", ["a-0", "a-1"]), ("m", [])])
def test_a_derived_sample_claims_what_leads_to_it_and_no_ratio(
    chain: Path, claims: Claims, name: str, files: list[str]
) -> None:
    needed = ["base", "a-0", "a-1", *(["b-0"] if name == "m" else [])]
    own, total = (
        sum((chain / f"{each}.safetensors").stat().st_size for each in names)
        for names in (files, needed)
    )
    found = claims(chain, name)["claims"]
    assert (found["compressed_size"], found["cumulative_size"]) == (own, total)
    assert set(found) == {
        *("compressed_size", "cumulative_size", "metric_values", "tensor_digests")
    }


def test_each_layer_claims_its_bytes_and_values(chain: Path, claims: Claims) -> None:
    def state(job: Any) -> dict[str, Any]:
        assert job.sample == "layers"
        return {**FOUND["state"], "size": (100, 7)[job.part or 0]}

    def reconstruction(job: Any) -> dict[str, Any]:
        number = {None: 0.9, 0: 0.7, 1: 0.8}[job.part]
        return {"metrics": {"top1": {"value": number}, "distance": {"value": 0.5}}}

    found = claims(chain, "layers", state=state, reconstruction=reconstruction)
    assert found["claims"]["metric_values"][0] == value("top1", 0.9)
    assert found["layers"] == [
        {
            "id": f"l{place}",
            "claims": {
                "size": size,
                "cumulative_size": total,
                "metric_values": [value("top1", number), value("distance", 0.5)],
            },
        }
        for place, size, total, number in ((0, 100, 100, 0.7), (1, 7, 107, 0.8))
    ]


def test_a_layer_that_is_not_finite_or_not_whole_is_named(chain: Path, claims: Claims) -> None:
    def not_finite(job: Any) -> dict[str, Any]:
        return {**FOUND["state"], "tensors": {"w": {**FACTS, "non_finite": job.part}}}

    def not_whole(job: Any) -> dict[str, Any]:
        return {**FOUND["state"], "coverage": missing("w")[: job.part]}

    with pytest.raises(ConformanceError, match=r"layers/l1.*'w' holds values") as caught:
        claims(chain, "layers", state=not_finite)
    assert caught.value.where is not None
    assert caught.value.where.file == "layers-1.safetensors"
    with pytest.raises(ConformanceError, match=r"layers/l1.*is not the whole network"):
        claims(chain, "layers", state=not_whole)


@pytest.mark.parametrize(("name", "file"), [("a", "a-0.safetensors"), ("m", "submission.json")])
def test_what_is_not_finite_is_in_the_first_file_or_for_a_merge_in_none(
    chain: Path, claims: Claims, name: str, file: str
) -> None:
    with pytest.raises(ConformanceError, match=f"{name!r} cannot be measured") as caught:
        claims(chain, name, decode=decoded(w={**FACTS, "non_finite": 1}))
    assert caught.value.where is not None
    assert caught.value.where.file == file
