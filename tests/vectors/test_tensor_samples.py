"""The pruning after a bundled sample."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tensor_samples import prune

weights = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=4, max_side=6),
    elements=st.floats(-8, 8, width=32, allow_subnormal=False),
)


@given(weights, st.floats(0, 0.99))
def test_pruning_zeroes_the_smallest(values, share):
    pruned = prune(values, share)
    gone = (pruned == 0) & (values != 0)
    assert np.array_equal(pruned[pruned != 0], values[pruned != 0])
    assert np.count_nonzero(pruned == 0) >= int(share * values.size)
    if gone.any() and pruned.any():
        assert np.abs(values[gone]).max() <= np.abs(pruned[pruned != 0]).min()


def test_pruning_leaves_its_argument_alone():
    values = np.ones((2, 2), np.float32)
    assert prune(values, 0.5).tolist() == [[0, 0], [1, 1]]
    assert values.all()
