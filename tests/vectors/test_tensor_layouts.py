"""What name maps make of the weights, for the models that the generators write."""

import numpy as np
from exporters import EXPORTERS
from tensor_layouts import arrange, renamed, reorder_gates

from conformance.runtimes import RUNTIMES

WEIGHTS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)}


def test_gates_are_reordered_in_blocks():
    values = np.arange(8.0, dtype=np.float32)
    assert reorder_gates(values, "iofg", "ifgo").tolist() == [0, 1, 6, 7, 2, 3, 4, 5]
    assert reorder_gates(values[:6], "zrn", "rzn").tolist() == [2, 3, 0, 1, 4, 5]


def test_what_no_entry_names_stays():
    arranged = arrange(WEIGHTS, [renamed("w", "kernel", transpose=(1, 0))])
    assert arranged.keys() == {"kernel", "b"}
    assert arranged["b"] is WEIGHTS["b"]
    assert WEIGHTS.keys() == {"w", "b"}


def test_axes_are_changed_before_the_shape():
    arranged = arrange(WEIGHTS, [renamed("w", "w", transpose=(1, 0), reshape=(1, 6))])
    assert arranged["w"].tolist() == [[0, 3, 1, 4, 2, 5]]
    assert arranged["w"].flags.c_contiguous


def test_gates_are_permuted_before_the_axes():
    gates = {"permute_gates": {"axis": 0, "from": "ab", "to": "ba"}}
    entry = {**renamed("w", "w", transpose=(1, 0)), **gates}
    assert arrange(WEIGHTS, [entry])["w"].tolist() == [[3, 0], [4, 1], [5, 2]]


def test_several_tensors_are_joined_or_added():
    entry = {"sample": ["b", "c"], "model": "bias", "reshape": [1, 2]}
    weights = {"b": np.ones(2, np.float32), "c": np.full(2, 3, np.float32)}
    joined = arrange(weights, [{**entry, "combine": {"how": "concatenate", "axis": 1}}])
    assert joined["bias"].tolist() == [[1, 1, 3, 3]]
    added = arrange(weights, [{**entry, "combine": {"how": "add"}}])
    assert added["bias"].tolist() == [[4, 4]]


def test_every_format_that_can_be_run_can_be_written():
    assert set(EXPORTERS) == set(RUNTIMES.names())
