"""A state is kept in files, and read back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from conformance.codecs import Memory
from conformance.evidence.store import EVIDENCE
from conformance.jobs.chain_state import (
    State,
    keep_state,
    original_state,
    state_of,
    stored_state,
)
from conformance.plan.requests import Request
from conformance.tensorfiles import network_digest, tensor_digest
from conformance.verdicts import UnsupportedError
from tests.jobs.made import a_task

NETWORK: Any = SimpleNamespace(parameters={}, scalars={}, constants={}, everything={})
ANY_NAMES = st.text(max_size=8) | st.just("x" * 2000) | st.just("__metadata__")
NAMES = st.text("abc.:/ é", min_size=1, max_size=8).filter(lambda name: name.strip() == name)
VALUES = st.sampled_from([np.float32, np.float16, np.int8, np.int64, np.bool_]).flatmap(
    lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3))
)


def kept(folder: Path, state: State) -> State:
    keep_state(folder, state, "file")
    result = {
        "error": None,
        "result": {"tensors": {n: facts.to_json() for n, facts in state.facts.items()}},
    }
    (folder / EVIDENCE).write_text(json.dumps(result), encoding="utf-8")
    return stored_state(replace(a_task(Request()), results={"kept": folder}), "kept")


def test_facts_and_digest_are_those_of_the_parameters() -> None:
    values = {"w": np.ones((2, 3), np.float32), "b": np.zeros(2, np.float16)}
    state = state_of(values, Memory(), NETWORK)
    assert {name: facts.sha256 for name, facts in state.facts.items()} == {
        name: tensor_digest(array) for name, array in values.items()
    }
    assert state.digest == network_digest({n: tensor_digest(a) for n, a in values.items()})
    assert (state.facts["w"].dtype, state.facts["w"].shape) == ("float32", (2, 3))


def test_values_that_the_original_has_not_finite_either_do_not_count() -> None:
    masked = np.array([-np.inf, 1.0], np.float32)
    network: Any = SimpleNamespace(
        parameters={"mask": masked},
        scalars={},
        constants={"low": masked[:1]},
        everything={"mask": masked, "low": masked[:1]},
    )
    assert original_state(network).facts["mask"].non_finite == 0
    assert state_of({"low": masked[:1]}, Memory(), network).facts["low"].non_finite == 0
    assert state_of({"mask": -masked}, Memory(), NETWORK).facts["mask"].non_finite == 1


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.dictionaries(ANY_NAMES, arrays(np.int32, 4), max_size=3),
    st.dictionaries(ANY_NAMES, st.lists(st.none() | st.integers(0, 2**40), max_size=3), max_size=2),
)
def test_any_state_is_read_back_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, parameters: dict, levels: dict, facts: dict
) -> None:
    nodes: dict = {name: [{"sha256": name}] for name in facts}
    state = state_of(parameters, Memory(levels, facts, nodes), NETWORK)
    found = kept(tmp_path_factory.mktemp("state"), state)
    for one, other in ((parameters, found.parameters), (levels, found.memory.arrays)):
        assert one.keys() == other.keys()
        for name, array in one.items():
            assert (other[name].dtype, other[name].shape) == (array.dtype, array.shape)
            assert other[name].tobytes() == array.tobytes()
    assert (found.memory.facts, found.memory.nodes) == (facts, nodes)
    assert found.digest == state.digest


def test_bfloat16_is_kept(tmp_path: Path) -> None:
    value = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    found = kept(tmp_path, state_of({"w": value}, Memory(), NETWORK))
    assert found.parameters["w"].dtype == value.dtype
    np.testing.assert_array_equal(found.parameters["w"], value)


@pytest.mark.parametrize("value", [np.array(["a"]), np.ones(2, np.complex128)], ids=["text", "c"])
def test_types_that_no_file_holds_are_refused(tmp_path: Path, value: np.ndarray) -> None:
    with pytest.raises(UnsupportedError) as caught:
        keep_state(tmp_path, State({"w": value}, {}), "some.nnc")
    error = caught.value
    assert error.message == "the parameter 'w' is of a type that nothing can be built upon"
    assert error.where is not None
    assert (error.where.file, error.where.element) == ("some.nnc", "w")
    assert "float32" in error.expected
    assert error.found == value.dtype.name
    assert "a sample of its own" in error.fix
    assert list(tmp_path.iterdir()) == []
