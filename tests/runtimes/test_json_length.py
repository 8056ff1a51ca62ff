"""How long values are in a JSON document."""

from conformance.runtimes.json_length import json_length


def test_a_value_is_as_long_as_it_is_written():
    assert json_length({"a": [1, "\u00e9"]}) == len('{"a": [1, "\u00e9"]}')


def test_what_is_nested_too_deeply_to_be_written_has_no_length():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert json_length(deep) == 0
