"""The computations that the benchmark of kernels compares give the same numbers."""

import bench_kernels
import pytest
from measuring import Cost


def test_both_sides_of_each_pair_agree():
    for pair in bench_kernels.pairs():
        bench_kernels.require_equal(pair)


def test_a_pair_that_differs_is_refused():
    pair = bench_kernels.Pair("odd", lambda: 1.0, lambda: 1.1, 2.0)
    with pytest.raises(RuntimeError, match="odd: the results differ"):
        bench_kernels.require_equal(pair)


def test_ratios_are_of_processor_time_round_by_round():
    pair = bench_kernels.Pair("p", float, float, 0.6)
    rounds = {"p, ours": [Cost(9.0, 1.0)], "p, other": [Cost(1.0, 2.0)]}
    assert "0.50" in str(bench_kernels.cpu_ratio_of(pair, rounds))
    assert bench_kernels.cpu_ratio_of(pair, rounds).met
