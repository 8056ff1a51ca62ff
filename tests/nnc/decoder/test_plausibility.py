import pytest

from conformance.nnc.errors import NncLimitError, NncMalformedError
from conformance.nnc.options import Limits, Options

from .making import INT, RAW_FLOAT, block, header, planned, started, stream_of
from .test_planning import CODEBOOK

ONE_ENTRY = CODEBOOK | {
    "codebook_size": 1,
    "codebook_deltas_left": (),
    "codebook_deltas_right": (),
}
PER_BYTE = 127 * 8


def within(limit):
    return Options(limits=Limits(decoded_bytes=limit))


@pytest.mark.parametrize(
    ("values", "size"),
    [
        (header(INT, shape=(5, 5)), 100),
        (header(shape=(5, 5)), 100),
        (header(shape=(5, 5), codebook_present_flag=1, codebook=CODEBOOK), 200),
        (block(("w", "b"), (5, 5), 8), 120),
    ],
    ids=["int", "float", "codebook", "block"],
)
def test_decoded_bytes_may_be_as_large_as_the_limit(values, size):
    assert planned(stream_of(values), within(size))
    with pytest.raises(NncLimitError) as caught:
        planned(stream_of(values), within(size - 1))
    assert caught.value.position.field == "tensor_dimensions"
    assert f"{size - 1} bytes" in caught.value.expected
    assert caught.value.found.startswith(f"{size} bytes")


def test_all_tensors_of_a_stream_count_together():
    units = [header(name=name, shape=(10,)) for name in "abc"]
    assert planned(stream_of(*units), within(120))
    with pytest.raises(NncLimitError, match="larger than the limit") as caught:
        planned(stream_of(*units), within(119))
    assert "'c'" in caught.value.found
    assert caught.value.position.unit == 4


def test_the_product_of_a_decomposition_counts_when_it_is_asked_for():
    ranks = {"decomposition_rank": 1, "g_number_of_rows": 100}
    data = stream_of(block(("w_G", "w_H"), (100, 100), 1, **ranks))
    limits = Limits(decoded_bytes=40_000)
    assert planned(data, Options(limits=limits))
    with pytest.raises(NncLimitError):
        planned(data, Options(limits=limits, multiply_decomposition=True))


@pytest.mark.parametrize("shape", [(1 << 38,), (1 << 20, 1 << 20), (1 << 34, 0), (0, 1 << 34)])
def test_huge_dimensions_are_refused_even_beside_a_zero(shape):
    with pytest.raises(NncLimitError):
        planned(stream_of(header(shape=shape)))


def test_levels_have_to_fit_into_the_payload():
    full = PER_BYTE * 3
    assert planned(stream_of(header(shape=(full,)), payload=bytes(3)))
    with pytest.raises(NncLimitError) as caught:
        planned(stream_of(header(shape=(full + 1,)), payload=bytes(3)))
    assert caught.value.expected == f"at most {full} coded levels or rows in 3 bytes"
    assert caught.value.found == f"at least {full + 1}"
    assert caught.value.position.field == "tensor_dimensions"


def test_rows_may_be_skipped_in_the_second_edition_only():
    rows = header(shape=(PER_BYTE, 50))
    assert planned(stream_of(rows, payload=bytes(1)))
    with pytest.raises(NncLimitError):
        planned(stream_of(rows, payload=bytes(1), profile=0))


def test_rows_have_to_fit_too():
    with pytest.raises(NncLimitError):
        planned(stream_of(header(shape=(PER_BYTE + 1, 50)), payload=bytes(1)))


def test_a_codebook_of_one_entry_costs_nothing_in_the_second_edition_only():
    one = header(shape=(1_000_000,), codebook_present_flag=1, codebook=ONE_ENTRY)
    assert planned(stream_of(one, payload=bytes(1)))
    with pytest.raises(NncLimitError):
        planned(stream_of(one, payload=bytes(1), profile=0))


def of_one_entry(elements, **values):
    return header(shape=(elements,), codebook_present_flag=1, codebook=ONE_ENTRY, **values)


def test_values_that_cost_nothing_have_a_limit_of_their_own():
    limits = Limits(free_bytes=8000)
    paid = PER_BYTE * 3
    assert planned(stream_of(of_one_entry(paid + 1000), payload=bytes(3)), Options(limits=limits))
    with pytest.raises(NncLimitError, match="cost no bits") as caught:
        planned(stream_of(of_one_entry(paid + 1001), payload=bytes(3)), Options(limits=limits))
    assert caught.value.expected == "at most 8000 bytes of them in all (Limits.free_bytes)"
    assert caught.value.found.startswith("8008 bytes up to and with 'w'")
    assert caught.value.position.field == "tensor_dimensions"


def test_skipped_rows_cost_nothing_either():
    rows = header(shape=(PER_BYTE, 50))
    free = 4 * (50 * PER_BYTE - PER_BYTE)
    data = stream_of(rows, payload=bytes(1))
    assert planned(data, Options(limits=Limits(free_bytes=free)))
    with pytest.raises(NncLimitError, match="cost no bits"):
        planned(data, Options(limits=Limits(free_bytes=free - 1)))


def test_what_costs_nothing_is_added_up_over_units():
    limits = Limits(free_bytes=8000)
    units = [of_one_entry(3 * PER_BYTE + 600, topology_elem_id=name) for name in "ab"]
    assert planned(stream_of(units[0], payload=bytes(3)), Options(limits=limits))
    with pytest.raises(NncLimitError, match="cost no bits") as caught:
        planned(stream_of(*units, payload=bytes(3)), Options(limits=limits))
    assert caught.value.position.unit == 3


def test_a_file_of_32_bytes_is_not_worth_4_gib():
    with pytest.raises(NncLimitError, match="cost no bits"):
        planned(stream_of(of_one_entry(1 << 29), payload=bytes.fromhex("ec1280")))


def test_a_large_model_pays_for_its_values():
    values = header(shape=(30_000, 4096))
    assert planned(stream_of(values, payload=bytes(2_000_000)))


def test_raw_values_have_exactly_the_size_of_their_payload():
    assert planned(stream_of(header(RAW_FLOAT, shape=(2, 3)), payload=bytes(24)))
    for size in (23, 25, 0):
        with pytest.raises(NncMalformedError, match="do not have the size") as caught:
            planned(stream_of(header(RAW_FLOAT, shape=(2, 3)), payload=bytes(size)))
        assert caught.value.found == f"{size} bytes"


def test_the_last_unit_is_checked_before_the_first_is_decoded():
    writer = started()
    writer.add("NDU", header(name="good", shape=(4,)), bytes(8))
    writer.add("NDU", header(name="bad", shape=(1 << 28,)), bytes(8))
    with pytest.raises(NncLimitError, match="bad"):
        planned(writer.getvalue())
