"""The bitstream vectors can be written again, and the scripts that write them check themselves."""

import importlib.metadata
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import nnc_vectors
import numpy as np
import pytest
from nnc_arrays import drifting, laplacian, shared, steps, trained, with_empty_rows
from nnc_build import (
    NEXT_STATE,
    Coding,
    Member,
    StreamBuilder,
    codebook_elements,
    scanned,
    step_of,
    unmapped,
)
from nnc_cases import FIRST, SECOND, Case, CodedStream, Place, write_case
from nnc_own_cases import OwnRecipe, own_case
from nnc_own_recipes import own_recipes
from nnc_recipes import peer_recipes

from conformance.nnc.decoder import decode
from conformance.nnc.quantization import Codebook, codebook_of
from tests.vectors.bitstream_cases import BITSTREAMS, CASES, ROOT

ENTERING = ("numpy", "safetensors")
"""Distributions whose version may change the streams of our own encoder."""


def require_locked_versions():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", lock, re.MULTILINE))
    found = {name: importlib.metadata.version(name) for name in ENTERING}
    differing = {name: version for name, version in found.items() if version != pinned[name]}
    if differing:
        pytest.skip(f"installed and locked versions differ: {differing}")


def differing(root, made_by):
    files = [path for path in root.rglob("*") if path.is_file()]
    written = {path.relative_to(root): path.read_bytes() for path in files}
    kept = {
        path.relative_to(BITSTREAMS): path.read_bytes()
        for case in CASES
        if case.document["made_by"] in made_by
        for path in case.folder.iterdir()
    }
    return sorted(str(p) for p in written.keys() | kept.keys() if written.get(p) != kept.get(p))


def test_writing_our_own_cases_again_gives_the_same_bytes(tmp_path):
    require_locked_versions()
    nnc_vectors.write_vectors(tmp_path, None)
    assert differing(tmp_path, {"nnr-conformance"}) == []


def test_writing_all_cases_again_gives_the_same_bytes(tmp_path):
    require_locked_versions()
    if "NNCODEC_PYTHON" not in os.environ:
        pytest.skip("NNCODEC_PYTHON does not name an interpreter with NNCodec 2.1.3")
    nnc_vectors.write_vectors(tmp_path, os.environ["NNCODEC_PYTHON"])
    assert differing(tmp_path, {"nnr-conformance", "NNCodec 2.1.3"}) == []


def test_every_recipe_has_its_case_and_every_case_its_recipe():
    places = [recipe.place for recipe in (*own_recipes(), *peer_recipes())]
    nnc_vectors.require_unique(places)
    assert {place.below(BITSTREAMS) for place in places} == {case.folder for case in CASES}


def test_two_recipes_of_one_place_are_refused():
    place = Place(SECOND, "scan", "8x8")
    with pytest.raises(ValueError, match="same place"):
        nnc_vectors.require_unique([place, Place(FIRST, "scan", "8x8"), place])


@pytest.mark.parametrize(
    ("says", "decoded"),
    [
        (True, [None]),
        (True, [{"w": np.ones(3, np.float32)}]),
        (True, [{}]),
        (False, [{"w": np.zeros(3, np.float32)}]),
    ],
)
def test_an_untrue_word_about_nncodec_is_noticed(monkeypatch, says, decoded):
    case = own_case(recipe(peer=says))
    monkeypatch.setattr(nnc_vectors, "decode_by_peer", lambda python, cases: [decoded])
    with pytest.raises(ValueError, match=f"NNCodec decodes it: {not says}"):
        nnc_vectors.check_decoders("python", [case])


@pytest.mark.parametrize(
    ("says", "decoded"), [(True, [{"w": np.zeros(3, np.float32)}]), (False, [None])]
)
def test_a_true_word_about_nncodec_is_taken(monkeypatch, says, decoded):
    case = own_case(recipe(peer=says))
    monkeypatch.setattr(nnc_vectors, "decode_by_peer", lambda python, cases: [decoded])
    nnc_vectors.check_decoders("python", [case])


def recipe(**changes):
    builder = StreamBuilder().begin()
    builder.add_tensor(Member("w", np.zeros(3, np.int32), qp=-8))
    return replace(OwnRecipe(Place(SECOND, "uniform", "tiny"), "Tiny", [builder]), **changes)


def test_a_case_replaces_what_was_in_its_folder(tmp_path):
    place = Place(SECOND, "unit", "two")
    streams = [CodedStream(b"\0"), CodedStream(b"\1", error={"kind": "malformed", "field": "f"})]
    write_case(tmp_path, Case(place, "Two", "nnr-conformance", {}, streams, []))
    write_case(tmp_path, Case(place, "One", "nnr-conformance", {}, streams[:1], []))
    folder = place.below(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"case.json", "stream.nnc"}
    document = json.loads((folder / "case.json").read_text("utf-8"))
    assert document["streams"][0]["sha256"].startswith("6e340b9c")


def test_a_case_describes_its_streams_in_order(tmp_path):
    error = {"kind": "malformed", "field": "scan_order"}
    tensors = {"größe": np.zeros((2, 3), np.int32)}
    streams = [CodedStream(b"\0", tensors, ["payload:int"]), CodedStream(b"\1", error=error)]
    place = Place(SECOND, "unit", "two")
    write_case(tmp_path, Case(place, "Two", "nnr-conformance", {}, streams, []))
    text = (place.below(tmp_path) / "case.json").read_text("utf-8")
    first, second = json.loads(text)["streams"]
    assert (first["file"], second["file"]) == ("stream-0.nnc", "stream-1.nnc")
    assert first["tensors"]["größe"]["shape"] == [2, 3]
    assert "größe" in text
    assert second["error"] == error
    assert "tensors" not in second


def test_nothing_that_is_written_names_a_place_of_this_machine():
    texts = [path.read_text("utf-8") for path in BITSTREAMS.rglob("case.json")]
    assert not [text for text in texts if "/tmp" in text or str(Path.home()) in text]


@pytest.mark.parametrize(
    ("qp", "density", "step"),
    [(0, 0, 1.0), (4, 2, 2.0), (-38, 2, 6 * 2.0**-12), (-1, 3, 15 * 2.0**-4), (9, 0, 512.0)],
)
def test_step_sizes_double_every_power_of_two_parameters(qp, density, step):
    assert step_of(qp, density) == step


def test_blocks_are_scanned_from_the_left_and_then_downwards():
    order = scanned(9, 10, 8)
    assert len(set(order)) == len(order) == 90
    assert order[:9] == [*((0, column) for column in range(8)), (1, 0)]
    assert order[64:67] == [(0, 8), (0, 9), (1, 8)]
    assert order[80] == (8, 0)
    assert scanned(2, 3, 0) == [(row, column) for row in range(2) for column in range(3)]
    assert scanned(0, 3, 8) == scanned(3, 0, 0) == []


def test_states_of_dependent_quantisation_take_one_off_towards_zero():
    levels = np.array([1, 1, -1, 0, 2, -3], np.int32)
    state, expected = 0, []
    for level in levels.tolist():
        expected.append(2 * level - (state & 1) * int(np.sign(level)))
        state = NEXT_STATE[state][level & 1]
    assert unmapped(Member("w", levels, qp=0), Coding(dependent=True)).tolist() == expected
    assert any(value % 2 for value in expected)


def test_dependent_levels_beyond_int32_wrap_before_their_sign_is_taken():
    high = 2**31 - 1
    levels = np.array([1, 0, 1, -high], np.int32)
    mapped = unmapped(Member("w", levels, qp=0), Coding(dependent=True))
    assert mapped[-1] in {1, 2}


@pytest.mark.parametrize("zero_offset", range(4))
def test_codebooks_survive_their_elements(zero_offset):
    book = Codebook((-7, -1, 5, 6), zero_offset)
    assert codebook_of(codebook_elements(book)) == book


def test_a_builder_knows_what_its_stream_decodes_to():
    builder = StreamBuilder(profile=0, density=3, parameter=-9).begin()
    builder.add_tensor(Member("w", steps(9, 11, low=-3, high=3), qp=-20), Coding(1, True, 4))
    builder.add_tensor(Member("n", steps(5, low=-99, high=99)))
    decoded = decode(builder.getvalue())
    assert decoded.keys() == builder.tensors.keys() == {"w", "n"}
    for name, expected in builder.tensors.items():
        assert decoded[name].dtype == expected.dtype
        assert np.array_equal(decoded[name], expected)


def test_arrays_are_the_same_every_time():
    assert np.array_equal(laplacian(30, 7, seed=3), laplacian(30, 7, seed=3))
    assert not np.array_equal(laplacian(30, 7, seed=3), laplacian(30, 7, seed=4))
    first, second = (drifting(laplacian(9, 8), 2) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_arrays_are_what_their_names_say():
    values = laplacian(200, 200, scale=0.04)
    assert values.dtype == np.float32
    assert np.abs(values).mean() == pytest.approx(0.04, rel=0.02)
    assert set(np.unique(steps(50, 50, low=-2, high=2))) == {-2, -1, 0, 1, 2}
    assert set(np.unique(shared(50, 50, values=(0.5, 0.25)))) == {0.25, 0.5}
    rows = with_empty_rows(laplacian(9, 4), every=3)
    assert np.flatnonzero(rows.any(axis=1)).tolist() == [0, 3, 6]
    assert trained("fc2.bias")["fc2.bias"].shape == (10,)
    assert len(trained()) == 16
