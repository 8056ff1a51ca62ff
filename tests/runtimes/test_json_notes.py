"""What in a JSON document is longer than a network needs it to be."""

from conformance.runtimes.json_notes import json_length, long_notes

LONG = "x" * 3000


def found(document, usual=100):
    rows = long_notes(document, "net.zip", "graph.json", "notes", usual)
    return sorted((each.piece, each.bytes) for each in rows if each.bytes > 0)


def test_long_strings_count_wherever_they_are_and_as_keys():
    document = {"layers": [{"name": "short"}, [LONG]], LONG: 1}
    pieces = [("graph.json: a long string", 1976), ("graph.json: layers: a long string", 1976)]
    assert found(document) == pieces


def test_notes_count_as_a_whole_beyond_what_is_usual():
    assert found({"layers": [{"notes": {"a": LONG}}]}) == [("graph.json: notes", 3009 - 100)]
    assert found({"notes": ["x" * 50] * 100}) == [("graph.json: notes", 5400 - 100)]
    assert found({"notes": "x" * 90}) == []


def test_what_is_nested_too_deeply_to_be_written_has_no_length():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert json_length(deep) == 0
