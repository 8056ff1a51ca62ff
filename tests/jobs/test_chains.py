"""Chains, branches and merges, evaluated by the real executor and held against plain NumPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from conformance.codecs import DecodedTensors, Identity, Memory, Step
from conformance.nnc import Options, decode
from conformance.nnc.encoder import EncoderSettings, LevelSettings, Quantization, encode
from conformance.nnc.encoder import UpdateSettings as Update
from conformance.nnc.state import DecoderState
from conformance.plan.requests import files_in
from conformance.tensorfiles import open_tensors, tensor_digest
from conformance.verdicts import MalformedError, NotRunError, UnsupportedError, Verdict
from tests import tiny_submission
from tests.hang import no_hang
from tests.jobs.in_process import Evaluation
from tests.jobs.made import a_job
from tests.tiny_chain import Parameters, TinyChain, added, difference

SETTINGS = EncoderSettings(quantization=Quantization(qp=-38))
OPTIONS = Options(dimensions={"fc.weight": (6, 3), "fc.bias": (3,)})


@pytest.fixture
def chain(tmp_path: Path) -> TinyChain:
    return TinyChain(tmp_path / "tiny")


def kept(evaluation: Evaluation, sample: str, part: int = 0) -> Parameters:
    folder = evaluation.evidence("state", sample, part=part).folder
    with open_tensors(folder / "parameters.safetensors", display="", limit_bytes=10**6) as held:
        return {name: held[name].copy() for name in held}


def assert_state(evaluation: Evaluation, sample: str, state: Parameters, part: int = 0) -> None:
    found = kept(evaluation, sample, part)
    assert found.keys() == state.keys()
    for name in state:
        assert found[name].dtype == state[name].dtype
        np.testing.assert_array_equal(found[name], state[name])
    facts = evaluation.result("state", sample, part=part)["tensors"]
    assert {n: f["sha256"] for n, f in facts.items()} == {
        name: tensor_digest(array) for name, array in state.items()
    }


# --- Tensor differences


def test_a_chain_is_the_sum_of_its_differences(chain: TinyChain) -> None:
    chain.whole()
    parent = "base"
    for number in range(6):
        chain.update(f"u{number}", parent)
        parent = f"u{number}"
    evaluation = Evaluation(chain.save())
    for number in range(6):
        assert_state(evaluation, f"u{number}", chain.states[f"u{number}"])


def test_what_an_update_does_not_hold_does_not_change(chain: TinyChain) -> None:
    chain.whole()
    bias = {"fc.bias": difference(1)["fc.bias"]}
    chain.update("u", "base", bias)
    evaluation = Evaluation(chain.save())
    assert_state(evaluation, "u", chain.states["u"])
    measured = evaluation.result("state", "u", part=0)
    assert measured["changed"] == ["fc.bias"]
    assert (measured["held"], measured["base_tensors"]) == (1, 2)
    base = evaluation.result("state", "base", part=0)["tensors"]
    assert measured["tensors"]["fc.weight"] == base["fc.weight"]


def test_an_update_of_the_original_begins_with_its_parameters(chain: TinyChain) -> None:
    chain.update("u", None)
    evaluation = Evaluation(chain.save())
    assert_state(evaluation, "u", added(tiny_submission.weights(), difference(1)))
    assert evaluation.done == ["model linear", "state u#0"]


def test_each_file_of_an_update_is_applied_in_order(chain: TinyChain) -> None:
    chain.update("u", None, difference(1), difference(2), difference(3))
    evaluation = Evaluation(chain.save())
    state = tiny_submission.weights()
    for part in range(3):
        state = added(state, difference(part + 1))
        assert_state(evaluation, "u", state, part)


def test_branches_start_at_the_same_state_and_are_merged_by_weight(chain: TinyChain) -> None:
    chain.whole()
    for device in "abc":
        chain.update(f"{device}-1")
    chain.merge("merged", **{"a-1": 331.0, "b-1": 340.0, "c-1": 7.5})
    chain.update("next", "merged")
    evaluation = Evaluation(chain.save())
    for sample in ("a-1", "b-1", "c-1", "merged", "next"):
        assert_state(evaluation, sample, chain.states[sample])


def test_float16_differences_are_added_to_float32(chain: TinyChain) -> None:
    chain.whole()
    half = {name: array.astype(np.float16) for name, array in difference(1).items()}
    chain.update("u", "base", half)
    assert_state(Evaluation(chain.save()), "u", chain.states["u"])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.sampled_from(["both", "fc.weight", "fc.bias"])),
        min_size=1,
        max_size=5,
    )
)
def test_any_tree_of_differences(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    chain = TinyChain(tmp_path_factory.mktemp("tree") / "tiny")
    chain.whole()
    names: list[str | None] = [None, "base"]
    for number, (parent, held) in enumerate(steps):
        whole = difference(number, 1.0)
        some = whole if held == "both" else {held: whole[held]}
        chain.update(f"u{number}", names[parent % len(names)], some)
        names.append(f"u{number}")
    chain.metadata["samples"].reverse()
    evaluation = Evaluation(chain.save())
    for name in names[2:]:
        assert name is not None
        assert_state(evaluation, name, chain.states[name])


# --- NNC


def nnc_tools(**more: object) -> EncoderSettings:
    return replace(SETTINGS, update=Update(temporal=True), **more)  # type: ignore[arg-type]


def nnc_chain(chain: TinyChain, length: int, settings: EncoderSettings) -> None:
    """Add an NNC base and updates; their states are computed without the suite."""
    ours, theirs = DecoderState(), DecoderState()
    data = encode(chain.original, SETTINGS, ours)
    chain.stream("nnc", "nnc", data)
    state = dict(decode(data, state=theirs))
    chain.states["nnc"] = state
    for number in range(length):
        data = encode(difference(number, 0.1), settings, ours)
        parent = f"n{number - 1}" if number else "nnc"
        chain.stream(f"n{number}", parent, data)
        state = added(state, dict(decode(data, OPTIONS, state=theirs)))
        chain.states[f"n{number}"] = state


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, update=Update()),
        nnc_tools(levels=LevelSettings(history=True, row_skip=True)),
        nnc_tools(dimensions_in_stream=False),
    ],
    ids=["plain", "temporal-history-rows", "without-dimensions"],
)
def test_an_nnc_chain_is_the_sum_of_what_the_decoder_gives(
    chain: TinyChain, settings: EncoderSettings
) -> None:
    nnc_chain(chain, 4, settings)
    evaluation = Evaluation(chain.save())
    for number in reversed(range(4)):
        assert_state(evaluation, f"n{number}", chain.states[f"n{number}"])


PARENT_OF_ROUND_2 = {
    "parent_node_id_present_flag": 1,
    "parent_node_id_type": 0,
    "parent_device_id": 0,
    "parent_put_node_depth": 1,
}


def test_contexts_may_be_those_of_another_sample(chain: TinyChain) -> None:
    """A device goes on with its own levels, though all devices start from one merged network."""
    ours = DecoderState()
    base = encode(chain.original, SETTINGS, ours)
    chain.stream("nnc", "nnc", base)
    first = encode(difference(1, 0.1), nnc_tools(), ours)
    second = encode(difference(2, 0.1), nnc_tools(node_ids=False, unit=PARENT_OF_ROUND_2), ours)
    chain.stream("a-1", "nnc", first)
    chain.stream("global-1", "nnc", encode(difference(3, 0.1), replace(SETTINGS, update=Update())))
    made = chain.stream("a-2", "global-1", second)
    made["update_of"]["contexts_of"] = "a-1"
    made["claims"]["cumulative_size"] += len(first)
    evaluation = Evaluation(chain.save())
    theirs = DecoderState()
    decoded = [dict(decode(each, state=theirs)) for each in (base, first, second)]
    sent = dict(decode((chain.root / "global-1.nnc").read_bytes()))
    assert_state(evaluation, "a-2", added(added(decoded[0], sent), decoded[2]))
    needed = a_job(chain.submission(), "state", sample="a-2").needs()
    assert [job.name for job in needed] == ["model linear", "state global-1#0", "state a-1#0"]


def test_renamed_tensors_find_their_shapes_and_need_no_entry_when_absent(chain: TinyChain) -> None:
    ours = DecoderState()
    renamed = {"W": chain.original["fc.weight"], "B": chain.original["fc.bias"]}
    entries = [{"sample": "W", "model": "fc.weight"}, {"sample": "B", "model": "fc.bias"}]
    base = encode(renamed, SETTINGS, ours)
    chain.stream("nnc", "nnc", base, name_map=entries)
    only = {"B": difference(1, 0.1)["fc.bias"]}
    more = encode(only, nnc_tools(dimensions_in_stream=False), ours)
    chain.stream("u", "nnc", more, name_map=entries)
    theirs = DecoderState()
    first = dict(decode(base, state=theirs))
    second = dict(decode(more, Options(dimensions={"B": (3,)}), state=theirs))
    state = {"fc.weight": first["W"], "fc.bias": first["B"] + second["B"]}
    assert_state(Evaluation(chain.save()), "u", state)


def test_updates_of_a_network_that_cannot_be_kept_say_why(chain: TinyChain) -> None:
    graph = onnx.load_model_from_string(tiny_submission.model_bytes(chain.original))
    graph.opset_import[0].version, graph.ir_version = 21, 10
    graph.graph.initializer.append(helper.make_tensor("q", TensorProto.INT4, [3], [1, 2, 3]))
    graph.graph.initializer.append(helper.make_tensor("scale", TensorProto.FLOAT, [], [0.5]))
    graph.graph.node[-1].output[0] = "sum"
    graph.graph.node.append(helper.make_node("DequantizeLinear", ["q", "scale"], ["more"]))
    graph.graph.node.append(helper.make_node("Add", ["sum", "more"], ["logits"]))
    (chain.root / "model.onnx").write_bytes(graph.SerializeToString())
    chain.metadata["models"][0]["files"] = [tiny_submission.entry(chain.root, "model.onnx")]
    chain.update("u", None, named=False)
    chain.update("v", "u", named=False)
    evaluation = Evaluation(chain.save())
    cases: tuple[tuple[str, str, Verdict], ...] = (
        ("state", "u", Verdict.UNSUPPORTED),
        ("state", "v", Verdict.NOT_RUN),
        ("decode", "u", Verdict.NOT_RUN),
        ("decode", "v", Verdict.NOT_RUN),
    )
    for kind, sample, verdict in cases:
        part = {"part": 0} if kind == "state" else {}
        error = evaluation.evidence(kind, sample, **part).error
        assert error is not None
        assert error.verdict is verdict
        assert error.message == "the parameter 'q' is of a type that nothing can be built upon"
        assert error.where is not None
        assert (error.where.file, error.found) == ("u-0.safetensors", "int4")
        assert error.fix == "submit each network as a sample of its own"


# --- What it costs


def test_every_step_is_decoded_once_whatever_is_asked_for(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u0")
    chain.update("u1", "u0")
    evaluation = Evaluation(chain.save())
    for sample in ("u1", "u0", "base"):
        evaluation.result("reconstruction", sample, vectors="test")
    counted = [name for name in evaluation.done if name.startswith("state")]
    assert counted == ["state base#0", "state u0#0", "state u1#0"]
    assert [evaluation.asked.count(kind) for kind in ("state", "original", "run")] == [3, 1, 4]


def test_the_next_run_decodes_nothing(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u0")
    root = chain.save()
    first = Evaluation(root)
    found = first.result("reconstruction", "u0", vectors="test")
    second = Evaluation(root)
    assert second.result("reconstruction", "u0", vectors="test") == found
    assert second.asked == []


def test_a_thousand_steps_are_one_request_each_also_when_listed_in_reverse(
    chain: TinyChain,
) -> None:
    chain.whole()
    parent = "base"
    for number in range(1000):
        chain.update(f"u{number}", parent, {"fc.bias": difference(number)["fc.bias"]})
        parent = f"u{number}"
    chain.metadata["samples"].reverse()
    evaluation = Evaluation(chain.save())
    with no_hang(600):
        assert_state(evaluation, "u999", chain.states["u999"])
    assert evaluation.asked == ["model", "parameters", *["state"] * 1001]
    evaluation.asked.clear()
    evaluation.result("decode", "u999")
    assert evaluation.asked == ["decoded-states"]


# --- Keys


def keys(chain: TinyChain) -> dict[str, str]:
    evaluation = Evaluation(chain.save())
    ids = [sample["id"] for sample in chain.metadata["samples"]]
    found = {each: evaluation.evidence("decode", each).key for each in ids}
    assert all(found.values())
    return found


def rewritten(chain: TinyChain, id: str, seed: int) -> None:
    """Write the file of an update anew, with another difference and no parent."""
    sample = next(each for each in chain.metadata["samples"] if each["id"] == id)
    name = chain.file(
        sample["files"][0]["rel_filepath"].removesuffix(".safetensors"), difference(seed), None
    )
    sample["files"] = [tiny_submission.entry(chain.root, name)]


def test_a_changed_step_changes_the_keys_of_all_that_follow_and_no_other(chain: TinyChain) -> None:
    chain.whole()
    for name, of in (("a-1", "base"), ("b-1", "base"), ("a-2", "a-1"), ("own", None)):
        chain.update(name, of, named=False)
    chain.merge("m", **{"a-2": 1.0, "b-1": 1.0})
    chain.update("next", "m", named=False)
    before = keys(chain)
    rewritten(chain, "a-1", 77)
    after = keys(chain)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"a-1", "a-2", "m", "next"}


def test_weights_titles_and_claims(chain: TinyChain) -> None:
    chain.whole()
    chain.update("a")
    chain.update("b")
    merge = chain.merge("m", a=1.0, b=1.0)
    before = keys(chain)
    merge["claims"]["cumulative_size"] += 1
    merge["title"] = "another"
    assert keys(chain) == before
    merge["merge_of"][0]["weight"] = 2
    after = keys(chain)
    assert {name for name in before if before[name] != after[name]} == {"m"}


def test_what_a_case_reads_itself_is_its_own_file(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u", "base", difference(1), difference(2))
    submission = chain.submission()
    state = a_job(submission, "state", sample="u", part=1)
    read = files_in(state.request(dict.fromkeys(state.results(), "")))
    assert [state.files()[ref.role].rel_filepath for ref in read] == ["u-1.safetensors"]
    assert [job.name for job in state.needs()] == ["model linear", "state u#0"]
    run = a_job(submission, "run-sample", sample="u")
    assert [job.name for job in run.results().values()] == ["state u#1"]


# --- What goes wrong


def test_an_error_travels_down_the_chain_as_what_was_not_run(chain: TinyChain) -> None:
    chain.whole()
    chain.update("a")
    chain.update("b", "a")
    chain.update("c", "b")
    broken = chain.root / "a-0.safetensors"
    broken.write_bytes(b"\xff" * 64)
    chain.metadata["samples"][1]["files"] = [tiny_submission.entry(chain.root, broken.name)]
    evaluation = Evaluation(chain.save())
    broken_error = evaluation.evidence("state", "a", part=0).error
    assert isinstance(broken_error, MalformedError)
    for sample in ("b", "c"):
        error = evaluation.evidence("state", sample, part=0).error
        assert isinstance(error, NotRunError)
        assert error.message == "state a#0 must succeed first"
        assert error.found == broken_error.message
        assert "fix the findings on state a#0 first" in error.fix
    assert evaluation.asked.count("state") == 2


def test_a_file_that_is_not_as_declared_stops_the_chain_where_it_is(chain: TinyChain) -> None:
    chain.whole()
    chain.update("a")
    chain.update("b", "a")
    chain.metadata["samples"][1]["files"][0]["sha256"] = "0" * 64
    evaluation = Evaluation(chain.save())
    error = evaluation.evidence("state", "b", part=0).error
    assert error is not None
    assert "a-0.safetensors is not the file that was declared" in error.message
    assert error.verdict is Verdict.NOT_RUN
    assert "state" not in evaluation.asked


def test_a_step_that_names_another_parent_is_not_applied(chain: TinyChain) -> None:
    chain.whole()
    chain.update("a")
    chain.update("b", "a")
    chain.metadata["samples"][2]["update_of"] = {"sample": "base"}
    evaluation = Evaluation(chain.save())
    measured = evaluation.result("state", "b", part=0)
    assert (measured["usable"], measured["tensors"], measured["digest"]) == (False, {}, None)
    assert len(measured["identity"]["wrong"]) == 1
    assert not list(evaluation.evidence("state", "b", part=0).folder.glob("*.safetensors"))
    error = evaluation.evidence("decode", "b").error
    assert error is not None
    assert error.found == "a different parent than the one that it names"


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"fc.else": np.ones(3, np.float32)}, "a tensor 'fc.else' that its base lacks"),
        ({"fc.bias": np.ones((1, 3), np.float32)}, "'fc.bias' of the update has another shape"),
        ({"fc.bias": np.ones(3, np.complex64)}, "cannot be added in the type of its base"),
    ],
    ids=["unknown", "shape", "type"],
)
def test_what_does_not_fit_leaves_no_state(
    chain: TinyChain, tensors: Parameters, message: str
) -> None:
    chain.whole()
    chain.states["odd"] = chain.states["base"]
    name = chain.file("odd", tensors, None)
    made = chain.sample("odd", [name], [])
    chain.derived(made, "odd", [name], ["base"], {"sample": "base"})
    evaluation = Evaluation(chain.save())
    measured = evaluation.result("state", "odd", part=0)
    (problem,) = measured["coverage"]
    assert message in problem["message"]
    assert problem["file"] == "odd.safetensors"
    assert (measured["usable"], measured["altered"]) == (False, [])


def test_a_name_map_that_names_no_tensor_of_the_update_is_fine_but_not_of_a_base(
    chain: TinyChain,
) -> None:
    entries = [{"sample": "gone", "model": "fc.bias"}]
    chain.whole()["name_map"] = entries
    chain.update("u", None, {"fc.weight": difference(1)["fc.weight"]}, name_map=entries)
    evaluation = Evaluation(chain.save())
    assert_state(evaluation, "u", chain.states["u"])
    chain.update("v", "base", named=False)
    error = Evaluation(chain.save()).evidence("state", "base", part=0).error
    assert error is not None
    assert "the name map does not fit the sample" in error.message


# --- A codec of ones own


class Altering:
    """A codec that writes into the base it is given."""

    codec_id = "altering"

    def decode(self, source: object) -> DecodedTensors:
        raise AssertionError("never asked for")

    def decode_step(self, source: object, base: object) -> Step:
        array = base.memory.arrays["mine"] if base is not None and base.memory.arrays else None
        if array is not None:
            array += 1
        tensors = DecodedTensors({}, features=(), stored_bits={}, close=lambda: None)
        memory = Memory(arrays={"mine": np.zeros(2, np.float32)})
        return Step(tensors, memory, Identity(1, {}), 1)


class Plain:
    """A codec that knows nothing of chains."""

    codec_id = "plain"

    def decode(self, source: object) -> DecodedTensors:
        values = {"fc.bias": lambda: np.ones(3, np.float32)}
        return DecodedTensors(values, features=("ones",), stored_bits={}, close=lambda: None)


@pytest.fixture
def own_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    from conformance.codecs import Codec
    from conformance.jobs import context as work

    def codec(name: str) -> Codec:
        made: Codec = {"altering": Altering, "plain": Plain}[name]()
        return made

    monkeypatch.setattr(work, "codec", codec)


@pytest.mark.usefixtures("own_codecs")
def test_a_codec_that_alters_the_memory_of_its_base_is_noticed(chain: TinyChain) -> None:
    own = {"codec": {"id": "altering", "params": {}}}
    chain.update("a", None, **own)
    chain.update("b", "a", **own)
    evaluation = Evaluation(chain.save())
    assert evaluation.result("state", "a", part=0)["altered"] == []
    assert evaluation.result("state", "b", part=0)["altered"] == ["mine"]


@pytest.mark.usefixtures("own_codecs")
def test_a_codec_that_knows_nothing_of_chains_gives_differences_too(chain: TinyChain) -> None:
    chain.update("a", None, codec={"id": "plain", "params": {}})
    evaluation = Evaluation(chain.save())
    ones = {"fc.bias": np.ones(3, np.float32)}
    assert_state(evaluation, "a", added(chain.original, ones))
    assert (
        evaluation.result("state", "a", part=0)["size"]
        == (chain.root / "a-0.safetensors").stat().st_size
    )


def test_a_network_of_its_own_cannot_be_added(chain: TinyChain) -> None:
    chain.update("a", None, codec={"id": "onnx", "params": {}})
    (chain.root / "a-0.safetensors").write_bytes((chain.root / "model.onnx").read_bytes())
    chain.metadata["samples"][0]["files"] = [tiny_submission.entry(chain.root, "a-0.safetensors")]
    error = Evaluation(chain.save()).evidence("state", "a", part=0).error
    assert isinstance(error, UnsupportedError)


def test_tensors_of_a_bitstream_may_be_called_anything(chain: TinyChain) -> None:
    """Names are mapped to those of the model; the memory between two steps keeps them."""
    weight, bias = "\x1f" + "x" * 1500, "__metadata__"
    entries = [{"sample": weight, "model": "fc.weight"}, {"sample": bias, "model": "fc.bias"}]
    ours, theirs = DecoderState(), DecoderState()
    state: Parameters = {}
    for number in range(3):
        before = chain.original if number == 0 else difference(number, 0.1)
        renamed = {weight: before["fc.weight"], bias: before["fc.bias"]}
        data = encode(renamed, nnc_tools() if number else SETTINGS, ours)
        chain.stream(f"s{number}", f"s{max(0, number - 1)}", data, name_map=entries)
        found = dict(decode(data, state=theirs))
        more = {"fc.weight": found[weight], "fc.bias": found[bias]}
        state = added(state, more) if state else more
    assert_state(Evaluation(chain.save()), "s2", state)


# --- Samples that are lossless, or compared with what cannot be compared


def test_a_lossless_update_is_held_against_the_original(chain: TinyChain) -> None:
    """The chain leads away from the original, and back to its very bits."""
    ones = {"fc.bias": np.ones(3, np.float32)}
    chain.original["fc.bias"][:] = [0.5, 1.0, -2.0]
    (chain.root / "model.onnx").write_bytes(tiny_submission.model_bytes(chain.original))
    chain.metadata["models"][0]["files"] = [tiny_submission.entry(chain.root, "model.onnx")]
    chain.update("there", None, ones)
    back = chain.update("back", "there", {"fc.bias": -ones["fc.bias"]})
    back.update(lossless=True, metrics=[])
    away = chain.update("away", "back", ones)
    away.update(lossless=True, metrics=[])
    evaluation = Evaluation(chain.save())
    assert evaluation.result("decode", "back")["lossless"]["differences"] == []
    (told,) = evaluation.result("decode", "away")["lossless"]["differences"]
    assert told["tensor"] == "fc.bias"


def test_the_error_of_every_parameter_is_told_of_an_update(chain: TinyChain) -> None:
    chain.update("u", None, {"fc.bias": np.full(3, 0.25, np.float32)})
    found = Evaluation(chain.save()).result("decode", "u")["parameters"]
    assert set(found) == {"fc.weight", "fc.bias"}
    assert found["fc.weight"]["max_abs_error"] == 0
    assert found["fc.bias"]["max_abs_error"] == pytest.approx(0.25)


def test_values_that_overflow_make_an_update_unusable(chain: TinyChain) -> None:
    large = {"fc.bias": np.full(3, np.finfo(np.float32).max, np.float32)}
    chain.update("u", None, large, named=False)
    chain.update("v", "u", large, named=False)
    evaluation = Evaluation(chain.save())
    assert evaluation.result("decode", "u")["usable"]
    assert not evaluation.result("decode", "v")["usable"]
    error = evaluation.evidence("reconstruction", "v", vectors="test").error
    assert isinstance(error, NotRunError)
    assert "not finite" in error.found


def test_features_of_all_files_are_those_of_the_update(chain: TinyChain) -> None:
    half = {name: array.astype(np.float16) for name, array in difference(1).items()}
    chain.update("u", None, difference(2), half)
    found = Evaluation(chain.save()).result("decode", "u")["features"]
    assert found == ["float16", "float32", "format:safetensors", "parent:sha256"]
