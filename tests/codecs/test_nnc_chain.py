"""NNC bitstreams upon one another: parents first, then levels; the state is plain data between."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.codecs import Base, ChainCodec, Memory, Source, Step, codec
from conformance.nnc import decode
from conformance.nnc.encoder import Block, LevelSettings, encode
from conformance.nnc.state import DecoderState
from conformance.tensorfiles import open_tensors, write_tensors
from conformance.verdicts import ConformanceError, MalformedError, UnsupportedError
from tests.nnc.chains.making import SETTINGS, base, digests, tensors, update

SHAPES = {"w": (6, 5), "b": (5,)}
TOOLS = {"levels": LevelSettings(row_skip=True, history=True)}


def step(
    folder: Path, stream: bytes, before: Base | None = None, *, units: Any = (), **params: Any
) -> Step:
    path = folder / "step.nnc"
    path.write_bytes(stream)
    decoder = codec("nnc")
    assert isinstance(decoder, ChainCodec)
    return decoder.decode_step(Source((path,), ("shown.nnc",), params, 10**7, units), before)


def upon(memory: Memory) -> Base:
    return Base("0" * 64, SHAPES, memory)


def kept_in_files(memory: Memory, folder: Path) -> Memory:
    """Write and read the memory, as it is between two processes."""
    write_tensors(folder / "memory.safetensors", memory.arrays)
    texts = json.loads(json.dumps({"facts": dict(memory.facts), "nodes": dict(memory.nodes)}))
    with open_tensors(folder / "memory.safetensors", display="memory", limit_bytes=10**7) as held:
        arrays = {name: held[name].copy() for name in held}
    return Memory(arrays, texts["facts"], texts["nodes"])


def chain_of(seeds: list[int], **how: Any) -> list[bytes]:
    state = DecoderState()
    return [base(state), *(update(seed, state, **how) for seed in seeds)]


def in_one_process(streams: list[bytes]) -> list[dict[str, np.ndarray]]:
    state = DecoderState()
    return [dict(decode(stream, state=state)) for stream in streams]


def step_by_step(streams: list[bytes], folder: Path) -> list[dict[str, np.ndarray]]:
    memory, found = None, []
    for stream in streams:
        made = step(folder, stream, None if memory is None else upon(memory))
        assert made.identity.wrong == ()
        with made.tensors as decoded:
            found.append({name: decoded[name] for name in decoded})
        memory = kept_in_files(made.memory, folder)
    return found


def assert_same(ours: list[dict[str, np.ndarray]], theirs: list[dict[str, np.ndarray]]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].dtype == other[name].dtype
            assert one[name].tobytes() == other[name].tobytes(), name


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"temporal": True},
        {"temporal": True, "more": TOOLS},
        {"temporal": True, "keep_zero": True, "more": TOOLS},
    ],
    ids=["plain", "temporal", "temporal-history-rows", "zeros-are-coded"],
)
def test_steps_kept_in_files_are_the_chain_in_one_process(tmp_path: Path, how: Any) -> None:
    streams = chain_of([1, 2, 3, 4], **how)
    assert_same(step_by_step(streams, tmp_path), in_one_process(streams))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from([("w", "b"), ("w",), ("b",)]), min_size=1, max_size=5),
    st.integers(0, 2**31),
)
def test_tensors_that_come_and_go_keep_their_contexts(
    tmp_path_factory: pytest.TempPathFactory, held: list[tuple[str, ...]], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("chain")
    state = DecoderState()
    streams = [base(state)]
    for place, names in enumerate(held):
        every = tensors((seed + place) % 2**31)
        arrays = {name: every[name] for name in names}
        streams.append(update(0, state, arrays=arrays, temporal=True, more=TOOLS))
    assert_same(step_by_step(streams, folder), in_one_process(streams))


def test_a_step_gives_the_tensors_it_holds_and_no_other(tmp_path: Path) -> None:
    state = DecoderState()
    first = step(tmp_path, base(state))
    later = step(tmp_path, update(1, state, arrays={"b": tensors(1)["b"]}), upon(first.memory))
    assert (set(first.tensors), set(later.tensors)) == ({"w", "b"}, {"b"})
    assert set(later.memory.nodes) == {"w", "b"}
    assert later.memory.nodes["w"] == first.memory.nodes["w"]
    assert later.memory.nodes["b"] != first.memory.nodes["b"]


def test_a_stream_whose_units_name_a_parent_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="holds differences to a parent"):
        step(tmp_path, chain_of([1])[1])


def test_size_and_places_are_those_of_the_bitstream(tmp_path: Path) -> None:
    first, second = chain_of([1])
    made = step(tmp_path, second, upon(step(tmp_path, first).memory))
    assert (made.size, made.units) == (len(second), 0)
    assert (made.identity.places, dict(made.identity.named)) == (2, {"node": 2})


@pytest.mark.parametrize("kind", ["sha256", "sha512"])
def test_hashes_of_the_true_parent_are_accepted(tmp_path: Path, kind: str) -> None:
    state = DecoderState()
    first = base(state)
    second = update(1, state, parent_id=kind, parent_digests=digests(first, kind))
    made = step(tmp_path, second, upon(kept_in_files(step(tmp_path, first).memory, tmp_path)))
    assert (made.identity.wrong, dict(made.identity.named)) == ((), {kind: 2})
    assert len(made.tensors) == 2


@pytest.mark.parametrize("kind", ["sha256", "sha512"])
def test_nothing_is_decoded_upon_another_parent(tmp_path: Path, kind: str) -> None:
    state = DecoderState()
    first = base(state)
    wrong = digests(update(9), kind)
    stream = update(1, state, temporal=True, parent_id=kind, parent_digests=wrong)
    made = step(tmp_path, stream, upon(step(tmp_path, first).memory))
    assert len(made.tensors) == 0
    assert made.memory == Memory()
    told = made.identity.wrong[0]
    assert (told.tensor, told.expected, told.found) == ("w", digests(first, kind)["w"], wrong["w"])
    assert told.where.file == "shown.nnc"
    assert told.where.byte_offset
    assert f"parent_node_payload_{kind}" in (told.where.element or "")
    assert json.loads(json.dumps(told.to_json()))["tensor"] == "w"


def test_a_step_is_not_applied_twice(tmp_path: Path) -> None:
    first, second = chain_of([1])
    once = step(tmp_path, second, upon(step(tmp_path, first).memory))
    again = step(tmp_path, second, upon(once.memory))
    assert "put_node_depth" in again.identity.wrong[0].expected


def test_levels_of_a_missing_step_are_missed(tmp_path: Path) -> None:
    """Contexts without the levels that they look at: the nodes alone are right."""
    state = DecoderState()
    first = base(state)
    second = update(1, state, temporal=True)
    nodes = step(tmp_path, first).memory.nodes
    with pytest.raises(UnsupportedError, match="levels that were not decoded before"):
        step(tmp_path, second, upon(Memory(nodes=nodes)))


def test_shapes_are_those_of_the_base_where_the_update_states_none(tmp_path: Path) -> None:
    state = DecoderState()
    first = base(state)
    second = update(1, state, more={"dimensions_in_stream": False})
    made = step(tmp_path, second, upon(step(tmp_path, first).memory))
    assert {name: array.shape for name, array in made.tensors.items()} == SHAPES


def test_shapes_of_a_whole_network_have_to_be_given(tmp_path: Path) -> None:
    stream = base(dimensions_in_stream=False)
    with pytest.raises((MalformedError, UnsupportedError)):
        step(tmp_path, stream)
    made = step(tmp_path, stream, dimensions={name: list(SHAPES[name]) for name in SHAPES})
    assert made.tensors["w"].shape == SHAPES["w"]


def test_declared_dimensions_come_before_those_of_the_base(tmp_path: Path) -> None:
    state = DecoderState()
    first = base(state)
    second = update(1, state, more={"dimensions_in_stream": False})
    before = upon(step(tmp_path, first).memory)
    made = step(tmp_path, second, before, dimensions={"w": [5, 6]})
    assert made.tensors["w"].shape == (5, 6)


def test_the_base_of_a_step_is_left_alone(tmp_path: Path) -> None:
    streams = chain_of([1], temporal=True, more=TOOLS)
    memory = step(tmp_path, streams[0]).memory
    before = {name: array.copy() for name, array in memory.arrays.items()}
    nodes = json.dumps(memory.nodes)
    step(tmp_path, streams[1], upon(memory))
    for name, array in memory.arrays.items():
        np.testing.assert_array_equal(array, before[name])
    assert json.dumps(memory.nodes) == nodes


def test_the_memory_has_no_names_that_can_be_mistaken(tmp_path: Path) -> None:
    """Names of tensors are any text: colons too."""
    odd = {"history:w": tensors(0)["w"], "reference:b": tensors(0)["b"], "#": tensors(1)["b"]}
    state = DecoderState()
    streams = [encode(odd, SETTINGS, state)]
    streams.append(update(0, state, arrays=odd, temporal=True, more=TOOLS))
    assert_same(step_by_step(streams, tmp_path), in_one_process(streams))


def test_units_are_a_step_of_their_own(tmp_path: Path) -> None:
    stream = base()
    made = step(tmp_path, stream, units=((0, 3),))
    assert (set(made.tensors), made.units) == ({"w"}, 5)
    assert made.size < len(stream)
    later = step(tmp_path, stream, upon(made.memory), units=((4, 4),))
    assert set(later.tensors) == {"b"}
    assert made.size + later.size == len(stream)


def test_units_out_of_the_file_are_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="no unit 9") as caught:
        step(tmp_path, base(), units=((0, 9),))
    assert caught.value.where is not None
    assert (caught.value.where.file or "").startswith("shown.nnc")


def test_what_is_wrong_within_units_is_told_with_the_units(tmp_path: Path) -> None:
    stream = base(dimensions_in_stream=False)
    with pytest.raises(UnsupportedError) as caught:
        step(tmp_path, stream, units=((0, 4),))
    assert caught.value.where is not None
    assert caught.value.where.file == "shown.nnc (units 0-4)"


def test_an_update_is_examined_as_part_of_its_chain(tmp_path: Path) -> None:
    first, second = chain_of([1], temporal=True)
    made = step(tmp_path, second, upon(step(tmp_path, first).memory))
    assert made.tensors.inspect is not None
    assert made.tensors.inspect().violations == ()


def test_blocks_of_an_update_have_the_shapes_of_the_base(tmp_path: Path) -> None:
    block = (Block({"weight": "w", "bias": "b"}),)
    arrays = {"w": tensors(0)["w"], "b": np.ones(6, np.float32)}
    more = {"blocks": block, "dimensions_in_stream": False}
    second = update(1, None, arrays=arrays, more=more)
    shapes = {"w": (6, 5), "b": (6,)}
    made = step(tmp_path, second, replace(upon(Memory()), shapes=shapes))
    assert {name: array.shape for name, array in made.tensors.items()} == shapes


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    st.sampled_from([(), ((0, 3),), ((0, 2), (4, 4)), ((4, 9),)]),
    st.integers(0, 40),
)
def test_damaged_steps_are_decoded_or_refused_and_the_base_stays(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, int]],
    units: Any,
    cut: int,
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    memory = step(folder, FIRST).memory
    before = {name: array.tobytes() for name, array in memory.arrays.items()}
    damaged = bytearray(SECOND)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    with suppress(ConformanceError):
        made = step(folder, bytes(damaged[: len(damaged) - cut]), upon(memory), units=units)
        json.dumps([wrong.to_json() for wrong in made.identity.wrong])
        with made.tensors as decoded:
            for name in decoded:
                assert isinstance(decoded[name], np.ndarray)
            if decoded.inspect:
                json.dumps(dict(decoded.inspect().claims))
    assert {name: array.tobytes() for name, array in memory.arrays.items()} == before


FIRST, SECOND = chain_of([1], temporal=True, more=TOOLS)
