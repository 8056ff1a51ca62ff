"""The bundled submissions with updates and layers: written again, and made of what they say."""

import importlib.metadata
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from conformance.tensorfiles import tensor_digest
from tests.vectors.chains import (
    GENERATE,
    IDS,
    ROOT,
    SUBMISSIONS,
    Chain,
    decoded_by_nncodec,
    document,
    samples,
    streams_of,
)
from tests.vectors.test_bundles import contents, differing_files, without_claims

ENTERING = ("numpy", "onnx", "onnxruntime", "safetensors", "scikit-learn", "zstandard")
"""Distributions whose version may change the bytes that are written."""


def unlocked():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", lock, re.MULTILINE))
    found = {name: importlib.metadata.version(name) for name in ENTERING}
    return {n: (v, pinned[n]) for n, v in found.items() if n in pinned and v != pinned[n]}


def without_measured(described):
    left = without_claims(described)
    for sample in left["samples"]:
        for layer in sample.get("layers", []):
            del layer["claims"]
    return left


@pytest.mark.parametrize("id", IDS)
def test_writing_it_again_gives_the_same_files(id, tmp_path):
    differing = unlocked()
    if differing:
        pytest.skip(f"installed and locked versions differ: {differing}")
    script = GENERATE / f"{id.replace('-', '_')}.py"
    command = [sys.executable, str(script), "--without-claims", str(tmp_path / id)]
    subprocess.run(command, check=True, capture_output=True)
    again, committed = contents(tmp_path / id), contents(SUBMISSIONS / id)
    del again["submission.json"], committed["submission.json"]
    assert differing_files(committed, again) == []
    described = json.loads((tmp_path / id / "submission.json").read_text("utf-8"))
    assert without_measured(described) == without_measured(document(id))


@pytest.mark.parametrize("id", IDS)
def test_it_stays_small_enough_for_a_repository(id):
    assert sum(len(content) for content in contents(SUBMISSIONS / id).values()) < 1_000_000


@pytest.mark.parametrize("id", IDS)
def test_the_readme_and_the_documentation_name_what_is_there(id):
    readme = (SUBMISSIONS / id / "README.md").read_text("utf-8")
    page = (ROOT / "docs" / "vectors.md").read_text("utf-8")
    assert f"## {id}" in page
    for path in re.findall(r"`((?:models|samples|vectors)/[^`*]+\.[a-z]+)`", readme):
        if path != f"vectors/generate/{id.replace('-', '_')}.py":
            assert (SUBMISSIONS / id / path).is_file(), path


@pytest.mark.parametrize("id", IDS)
def test_the_streams_of_the_samples_are_those_that_are_kept(id):
    kept = {path.name: path.read_bytes() for path in streams_of(id).glob("*.nnc")}
    sent = {path.name: path.read_bytes() for path in (SUBMISSIONS / id).glob("samples/*.nnc")}
    assert {name: data for name, data in sent.items() if "hashed" not in name} == kept


@pytest.mark.parametrize("id", IDS)
def test_every_chain_decodes_to_what_nncodec_decoded(id):
    expected, chain = decoded_by_nncodec(id), Chain(id)
    for name, sample in samples(id).items():
        if not by_nncodec(sample) or "layers" in sample:
            continue
        update = sample.get("update_of", {})
        parent = update.get("sample")
        chain.decode(name, parent, update.get("contexts_of", parent))
        assert digests(chain.networks[name]) == expected[name], name


def by_nncodec(sample):
    return sample.get("codec", {}).get("id") == "nnc" and "hashed" not in sample["id"]


def digests(network):
    return {name: tensor_digest(values) for name, values in network.items()}


@pytest.mark.parametrize("id", IDS)
def test_claimed_digests_are_those_of_nncodec(id):
    expected = decoded_by_nncodec(id)
    for name, sample in samples(id).items():
        if name in expected:
            assert sample["claims"]["tensor_digests"] == expected[name], name


@pytest.mark.parametrize("id", IDS)
def test_cumulative_sizes_are_sums_of_files(id):
    known = samples(id)

    def needed(name):
        update = known[name].get("update_of", {})
        above = [update[key] for key in ("sample", "contexts_of") if key in update]
        above += [branch["sample"] for branch in known[name].get("merge_of", [])]
        return {name}.union(*map(needed, above))

    for name, sample in known.items():
        if "cumulative_size" in sample["claims"]:
            sizes = [known[each]["claims"]["compressed_size"] for each in needed(name)]
            assert sample["claims"]["cumulative_size"] == sum(sizes)


@pytest.mark.parametrize("id", IDS)
def test_methods_name_the_programs_that_made_a_sample(id):
    for sample in samples(id).values():
        names = [software["name"] for software in sample["method"]["software"]]
        assert names[0].startswith(f"vectors/generate/{id.replace('-', '_')}.py")
        assert ("NNCodec" in names) == by_nncodec(sample)


def test_committed_training_results_are_the_original():
    stored = load_file(GENERATE / "digits_federated_weights.safetensors")
    base = {name for name in stored if "/" not in name}
    assert sum(stored[name].size for name in base) == 9898
    assert all(np.isfinite(values.astype(np.float32)).all() for values in stored.values())
