"""Which stored tensors are parameters, which scalars, which topology; and how much may stay."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.runtimes.dtypes import holds, packed_bytes, same_values
from conformance.runtimes.roles import (
    Inventory,
    Role,
    StoredTensor,
    Use,
    allowed_content,
    content_of,
    roles_of,
    traced_uses,
)
from conformance.verdicts import UnsupportedError

RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.standard_normal((20, 50)).astype(np.float32)
MASK = np.triu(np.full((1024, 1024), -np.inf, np.float32), 1)


def tensor(values, *uses, name="it", **facts):
    array = np.asarray(values)
    return StoredTensor(
        name, f"at {name}", array.dtype, array.shape, lambda: array, frozenset(uses), **facts
    )


def role(values, *uses):
    """Return the role of a tensor next to a parameter."""
    return roles_of([tensor(WEIGHTS, Use.VALUE, name="weights"), tensor(values, *uses)])["it"]


@pytest.mark.parametrize(
    ("values", "uses"),
    [
        pytest.param(WEIGHTS, [Use.VALUE], id="floats"),
        pytest.param(WEIGHTS, [], id="floats nobody reads"),
        pytest.param(WEIGHTS, [Use.VALUE, Use.OPERAND], id="floats read as operand and as values"),
        pytest.param(WEIGHTS.astype(ml_dtypes.bfloat16), [Use.VALUE], id="bfloat16"),
        pytest.param(WEIGHTS.astype(np.complex64), [Use.VALUE], id="complex"),
        pytest.param(np.int8([1, 2]), [Use.QUANTISED], id="quantised weights"),
        pytest.param(np.int32([1, 2]), [Use.QUANTISED], id="quantised bias"),
        pytest.param(np.int8([[1, 2]]), [Use.LOOKUP], id="embedding of integers"),
        pytest.param(np.float32([0, -1e3]), [Use.VALUE], id="two values that mask nothing"),
        pytest.param(np.float32([0, 1, -np.inf]), [Use.VALUE], id="three values"),
        pytest.param(np.float32([np.nan, -np.inf]), [Use.VALUE], id="not a number"),
    ],
)
def test_parameters(values, uses):
    assert role(values, *uses) is Role.PARAMETER


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16, np.complex64])
def test_single_numbers_are_scalars(shape, dtype):
    assert role(np.full(shape, 0.5, dtype), Use.VALUE) is Role.SCALAR


def test_the_zero_point_of_a_whole_tensor_is_a_scalar():
    assert role(np.int8(3), Use.QUANTISED) is Role.SCALAR


def test_single_numbers_are_the_parameters_of_a_network_without_others():
    stored = [tensor(np.float32(2), Use.VALUE), tensor(np.int64([1, 2]), name="axes")]
    assert roles_of(stored) == {"it": Role.PARAMETER, "axes": Role.TOPOLOGY}


@pytest.mark.parametrize(
    ("values", "uses"),
    [
        pytest.param(np.arange(512).reshape(1, 512), [Use.VALUE], id="position_ids"),
        pytest.param(np.int32([[1, 2], [3, 4]]), [Use.VALUE], id="table of indices"),
        pytest.param(np.tril(np.ones((8, 8), bool)), [Use.VALUE], id="boolean mask"),
        pytest.param(np.array(["a", "b"], object), [Use.VALUE], id="strings"),
        pytest.param(np.float32([1, 1, 2, 2]), [Use.OPERAND], id="scales of Resize"),
        pytest.param(np.float32(6), [Use.OPERAND], id="bound of Clip"),
        pytest.param(MASK, [Use.VALUE], id="mask of -inf"),
        pytest.param(np.float16([0, -1e4]), [Use.VALUE], id="mask of -1e4"),
        pytest.param(np.zeros((0, 3), np.float32), [Use.VALUE], id="no elements"),
        pytest.param(np.int8([1, 2]), [Use.VALUE], id="integers without a quantised operator"),
    ],
)
def test_topology(values, uses):
    assert role(values, *uses) is Role.TOPOLOGY


def test_a_mask_that_begins_with_a_row_of_zeros_is_one():
    assert role(np.repeat(np.float32([0, -1e9]), 100), Use.VALUE) is Role.TOPOLOGY


def test_uses_are_followed_backwards_through_values_that_hold_the_same_elements():
    passed = [("w", "transposed"), ("transposed", "cast"), ("v", "cast"), ("cast", "transposed")]
    uses = traced_uses({"cast": [Use.QUANTISED], "w": [Use.OPERAND]}, passed)
    assert uses["w"] == {Use.QUANTISED, Use.OPERAND}
    assert uses["v"] == {Use.QUANTISED}


def test_long_chains_are_followed_in_linear_time():
    names = [f"v{i}" for i in range(100_000)]
    assert traced_uses({names[-1]: [Use.VALUE]}, itertools.pairwise(names))["v0"] == {Use.VALUE}


@pytest.mark.parametrize(
    "left",
    [
        pytest.param([MASK != 0] * 12, id="twelve causal masks of truth values"),
        pytest.param([MASK] * 12, id="twelve causal masks of -inf"),
        pytest.param([np.int64(n % 7) for n in range(1000)], id="a thousand small integers"),
        pytest.param([np.float32(1e-5)] * 1000, id="one epsilon in every layer"),
    ],
)
def test_what_a_graph_needs_may_stay(left):
    parameters = np.zeros(50_000, np.float32) + np.arange(50_000, dtype=np.float32)
    tensors = [tensor(values, Use.VALUE, name=str(n)) for n, values in enumerate(left)]
    Inventory([tensor(parameters, Use.VALUE), *tensors], file="net").check_replaceable()


HIDDEN = {
    "integers": [tensor(RANDOM.integers(-128, 128, (100, 50)).astype(np.int8), Use.VALUE)],
    "truth values": [tensor(RANDOM.integers(0, 2, (200, 300)).astype(bool), Use.VALUE)],
    "a mask": [tensor(np.where(RANDOM.random((200, 300)) < 0.5, 0, -1e9), Use.VALUE)],
    "strings": [tensor(np.array([bytes(RANDOM.bytes(5000))], object))],
    "clipping bounds": [tensor(RANDOM.standard_normal(500), Use.OPERAND)],
    "many scalars": [
        tensor(np.float32(value), Use.VALUE, name=str(n))
        for n, value in enumerate(RANDOM.standard_normal(500))
    ],
    "sizes of empty tensors": [
        tensor(np.zeros((*RANDOM.integers(1, 9, 7), 0)), name=str(n)) for n in range(60)
    ],
    "floats that cannot be replaced": [tensor(np.arange(16.0), Use.VALUE, is_replaceable=False)],
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_weights_that_a_sample_does_not_replace_are_refused(kind):
    inventory = Inventory(
        [tensor(WEIGHTS, Use.VALUE, name="weights"), *HIDDEN[kind]], file="net.onnx"
    )
    with pytest.raises(UnsupportedError) as caught:
        inventory.check_replaceable()
    assert caught.value.where.file == "net.onnx"
    assert "outside the parameters" in caught.value.expected or kind.startswith("floats")


def test_many_tensors_are_sorted_and_counted_in_linear_time():
    many = [tensor(np.float32([n, n]), name=str(n)) for n in range(30_000)]
    Inventory(many, file="net").check_replaceable()


def test_parameters_that_no_output_needs_allow_nothing():
    left = [tensor(np.int64(n), name=str(n)) for n in range(200)]
    idle = tensor(WEIGHTS, name="idle", is_needed=False)
    with pytest.raises(UnsupportedError):
        Inventory([idle, *left], file="net").check_replaceable()


def test_the_allowance_grows_with_parameters_and_operators():
    assert allowed_content(0, 1000) == 96
    assert allowed_content(466, 60) == 96
    assert allowed_content(4660, 600) == 932
    assert allowed_content(10_000_000, 500) == 8192 + 10_000 + 500


def test_content_is_the_smaller_of_elements_and_compressed_bytes():
    assert content_of(WEIGHTS, 10**9) == WEIGHTS.size
    assert content_of(MASK != 0, 10**9) < 5000
    assert content_of(WEIGHTS, 100) > 100


NUMBERS = [np.bool_, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.float16, np.float32]


@given(
    st.sampled_from(NUMBERS),
    st.sampled_from([*NUMBERS, ml_dtypes.bfloat16, np.float64]),
    st.integers(-(2**63), 2**64 - 1) | st.integers(-300, 300),
)
def test_a_type_holds_the_numbers_that_it_can_write(given_type, wanted, number):
    limits = np.iinfo(given_type) if np.dtype(given_type).kind in "iu" else None
    if given_type is np.bool_:
        number = number % 2
    elif limits is not None and not limits.min <= number <= limits.max:
        number = number % 100
    with np.errstate(over="ignore"):
        array = np.array([number]).astype(given_type)
    if not np.isfinite(array[0]):
        return
    exact = int(array[0])
    with np.errstate(all="ignore"):
        there = array.astype(wanted)[0]
    there = np.float64(there) if there.dtype.kind not in "iub" else there
    written = int(there) if np.isfinite(there) else None
    if np.dtype(wanted).kind in "iu":
        bounds = np.iinfo(wanted)
        expected = bounds.min <= exact <= bounds.max
    elif wanted is np.bool_:
        expected = exact in (0, 1)
    else:
        expected = written == exact
    assert holds(np.dtype(wanted), array) == expected


def test_values_are_compared_across_types():
    mask = np.tril(np.ones((3, 3), bool))
    assert same_values(mask, mask.astype(np.int32))
    assert not same_values(mask, mask.astype(np.int32) * 2)
    assert not same_values(np.int64([2**62 + 1]), np.float32([2**62]))
    assert same_values(np.float32([-np.inf, np.nan]), np.float64([-np.inf, np.nan]))


def test_only_topology_that_outputs_depend_on_counts_as_bytes_of_the_network():
    read = tensor(np.arange(10), Use.VALUE, name="read")
    padding = tensor(np.zeros(10**6, np.int64), name="padding", is_needed=False)
    words = tensor(np.array(["a"], object), Use.VALUE, name="words")
    inventory = Inventory([tensor(WEIGHTS), read, padding, words], file="net")
    assert inventory.topology_bytes == 80


@pytest.mark.parametrize(("dtype", "size"), [("int4", 3), ("float4_e2m1fn", 3), ("int8", 5)])
def test_packed_types_take_the_bytes_that_files_store(dtype, size):
    assert packed_bytes(np.dtype(getattr(ml_dtypes, dtype, np.int8)), 5) == size
