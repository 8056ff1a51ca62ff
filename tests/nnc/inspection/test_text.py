"""The listing and the tree, as they are read."""

from __future__ import annotations

import numpy as np

from conformance.nnc.inspection.document import document_of
from conformance.nnc.inspection.examination import examine
from conformance.nnc.inspection.text import counted, listing, place, share, table, tree
from conformance.nnc.quantization import Codebook
from tests.nnc.inspection.streams import CONST, GOOD, around, data, float_unit


def listed(stream: bytes, *, bits: bool = False, whole: bool = False) -> list[str]:
    return list(listing(document_of(examine(stream), bits=bits), "model.nnc", whole=whole))


def line_with(lines: list[str], *words: str) -> str:
    [found] = [line for line in lines if all(word in line.split() for word in words)]
    return found


def test_the_first_line_says_what_the_file_is() -> None:
    first = listed(CONST)[0]
    assert first == "model.nnc: 41 bytes, 4 units, profile 1, second edition"


def test_a_line_has_place_code_name_value_and_meaning() -> None:
    line = line_with(listed(CONST), "scan_order")
    assert line.split() == ["36.6", "4", "u(4)", "scan_order", "0", "row", "by", "row"]


def test_raw_bits_are_a_column() -> None:
    line = line_with(listed(CONST, bits=True), "cabac_unary_length_minus1")
    assert line.split()[:4] == ["35.4", "8", "u(8)", "00001010"]


def test_columns_are_aligned_and_lines_end_without_spaces() -> None:
    lines = listed(CONST)
    start = lines.index(next(line for line in lines if line.startswith("unit 3")))
    names = [line.index(" nnr_") for line in lines[start + 2 : start + 4]]
    assert len(set(names)) == 1
    assert all(line == line.rstrip() for line in lines)


def test_a_tensor_tells_step_levels_and_bits() -> None:
    text = "\n".join(listed(CONST))
    assert "tensor 'const': tensor, 5 x 6 float64" in text
    assert "codebook, qp -20, density 2: step size 0.03125" in text
    assert "1 entry from 8 to 8, level 0 is 8" in text
    assert "30: 0 to 0, 30 zeros (100.0 %), 0 nonzero" in text
    assert "= 24 bits = start 9 + tensors 8 + rest 7" in text


def test_the_histogram_has_bars_in_proportion() -> None:
    levels = np.zeros((20, 6), np.int32)
    levels[0] = 1
    lines = listed(around(data(float_unit(levels=levels))))
    bars = [line for line in lines if "#" in line]
    assert [line.split()[0] for line in bars] == ["0", "1"]
    assert bars[0].count("#") > 10 * bars[1].count("#") > 0


def test_features_come_last() -> None:
    last = listed(CONST)[-1]
    assert last.startswith("features: edition:second node-ids ")


def test_long_arrays_are_abridged_unless_the_unit_is_asked_for() -> None:
    codebook = Codebook(tuple(range(40)), 0)
    stream = around(data(float_unit(codebook=codebook, levels=np.ones((20, 6)))))
    short, long = listed(stream), listed(stream, whole=True)
    entry = "codebook.codebook_deltas_right[30]"
    assert not any(entry in line for line in short)
    assert any("... 33 more, with --unit" in line for line in short)
    assert any(entry in line for line in long)


def test_names_cannot_forge_lines_or_control_the_terminal() -> None:
    lines = listed(around(data(float_unit("a\nunit 9\x1b[2J"))))
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert not any(line.startswith("unit 9") for line in lines)
    assert r"'a\nunit 9\x1b[2J'" in text


def test_a_damaged_stream_shows_all_before_and_then_the_error() -> None:
    lines = listed(GOOD[:-2])
    assert any("tensor 'w'" in line for line in lines)
    broken = next(line for line in lines if "BROKEN" in line)
    error = next(line for line in lines if line.startswith("error: malformed: "))
    assert lines.index(broken) < lines.index(error)
    assert any(line.split()[:2] == ["where", "byte"] for line in lines)
    assert any(line.strip().startswith("fix") for line in lines)


def test_the_tree_shows_groups_and_conditions() -> None:
    lines = list(tree(document_of(examine(CONST)), "model.nnc"))
    assert any(line.endswith("|-- codebook") for line in lines)
    assert any("|   |-- codebook_egk = 0" in line for line in lines)
    assert any(
        "scan_order = 0  (row by row)  [36.6, u(4)]  when count_tensor_dimensions > 1" in line
        for line in lines
    )


def test_the_tree_shows_what_is_absent_in_its_place() -> None:
    lines = list(tree(document_of(examine(CONST)), "model.nnc"))
    at = next(n for n, line in enumerate(lines) if "put_node_depth = 0" in line)
    assert "(parent_node_id_present_flag: absent, taken as 0; only when" in lines[at + 1]


def test_the_tree_of_a_damaged_stream_ends_with_the_error() -> None:
    lines = list(tree(document_of(examine(GOOD[:-2])), "model.nnc"))
    assert any("error: malformed: " in line for line in lines[-6:])


def test_small_words() -> None:
    assert place(531) == "66.3"
    assert (counted(1, "byte"), counted(2, "byte"), counted(0, "byte")) == (
        *("1 byte", "2 bytes", "0 bytes"),
    )
    assert (share(1, 4), share(0, 0)) == ("25.0 %", "-")
    assert list(table([])) == []
    assert list(table([["a", "b"], ["ccc", "d"]], right=frozenset({0}))) == [
        "      a  b",
        "    ccc  d",
    ]
