"""Tensor files: every field of a header is checked before anything is read or allocated."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.verdicts import ConformanceError, MalformedError, UnsupportedError
from tests.runtimes.nnef import models as m

ARRAY = m.floats(2, 3)
GOOD = m.tensor_bytes(ARRAY)
X = m.floats(1, 2)


def source(folder, data, shape=(2, 3), kind="scalar"):
    body = f"{m.variable('w', 'w', shape, kind)}\ny = matmul(x, w);"
    return m.save(folder, m.graph(body, {"x": (1, 2)}), {"w": data})


def patched(offset, data):
    return GOOD[:offset] + data + GOOD[offset + len(data) :]


def number(value):
    return struct.pack("<I", value)


BROKEN = {
    "empty": (b"", "empty", 0),
    "magic": (patched(0, b"PK"), "bad magic", 0),
    "version": (patched(2, b"\x02"), "a different version", 2),
    "header-cut": (GOOD[:100], "header is cut short", 100),
    "data-cut": (GOOD[:-1], "does not end where", len(GOOD) - 1),
    "more-behind": (GOOD + b"x", "does not end where", len(GOOD)),
    "padding-declared": (patched(4, number(28)) + bytes(4), "data length does not fit", 4),
    "data-length": (patched(4, number(0xFFFFFFFF)), "data length does not fit", 4),
    "rank": (patched(8, number(9)), "rank is too large", 8),
    "huge-rank": (patched(8, number(0xFFFFFFFF)), "rank is too large", 8),
    "smaller-rank": (patched(8, number(1)), "extents do not fit", 12),
    "extent-of-zero": (patched(12, number(0)), "extents do not fit", 12),
    "huge-extents": (patched(12, number(0xFFFFFFFF) * 2), "data length does not fit", 4),
    "reserved": (patched(60, b"\x01"), "reserved bytes", 52),
    "lfs-pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "LFS", 0),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_at_its_byte(tmp_path, name):
    data, said, offset = BROKEN[name]
    with pytest.raises(MalformedError) as caught:
        m.opened(source(tmp_path, data))
    assert said in caught.value.message
    assert caught.value.where.file == "w.dat"
    assert caught.value.where.byte_offset == offset
    assert caught.value.fix


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (patched(48, number(0x10001)), "of a vendor"),
        (patched(48, number(7)), "NNEF 1.0 does not have"),
        (patched(44, number(8)), "a width that cannot be run"),
        (patched(44, number(0)), "a width that cannot be run"),
    ],
    ids=["vendor", "unknown", "float8", "no-bits"],
)
def test_item_types_that_cannot_be_run(tmp_path, data, said):
    with pytest.raises(UnsupportedError) as caught:
        m.opened(source(tmp_path, data))
    assert said in caught.value.message
    assert caught.value.where.file == "w.dat"


def test_another_shape_than_the_graph_declares(tmp_path):
    with pytest.raises(MalformedError) as caught:
        m.opened(source(tmp_path, GOOD, (2, 4)))
    assert "a different shape" in caught.value.message
    assert caught.value.expected == "[2, 4]"
    assert caught.value.found == "[2, 3] in w.dat"
    assert (caught.value.where.file, caught.value.where.line) == ("graph.nnef", 6)


@pytest.mark.parametrize(
    ("array", "kind"),
    [(np.ones((2, 3), np.int32), "scalar"), (np.ones((2, 3), bool), "scalar"), (ARRAY, "logical")],
    ids=["integers", "truth-values", "scalars"],
)
def test_another_type_than_the_graph_declares(tmp_path, array, kind):
    body = f"{m.variable('w', 'w', (2, 3), kind)}\ny = copy(x);"
    made = m.save(tmp_path, m.graph(body, {"x": (1, 2)}), {"w": array})
    with pytest.raises(MalformedError, match="a different type"):
        m.opened(made)


def test_truth_values_of_one_bit_are_unpacked(tmp_path):
    mask = np.array([True, False, True, True, False, True, True, False, False, True])
    bits = np.packbits(mask)
    head = struct.pack("<4s12I76s", b"\x4e\xef\1\0", len(bits), 2, 1, 10, *[0] * 6, 1, 5, b"")
    body = f"{m.variable('mask', 'mask', (1, 10), 'logical')}\ny = select(mask, x, 0.0);"
    made = m.save(tmp_path, m.graph(body, {"x": (1, 10)}), {"mask": head + bits.tobytes()})
    with m.opened(made) as network:
        found = network.bind().run({"x": np.ones((1, 10), np.float32)})["y"]
    assert np.array_equal(found[0] == 1, mask)


SEARCH = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def runs_or_is_refused(made):
    """The outputs, or None where it is refused with all that an error must say."""
    try:
        with m.opened(made) as network:
            return network.bind().run({"x": X})["y"]
    except ConformanceError as error:
        m.check(error, "w.dat", "graph.nnef")
        return None


@SEARCH
@given(end=st.integers(0, len(GOOD) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path, end):
    assert runs_or_is_refused(source(tmp_path, GOOD[:end])) is None


@SEARCH
@given(bit=st.integers(0, 8 * len(GOOD) - 1))
def test_a_flipped_bit_is_refused_or_is_a_value(tmp_path, bit):
    data = bytearray(GOOD)
    data[bit // 8] ^= 1 << bit % 8
    found = runs_or_is_refused(source(tmp_path, bytes(data)))
    assert (found is not None) == (bit >= 8 * 128)


@SEARCH
@given(head=st.binary(min_size=124, max_size=124))
def test_any_header_behind_the_magic_number(tmp_path, head):
    runs_or_is_refused(source(tmp_path, GOOD[:4] + head + GOOD[128:]))
