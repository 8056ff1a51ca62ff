"""Checks of updates, merges and layers: each passes, and fails for the reason that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.nnc.encoder import EncoderSettings, Quantization, UpdateSettings, encode
from conformance.nnc.state import DecoderState
from conformance.tensorfiles import network_digest
from conformance.verdicts import Finding, Verdict
from tests import tiny_submission
from tests.jobs.in_process import findings, told
from tests.tiny_chain import TinyChain, difference


@pytest.fixture
def chain(tmp_path: Path) -> TinyChain:
    return TinyChain(tmp_path / "tiny")


def federated(chain: TinyChain) -> TinyChain:
    """Add two devices, what they are merged to, and an update of that in two files."""
    chain.whole()
    chain.update("a")
    chain.update("b")
    chain.merge("m", a=1.0, b=3.0)
    chain.update("next", "m", difference(1), difference(2))
    return chain


def scalable(chain: TinyChain) -> TinyChain:
    chain.layered("layers", chain.original, difference(1, 1e-6), difference(2, 1e-6))
    return chain


def of(chain: TinyChain, check: str, subject: str) -> list[Finding]:
    root = chain.save()
    return [each for each in findings(root, check) if each.subject == f"tiny/{subject}"]


def only(chain: TinyChain, check: str, subject: str) -> Finding:
    (finding,) = of(chain, check, subject)
    return finding


def sample(chain: TinyChain, id: str) -> dict[str, Any]:
    return next(each for each in chain.metadata["samples"] if each["id"] == id)


def exchange(chain: TinyChain, id: str, tensors: dict[str, np.ndarray], place: int = 0) -> None:
    """Write other tensors into a file of a sample, which names no parent then."""
    made = sample(chain, id)
    old = made["files"][place]["rel_filepath"]
    chain.file(old.removesuffix(".safetensors"), tensors, None)
    made["files"][place] = tiny_submission.entry(chain.root, old)


def test_a_federated_submission_passes_whole(chain: TinyChain) -> None:
    found = told(federated(chain).save())
    early = {"a", "b", "next"}
    assert {key for key in found if not key.startswith("UPDATE-MUTATION")} == set()
    assert not early & {key.rpartition("/")[2] for key in found}


def test_a_scalable_submission_passes_whole(chain: TinyChain) -> None:
    assert told(scalable(chain).save()) == {}


# --- UPDATE-PARENT-001


def test_the_parent_that_is_named_is_counted(chain: TinyChain) -> None:
    finding = only(federated(chain), "UPDATE-PARENT-001", "a")
    assert finding.verdict is Verdict.PASS
    assert finding.message == "1 of 1 places in the bitstream name a parent, which it is"
    assert finding.found == "1 by sha256"
    assert finding.evidence == {"places": 1, "named": {"sha256": 1}}


def test_files_of_an_update_are_checked_one_by_one(chain: TinyChain) -> None:
    root = federated(chain).save()
    subjects = [each.subject for each in findings(root, "UPDATE-PARENT-001")]
    assert subjects == ["tiny/a", "tiny/b", "tiny/next/file-1", "tiny/next/file-2"]


def test_no_parent_named_passes_and_says_so(chain: TinyChain) -> None:
    chain.update("u", None, named=False)
    finding = only(chain, "UPDATE-PARENT-001", "u")
    assert finding.verdict is Verdict.PASS
    assert finding.message.startswith("0 of 1 places")
    assert "the misapplied updates tell" in finding.found


def test_another_parent_fails_and_the_rest_is_not_run(chain: TinyChain) -> None:
    sample(federated(chain), "b")["update_of"] = {"sample": "a"}
    sample(chain, "b")["claims"]["cumulative_size"] += chain.size("a-0.safetensors")
    finding = only(chain, "UPDATE-PARENT-001", "b")
    assert finding.verdict is Verdict.FAIL
    assert finding.message == "the update names a different parent"
    assert finding.where is not None
    assert (finding.where.file, finding.where.element) == ("b-0.safetensors", "nnr_parent")
    assert finding.evidence == {"wrong": 1}
    assert "update_of" in finding.fix
    for check in ("UPDATE-STEP-001", "UPDATE-BASE-001"):
        later = only(chain, check, "b")
        assert later.verdict is Verdict.NOT_RUN
        assert "UPDATE-PARENT-001" in later.fix
    assert only(chain, "SAMPLE-DECODE-001", "b").verdict is Verdict.NOT_RUN
    assert only(chain, "UPDATE-MERGE-001", "m").verdict is Verdict.NOT_RUN


def test_wrong_parents_of_nnc_are_told_unit_by_unit(chain: TinyChain) -> None:
    settings = EncoderSettings(quantization=Quantization(qp=-38))
    update = replace(settings, update=UpdateSettings())
    state = DecoderState()
    chain.stream("nnc", "nnc", encode(chain.original, settings, state))
    encode(difference(1, 0.1), update, state)
    chain.stream("second", "nnc", encode(difference(2, 0.1), update, state))
    found = of(chain, "UPDATE-PARENT-001", "second")
    assert [each.message for each in found] == [
        "the update names a different parent for 'fc.weight'",
        "the update names a different parent for 'fc.bias'",
    ]
    assert found[0].expected == "a parent of put_node_depth 0"
    assert found[0].found == "put_node_depth 1"
    assert found[0].where is not None
    assert found[0].where.byte_offset


# --- UPDATE-STEP-001 and UPDATE-BASE-001


def test_a_step_counts_the_tensors_it_updates(chain: TinyChain) -> None:
    chain.update("u", None, {"fc.bias": difference(1)["fc.bias"]})
    finding = only(chain, "UPDATE-STEP-001", "u")
    assert finding.message == "1 of 2 tensors are updated"
    assert finding.evidence == {"updated": 1, "tensors": 2}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"fc.else": np.ones(3, np.float32)}, "a tensor 'fc.else' that its base lacks"),
        ({"fc.bias": np.ones(4, np.float32)}, "'fc.bias' of the update has another shape"),
        ({"fc.bias": np.ones(3)}, "1 of 2 tensors are updated"),
        ({"fc.bias": np.full(3, 0.1)}, "cannot be added in the type"),
    ],
    ids=["unknown", "shape", "float64-of-float32-values", "float64"],
)
def test_a_step_that_does_not_fit_fails(chain: TinyChain, tensors: Any, message: str) -> None:
    federated(chain)
    exchange(chain, "a", tensors)
    finding = only(chain, "UPDATE-STEP-001", "a")
    assert message in finding.message
    if finding.verdict is not Verdict.PASS:
        assert finding.verdict is Verdict.FAIL
        assert finding.where is not None
        assert finding.where.file == "a-0.safetensors"
        assert only(chain, "UPDATE-MERGE-001", "m").verdict is Verdict.NOT_RUN
        assert only(chain, "UPDATE-STEP-001", "b").verdict is Verdict.PASS


def test_a_damaged_step_is_malformed_there_and_not_run_elsewhere(chain: TinyChain) -> None:
    federated(chain)
    (chain.root / "a-0.safetensors").write_bytes(b"\xff" * 80)
    sample(chain, "a")["files"] = [tiny_submission.entry(chain.root, "a-0.safetensors")]
    assert only(chain, "UPDATE-STEP-001", "a").verdict is Verdict.MALFORMED
    for check, subject in (
        ("UPDATE-PARENT-001", "a"),
        ("UPDATE-BASE-001", "a"),
        ("SAMPLE-DECODE-001", "a"),
        ("UPDATE-MERGE-001", "m"),
        ("UPDATE-STEP-001", "next/file-1"),
        ("SAMPLE-RUN-001", "next@test"),
    ):
        finding = only(chain, check, subject)
        assert finding.verdict is Verdict.NOT_RUN, (check, subject)
        assert finding.fix


def test_the_base_is_left_alone(chain: TinyChain) -> None:
    finding = only(federated(chain), "UPDATE-BASE-001", "a")
    assert finding.verdict is Verdict.PASS
    assert finding.message == "2 tensors of the base are as they were"


def test_a_codec_that_writes_into_its_base_fails(
    chain: TinyChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conformance.jobs import context as work
    from tests.jobs.test_chains import Altering

    monkeypatch.setattr(work, "codec", lambda name: Altering())
    chain.update("a", None, codec={"id": "altering", "params": {}})
    chain.update("b", "a", codec={"id": "altering", "params": {}})
    finding = only(chain, "UPDATE-BASE-001", "b")
    assert (finding.verdict, finding.found) == (Verdict.FAIL, "mine")
    assert finding.message == "decoding the update altered its base"
    assert "authors of the codec" in finding.fix
    assert only(chain, "UPDATE-STEP-001", "b").verdict is Verdict.PASS


# --- UPDATE-MERGE-001, UPDATE-SIZE-001, UPDATE-EQUAL-001


def test_a_merge_tells_the_shares(chain: TinyChain) -> None:
    finding = only(federated(chain), "UPDATE-MERGE-001", "m")
    assert finding.message == "2 branches are merged"
    assert finding.evidence == {"shares": {"a": 0.25, "b": 0.75}}


def test_the_right_cumulative_size_passes_with_both_numbers(chain: TinyChain) -> None:
    federated(chain)
    finding = only(chain, "UPDATE-SIZE-001", "a")
    step = chain.size("a-0.safetensors")
    assert finding.evidence == {"step": step, "cumulative": step + chain.size("base.safetensors")}


def test_equal_tensors_pass_however_they_were_coded(chain: TinyChain) -> None:
    federated(chain)
    state = chain.states["next"]
    name = chain.file("direct", state, None)
    chain.states["direct"] = state
    chain.sample("direct", [name], ["float32", "format:safetensors"])
    sample(chain, "next")["same_tensors_as"] = "direct"
    finding = only(chain, "UPDATE-EQUAL-001", "next")
    assert finding.verdict is Verdict.PASS
    assert finding.message == "all tensors equal those of 'direct' bit by bit"


def test_one_bit_that_differs_is_told_with_its_tensor(chain: TinyChain) -> None:
    federated(chain)
    state = {name: array.copy() for name, array in chain.states["next"].items()}
    state["fc.bias"].view(np.uint32)[0] ^= 1
    name = chain.file("direct", state, None)
    chain.states["direct"] = state
    chain.sample("direct", [name], ["float32", "format:safetensors"])
    sample(chain, "next")["same_tensors_as"] = "direct"
    finding = only(chain, "UPDATE-EQUAL-001", "next")
    assert finding.verdict is Verdict.FAIL
    assert finding.message == "tensor 'fc.bias' is not that of 'direct'"
    assert finding.expected.startswith("float32[3], sha256 ")
    assert finding.where is not None
    assert finding.where.element == "fc.bias"
    assert "remove same_tensors_as" in finding.fix


# --- UPDATE-MUTATION-001


def test_misapplied_updates_that_nothing_notices_are_findings_that_do_not_count(
    chain: TinyChain,
) -> None:
    chain.whole()
    chain.update("u", named=False)
    chain.update("v", "u", named=False)
    found = of(chain, "UPDATE-MUTATION-001", "u/repeated")
    assert found[0].verdict is Verdict.FAIL
    assert "the format carries no protection here: u applied twice" in found[0].message
    assert found[0].message.endswith("other tensors come out")
    assert found[0].found == "tensors, as if all were well"
    assert found[0].evidence == {
        "misapplication": "repeated",
        "detected_by": None,
        "same_tensors": False,
    }
    assert "nnr_parent" in found[0].fix


def test_a_misapplied_update_that_is_noticed_passes_and_tells_by_what(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u")
    finding = only(chain, "UPDATE-MUTATION-001", "u/wrong-parent")
    assert finding.verdict is Verdict.PASS
    assert finding.message == (
        "u applied to the original: noticed (u#0: it names a different parent)"
    )
    assert finding.evidence["detected_by"] == "digest"


def test_a_chain_that_ends_early_is_told_by_the_declared_digests(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u")
    finding = only(chain, "UPDATE-MUTATION-001", "u/dropped")
    assert finding.verdict is Verdict.PASS
    assert "the chain ends earlier" in finding.message
    assert finding.evidence["detected_by"] == "declared digests"


# --- LAYER-*


def test_each_layer_decodes_without_those_behind_it(chain: TinyChain) -> None:
    root = scalable(chain).save()
    found = list(findings(root, "LAYER-DECODE-001"))
    assert [each.subject for each in found] == [f"tiny/layers/l{n}" for n in range(3)]
    assert {each.message for each in found} == {"2 tensors decoded, 2 in all"}


def test_a_layer_that_does_not_fit_fails_and_those_behind_it_are_not_run(
    chain: TinyChain,
) -> None:
    exchange(scalable(chain), "layers", {"fc.bias": np.ones(4, np.float32)}, 1)
    assert only(chain, "LAYER-DECODE-001", "layers/l0").verdict is Verdict.PASS
    finding = only(chain, "LAYER-DECODE-001", "layers/l1")
    assert finding.verdict is Verdict.FAIL
    assert "another shape" in finding.message
    assert finding.where is not None
    assert finding.where.file == "layers-1.safetensors"
    assert only(chain, "LAYER-DECODE-001", "layers/l2").verdict is Verdict.NOT_RUN
    assert only(chain, "LAYER-BASE-001", "layers").verdict is Verdict.NOT_RUN


def test_a_base_layer_that_is_no_whole_network_fails(chain: TinyChain) -> None:
    exchange(scalable(chain), "layers", {"fc.bias": chain.original["fc.bias"]}, 0)
    finding = only(chain, "LAYER-DECODE-001", "layers/l0")
    assert finding.verdict is Verdict.FAIL
    assert "no tensor for the parameter 'fc.weight'" in finding.message


def test_values_that_are_not_finite_are_told_at_their_layer(chain: TinyChain) -> None:
    exchange(scalable(chain), "layers", {"fc.bias": np.full(3, np.inf, np.float32)}, 1)
    finding = only(chain, "LAYER-DECODE-001", "layers/l1")
    assert (finding.verdict, finding.found) == (Verdict.FAIL, "fc.bias")
    assert "1 tensors hold values that are not finite" in finding.message
    assert only(chain, "LAYER-DECODE-001", "layers/l0").verdict is Verdict.PASS


def test_a_layer_that_names_another_parent_fails(chain: TinyChain) -> None:
    scalable(chain)
    name = chain.file("layers-1", difference(1, 1e-6), network_digest({}))
    sample(chain, "layers")["files"][1] = tiny_submission.entry(chain.root, name)
    finding = only(chain, "LAYER-DECODE-001", "layers/l1")
    assert finding.verdict is Verdict.FAIL
    assert "names a different parent" in finding.message
    assert finding.where is not None
    assert finding.where.element == "nnr_parent"


def test_the_base_layer_is_what_it_is_whatever_follows(chain: TinyChain) -> None:
    finding = only(scalable(chain), "LAYER-BASE-001", "layers")
    assert finding.verdict is Verdict.PASS
    assert finding.message == "2 tensors of the base layer are the same"


def test_a_layer_that_lowers_the_metric_fails(chain: TinyChain) -> None:
    worse = {"fc.weight": -2 * chain.original["fc.weight"]}
    chain.layered("layers", chain.original, worse)
    finding = only(chain, "LAYER-ORDER-001", "layers/l1/top1@test")
    assert finding.verdict is Verdict.FAIL
    assert "top1 falls from the layer before to 'l1'" in finding.message
    assert finding.found.startswith("0.9 before")


def test_a_layer_that_improves_the_metric_passes_whatever_the_tolerance(
    chain: TinyChain,
) -> None:
    worse = {name: -array for name, array in chain.original.items()}
    chain.layered("layers", worse, chain.original, mode="replace")
    for metric in ("top1", "distance"):
        finding = only(chain, "LAYER-ORDER-001", f"layers/l1/{metric}@test")
        assert finding.verdict is Verdict.PASS, finding


@pytest.mark.parametrize(
    ("tensor", "mode", "message"),
    [
        (np.ones((2, 3), np.float32), "add", "tensor 'fc.bias' of the layer has another shape"),
        (np.full(3, 0.1), "add", "of the layer cannot be added in the type of its base"),
        (np.full(3, 0.1), "replace", "of the layer cannot be held by the type of its base"),
    ],
)
def test_what_does_not_fit_is_told_of_the_layer(
    chain: TinyChain, tensor: np.ndarray, mode: Any, message: str
) -> None:
    layer = {"fc.bias": tensor}
    chain.layered("layers", chain.original, {}, mode=mode)["layers"].pop()
    made = sample(chain, "layers")
    chain.file("layers-1", layer, None)
    made["files"][1] = tiny_submission.entry(chain.root, "layers-1.safetensors")
    made["layers"].append(
        {**made["layers"][0], "id": "l1", "files": ["layers-1.safetensors"], "mode": mode}
    )
    finding = only(chain, "LAYER-DECODE-001", "layers/l1")
    assert message in finding.message
    assert finding.fix.startswith(f"{'write' if tensor.ndim > 1 else 'decode'} the ")
    assert ("difference" in finding.fix) is (mode == "add")


def test_values_that_are_not_finite_are_in_the_file_of_their_layer(chain: TinyChain) -> None:
    chain.layered("layers", chain.original, {"fc.bias": np.full(3, np.inf, np.float32)})
    finding = only(chain, "LAYER-DECODE-001", "layers/l1")
    assert finding.where is not None
    assert (finding.where.file, finding.where.element) == ("layers-1.safetensors", "fc.bias")


def test_a_merge_that_is_not_finite_is_named_in_the_metadata(chain: TinyChain) -> None:
    federated(chain)
    exchange(chain, "a", {"fc.bias": np.full(3, np.inf, np.float32)})
    finding = only(chain, "SAMPLE-FINITE-001", "m")
    assert finding.where is not None
    assert (finding.where.file, finding.where.element) == ("submission.json", "fc.bias")
    assert finding.where.pointer is not None


# --- Layers in one bitstream


def units(chain: TinyChain, change: Callable[[bytes], bytes] = lambda data: data) -> dict:
    """Add a sample of one NNC stream: three units of sets, a base, and two finer tensors."""
    names = {"fc.weight": "finer.weight", "fc.bias": "finer.bias"}
    finer = {names[n]: array for n, array in difference(1, 0.01).items()}
    settings = EncoderSettings(quantization=Quantization(qp=-24, qps=dict.fromkeys(finer, -38)))
    data = change(encode({**chain.original, **finer}, settings))
    made = chain.stream("units", "units", data)
    claims = {"size": 0, "cumulative_size": 0, "metric_values": []}
    values = [
        {"metric": use["metric"], "vectors": "test", "value": 0.0, "tolerance": 9.0}
        for use in made["metrics"]
    ]
    claims["metric_values"] = values
    entries = [{"sample": new, "model": old} for old, new in names.items()]
    made["layers"] = [
        {"id": "l0", "units": [{"first": 0, "last": 4}], "claims": dict(claims)},
        {
            "id": "l1",
            "units": [{"first": 5, "last": 6}],
            "mode": "add",
            "name_map": entries,
            "claims": dict(claims),
        },
    ]
    return made


def test_layers_of_units_are_decoded_with_other_bytes_behind_them(chain: TinyChain) -> None:
    units(chain)
    finding = only(chain, "LAYER-BASE-001", "units")
    assert finding.verdict is Verdict.PASS, finding
    assert finding.message.endswith("also with everything behind it overwritten")
    for place in range(2):
        assert only(chain, "LAYER-DECODE-001", f"units/l{place}").verdict is Verdict.PASS
    assert only(chain, "SAMPLE-DECODE-001", "units").verdict is Verdict.PASS


def test_the_sizes_of_layers_of_units_are_those_of_the_units(chain: TinyChain) -> None:
    made = units(chain)
    found = [int(each.found) for each in of(chain, "LAYER-SIZE-001", "units/l1")]
    size, total = found
    assert 0 < size < total == made["claims"]["compressed_size"]


def test_a_layer_of_units_beyond_the_file_is_malformed(chain: TinyChain) -> None:
    units(chain)["layers"][1]["units"][0]["last"] = 7
    finding = only(chain, "LAYER-DECODE-001", "units/l1")
    assert finding.verdict is Verdict.MALFORMED
    assert "no unit 7" in finding.message
    assert finding.found == "7"
    assert only(chain, "LAYER-SIZE-001", "units/l1").verdict is Verdict.NOT_RUN


def test_units_in_no_layer_fail(chain: TinyChain) -> None:
    units(chain)["layers"][1]["units"][0]["last"] = 5
    finding = only(chain, "LAYER-BASE-001", "units")
    assert finding.verdict is Verdict.FAIL
    assert finding.message == "the layers are not the whole sample"
    assert finding.fix == "give every unit (0 to 6) to a layer"


def test_a_base_without_its_parameter_sets_is_told(chain: TinyChain) -> None:
    made = units(chain)
    made["layers"][0]["units"] = [{"first": 3, "last": 4}]
    found = of(chain, "LAYER-BASE-001", "units")
    assert [each.message for each in found] == ["the layers are not the whole sample"]
