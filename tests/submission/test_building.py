"""The values are what the metadata say."""

import dataclasses

import pytest

from conformance.jsonschemas import load_schema
from conformance.submission import load
from conformance.submission.values import (
    VALUE_TOLERANCE,
    Claims,
    File,
    Metric,
    MetricUse,
    NameMapping,
    Port,
    Software,
    Tolerance,
    UseCase,
)
from tests.submission.builder import entry, put
from tests.submission.test_loading import load_changed


def test_heading(folder):
    submission = load(folder).submission
    assert submission.root == folder.resolve()
    assert submission.id == "tiny"
    assert submission.mdms_number is None
    assert submission.conforms_to == ("ISO/IEC 15938-17:2024",)
    assert submission.published is False
    assert submission.use_cases == (UseCase("digits", "Digits", "Read digits."),)
    assert submission.associated_files == (File(**entry("README.txt")),)


def test_model(folder):
    model = load(folder).submission.model("net")
    assert model.files == (File(**entry("models/net.onnx")),)
    assert model.inputs == (Port("x", "float32", ("N", 4, None)),)
    assert model.training_data == ("train-data",)
    assert model.test_data == ("test-data",)
    assert model.metric_values[0].value == 0.97
    assert model.size == len(b"a network")


def test_dataset(folder):
    dataset = load(folder).submission.datasets[0]
    assert dataset.url == "https://example.org/digits"
    assert dataset.doi is None
    assert dataset.sha256 is None
    assert dataset.description == ""


@pytest.mark.parametrize("items", [None, 1077])
def test_number_of_training_items_may_be_unknown(folder, items):
    loaded = load_changed(folder, lambda data: data["datasets"][0].update(items=items))
    assert loaded.problems == ()
    assert loaded.submission.datasets[0].items == items


def test_metric_defaults(folder):
    metric = load_changed(folder, lambda data: data["metrics"][0].pop("args") and None)
    assert metric.submission.metric("top1") == Metric(
        id="top1",
        kind="top-k-accuracy",
        description="Share of right answers.",
        direction="higher",
        tolerance=Tolerance("absolute", 0.02, inclusive=True),
        args={},
        bindings={},
        against="targets",
    )


def test_vectors(folder):
    vectors = load(folder).submission.vector_set("test")
    assert vectors.items == 100
    assert vectors.batched is True
    assert vectors.shards[0].targets == (File(**entry("vectors/targets.npz")),)
    assert vectors.output_tolerance.atol == 1e-5


def test_sample(folder):
    sample = load(folder).submission.samples[0]
    assert sample.codec == "tensors"
    assert sample.codec_params == {}
    assert sample.method.quantisation == ("int8",)
    assert sample.method.software == (Software("numpy", "2.4", None),)
    assert sample.metrics == (MetricUse("top1", "test", Tolerance("absolute", 0.02)),)
    assert isinstance(sample.claims, Claims)
    assert sample.claims.compression_factor is None
    assert sample.claims.tensor_digests == {"w": "0" * 64}
    assert sample.name_map == ()


def test_a_samples_own_tolerance_and_names(folder):
    own = {"type": "relative", "bound": 1, "inclusive": False, "upper_bound": 2, "confidence": 0.9}

    def change(data):
        put(data, "/samples/0/metrics/0/tolerance", own)
        put(data, "/samples/0/name_map", [{"sample": "a", "model": "w"}])

    sample = load_changed(folder, change).submission.samples[0]
    assert sample.metrics[0].tolerance == Tolerance("relative", 1.0, False, 2.0, 0.9)
    assert sample.name_map == (NameMapping(("a",), "w"),)


def test_whole_numbers_written_with_a_point_become_integers(folder):
    def change(data):
        put(data, "/models/0/parameter_count", 10.0)
        put(data, "/models/0/inputs/0/shape", ["N", 4.0])
        put(data, "/samples/0/files/0/size", 4.0)

    submission = load_changed(folder, change).submission
    assert type(submission.models[0].parameter_count) is int
    assert type(submission.models[0].inputs[0].shape[1]) is int
    assert type(submission.samples[0].files[0].size) is int


def test_a_whole_size_written_with_a_point_is_compared(folder):
    loaded = load_changed(folder, lambda data: put(data, "/samples/0/files/0/size", 5.0))
    assert [each.check for each in loaded.problems] == ["SUBMISSION-FILE-002"]


def test_defaults_are_those_of_the_schemas(folder):
    common = load_schema("common")["$defs"]
    assert common["metric_value"]["properties"]["tolerance"]["default"] == VALUE_TOLERANCE
    metric = load_schema("metric")["properties"]
    fields = {field.name: field for field in dataclasses.fields(Metric)}
    assert metric["against"]["default"] == fields["against"].default
    assert metric["args"]["default"] == fields["args"].default_factory()


@pytest.mark.parametrize("name", ["metric", "model", "sample", "dataset"])
def test_values_are_immutable(folder, name):
    submission = load(folder).submission
    value = {
        "metric": submission.metrics,
        "model": submission.models,
        "sample": submission.samples,
        "dataset": submission.datasets,
    }[name][0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.id = "other"


def test_both_samples_of_the_same_tensors_are_compared(folder):
    def again(data):
        first = data["samples"][0]
        data["samples"].append(first | {"id": "again", "same_tensors_as": first["id"]})

    submission = load_changed(folder, again).submission
    compared = [submission.is_compared(sample) for sample in submission.samples]
    assert compared == [True, *[False] * (len(compared) - 2), True]
    places = [submission.place_of(sample) for sample in submission.samples]
    assert places == list(range(len(compared)))
