"""The small bundled submissions: they can be written again, and they hold what they say."""

import importlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from one_model import keep_model
from safetensors.numpy import load_file

from tests.vectors.rejection import run

ROOT = Path(__file__).parents[2]
SUBMISSIONS = ROOT / "vectors" / "submissions"
GENERATE = ROOT / "vectors" / "generate"
IDS = ("patches-autoencoder", "series-lstm", "digits-lstm", "chars-gru")
OF_TENSORFLOW = ("series-lstm", "digits-lstm")
DOCUMENTS = {
    name: json.loads((SUBMISSIONS / name / "submission.json").read_text("utf-8")) for name in IDS
}
ENTERING = (
    *("numpy", "onnx", "safetensors", "torch", "scikit-learn", "opencv-python-headless"),
    *("tensorflow-cpu", "keras", "h5py", "nnef"),
)
"""Distributions whose version may change the bytes that are written."""


def unlocked():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", lock, re.MULTILINE))
    found = {}
    for name in ENTERING:
        try:
            found[name] = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found[name] = "none"
    locked = {name: version.split("+")[0] for name, version in pinned.items()}
    return {n: (v, locked.get(n)) for n, v in found.items() if v != locked.get(n)}


def write_again(id, target, *options):
    differing = unlocked()
    if differing:
        pytest.skip(f"installed and locked versions differ: {differing}")
    script = GENERATE / f"{id.replace('-', '_')}.py"
    command = [sys.executable, str(script), *options, str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run over all of them, each with its first model alone, and the folder of its reports."""
    # All formats together take a minute each; runtimes have tests of their own.
    root, out = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("reports")
    for name in IDS:
        shutil.copytree(SUBMISSIONS / name, root / name)
        keep_model(root / name, first_model(name))
    return run([root / name for name in IDS], out, tmp_path_factory.mktemp("cache")), out


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def differing_files(one, other):
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def without_claims(document):
    left = json.loads(json.dumps(document))
    for model in left["models"]:
        del model["metric_values"]
    for sample in left["samples"]:
        del sample["features"], sample["claims"]
    return left


def values(id, owner):
    (entry,) = (
        entry
        for section in ("models", "samples")
        for entry in DOCUMENTS[id][section]
        if entry["id"] == owner
    )
    claimed = entry.get("metric_values") or entry["claims"]["metric_values"]
    return {value["metric"]: value["value"] for value in claimed}


def first_model(id):
    return DOCUMENTS[id]["models"][0]["id"]


def array(id, role):
    (found,) = load_file(SUBMISSIONS / id / "vectors" / f"{role}.safetensors").values()
    return found


def weights(id):
    return load_file(GENERATE / f"{id.replace('-', '_')}_weights.safetensors")


@pytest.mark.parametrize("id", IDS)
def test_writing_it_again_gives_the_same_files(id, tmp_path):
    again = contents(write_again(id, tmp_path / id, "--without-claims"))
    committed = contents(SUBMISSIONS / id)
    described = json.loads(again.pop("submission.json"))
    committed.pop("submission.json")
    assert differing_files(committed, again) == []
    assert without_claims(described) == without_claims(DOCUMENTS[id])


@pytest.mark.parametrize("id", IDS)
def test_it_passes_with_its_first_model_alone(id, alone):
    done, out = alone
    assert f"{id}: PASS" in done.stdout, done.stdout
    report = json.loads((out / id / "report.json").read_text("utf-8"))
    assert {finding["verdict"] for finding in report["findings"]} == {"pass"}


@pytest.mark.parametrize("id", IDS)
def test_it_stays_small_enough_for_a_repository(id):
    assert sum(len(content) for content in contents(SUBMISSIONS / id).values()) < 1_500_000


@pytest.mark.parametrize("id", IDS)
def test_the_readme_and_the_documentation_name_what_is_there(id):
    readme = (SUBMISSIONS / id / "README.md").read_text("utf-8")
    page = (ROOT / "docs" / "vectors.md").read_text("utf-8")
    named = [model["id"] for model in DOCUMENTS[id]["models"]]
    assert [name for name in named if name not in readme] == []
    assert f"| `{id}` |" in page
    for path in re.findall(r"`((?:models|samples|vectors)/[^`*]+\.[a-z]+)`", readme):
        if path != f"vectors/generate/{id.replace('-', '_')}.py":
            assert (SUBMISSIONS / id / path).is_file(), path


@pytest.mark.parametrize("id", IDS)
def test_every_format_is_held_against_the_first(id):
    first, *others = DOCUMENTS[id]["vectors"]
    assert "equivalent_to" not in first
    assert others
    assert all(entry["equivalent_to"]["vectors"] == first["id"] for entry in others)


@pytest.mark.parametrize("id", IDS)
def test_every_format_has_every_kind_of_sample(id):
    models = {model["id"]: model["format"] for model in DOCUMENTS[id]["models"]}
    samples = {(s["model"], s["id"]): s for s in DOCUMENTS[id]["samples"]}
    kinds = {name.removesuffix(f"-{models[model]}") for model, name in samples}
    assert {"lossless", "nnc"} < kinds
    assert len(samples) == len(kinds) * len(models)
    for (model, name), sample in samples.items():
        assert name.endswith(models[model])
        assert sample["lossless"] == name.startswith("lossless")
        assert sample["method"]["software"][0]["version"]


@pytest.mark.parametrize("id", IDS)
def test_lossy_samples_lose_what_can_be_measured(id):
    metrics = {metric["id"]: metric for metric in DOCUMENTS[id]["metrics"]}
    (changed,) = (name for name, metric in metrics.items() if metric["against"] == "original")
    for sample in DOCUMENTS[id]["samples"]:
        if not sample["lossless"]:
            assert values(id, sample["id"])[changed] > 0, sample["id"]


@pytest.mark.parametrize(
    ("id", "sample", "metric", "loss"),
    [
        ("patches-autoencoder", "nnc-coarse-onnx", "ssim", 0.02),
        ("series-lstm", "codebook-onnx", "rmse", -0.01),
        ("digits-lstm", "codebook-onnx", "top1", 0.01),
        ("chars-gru", "codebook-onnx", "perplexity", -0.1),
    ],
    ids=IDS,
)
def test_one_sample_is_clearly_worse_than_the_original(id, sample, metric, loss):
    difference = values(id, first_model(id))[metric] - values(id, sample)[metric]
    assert difference / loss > 1


@pytest.mark.parametrize("id", IDS)
def test_formats_agree_on_every_value(id):
    models = [values(id, model["id"]) for model in DOCUMENTS[id]["models"]]
    for metric, value in models[0].items():
        assert [other[metric] for other in models] == pytest.approx([value] * len(models), abs=3e-6)


def test_the_networks_have_learnt():
    from series_data import load_windows

    test = load_windows()[1]
    persistence = float(np.sqrt(np.mean((test.months[:, -1] - test.following) ** 2)))
    assert values("series-lstm", "sunspots-onnx")["rmse"] < 0.9 * persistence
    assert values("digits-lstm", "rows-onnx")["top1"] > 0.95
    assert values("chars-gru", "chars-onnx")["perplexity"] < 8
    assert values("patches-autoencoder", "patches-onnx")["psnr"] > 25


def double(network, id, inputs):
    import torch

    network.load_state_dict({n: torch.from_numpy(v) for n, v in weights(id).items()})
    with torch.no_grad():
        (output,) = network.double().eval()(torch.from_numpy(inputs)).values()
    return output.numpy()


@pytest.mark.parametrize("id", IDS)
def test_expected_outputs_are_those_of_pytorch_in_float64(id):
    if id in OF_TENSORFLOW:
        from lstm_network import LstmNetwork

        network = LstmNetwork(importlib.import_module(id.replace("-", "_")).SIZE)
    elif id == "chars-gru":
        from chars_network import CharacterModel

        network = CharacterModel()
    else:
        from patches_network import Autoencoder

        network = Autoencoder()
    inputs = array(id, "inputs")
    wide = inputs.astype(np.float64) if inputs.dtype.kind == "f" else inputs
    found, expected = double(network, id, wide), array(id, "outputs")
    assert expected.dtype == np.float32
    assert np.max(np.abs(found - expected) / np.maximum(1, np.abs(found))) < 1e-7


@pytest.mark.parametrize("id", OF_TENSORFLOW)
def test_name_maps_of_an_lstm_permute_add_and_join(id):
    samples = {sample["id"]: sample for sample in DOCUMENTS[id]["samples"]}
    maps = {
        suffix: {entry["model"]: entry for entry in samples[f"nnc-{suffix}"]["name_map"]}
        for suffix in ("onnx", "savedmodel", "keras", "nnef")
    }
    assert "name_map" not in samples["nnc-torchscript"]
    assert maps["onnx"]["lstm.B"]["combine"] == {"how": "concatenate", "axis": 1}
    assert maps["onnx"]["lstm.W"]["permute_gates"] == {"axis": 0, "from": "ifgo", "to": "iofg"}
    assert maps["savedmodel"]["lstm/bias"]["combine"] == {"how": "add"}
    assert maps["keras"]["lstm/lstm_cell/kernel"]["transpose"] == [1, 0]
    assert maps["nnef"]["dense/bias"]["reshape"][0] == 1


def test_name_maps_of_a_gru_permute_and_join():
    samples = {sample["id"]: sample for sample in DOCUMENTS["chars-gru"]["samples"]}
    entries = {entry["model"]: entry for entry in samples["nnc-onnx"]["name_map"]}
    assert entries["gru.R"]["permute_gates"] == {"axis": 0, "from": "rzn", "to": "zrn"}
    assert entries["gru.B"]["combine"] == {"how": "concatenate", "axis": 1}
    assert entries["dense.matrix"]["transpose"] == [1, 0]
    assert all("name_map" not in samples[f"nnc-torch-{name}"] for name in ("export", "state-dict"))
    entries = {entry["model"]: entry for entry in samples["nnc-keras"]["name_map"]}
    assert entries["gru/gru_cell/bias"]["combine"] == {"how": "concatenate", "axis": 0}
    assert entries["gru/gru_cell/kernel"]["transpose"] == [1, 0]


def test_the_graph_beside_a_state_dict_computes_what_the_onnx_model_does():
    from chars_network import build_topology
    from onnx_graph import evaluate

    inputs = array("chars-gru", "inputs")[:2]
    (found,) = evaluate(build_topology(weights("chars-gru")), inputs).values()
    assert np.array_equal(found.astype(np.float32), array("chars-gru", "outputs")[:2])


def test_the_series_is_cut_at_the_end_of_1988():
    from series_data import load_numbers, load_windows

    numbers, (training, test) = load_numbers(), load_windows()
    assert len(numbers) == (2008 - 1749 + 1) * 12
    assert len(test.months) == 20 * 12
    assert len(training.months) == DOCUMENTS["series-lstm"]["datasets"][0]["items"] == 2844
    assert test.following[:, 0] == pytest.approx(numbers[-240:] / 100, abs=1e-6)
    assert training.following[-1] != test.following[0]
    assert np.array_equal(training.months[-1, 1:], test.months[0, :-1])
    assert np.array_equal(array("series-lstm", "inputs"), test.months)
    assert np.array_equal(array("series-lstm", "targets"), test.following)


def test_the_rows_are_the_test_scans_of_digits_cnn():
    from digits_data import load_digits_split

    test = load_digits_split()[1]
    assert np.array_equal(array("digits-lstm", "inputs"), test.images[:, 0])
    assert np.array_equal(array("digits-lstm", "targets"), test.labels)


def test_the_patches_are_no_part_of_what_was_trained_with():
    from patches_data import SIDE, load_photographs, training_parts

    photographs = load_photographs()
    assert [image.shape for image in photographs] == [(427, 640)] * 2
    assert [part.shape for part in training_parts()] == [(427, 640 - SIDE)] * 2
    patches = array("patches-autoencoder", "inputs")
    assert patches.dtype == np.float16
    assert np.array_equal(patches[0, 0], photographs[0][:SIDE, -SIDE:])
    assert np.array_equal(patches[3, 0], photographs[1][SIDE : 2 * SIDE, -SIDE:])
    assert np.array_equal(patches * 256, np.rint(patches * 256))


def test_the_sequences_are_the_beginning_of_the_declaration():
    from chars_data import ALPHABET

    characters, following = array("chars-gru", "inputs"), array("chars-gru", "targets")
    text = "".join(ALPHABET[token] for token in characters.reshape(-1))
    assert text.startswith("the declaration of independence of the thirteen colonies in congress")
    assert "we hold these truths to be self-evident" in text
    assert np.array_equal(following[:, :-1], characters[:, 1:])
    assert np.array_equal(following[:-1, -1], characters[1:, 0])


def test_the_test_text_is_no_part_of_the_training_text():
    from chars_data import TEST, TRAINING, load_tokens

    training, test = (load_tokens(path).tobytes() for path in (TRAINING, TEST))
    item = 8
    piece = 40 * item
    assert all(test[at : at + piece] not in training for at in range(0, len(test) - piece, piece))
