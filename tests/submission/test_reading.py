"""What cannot be read at all, one example for each message."""

import os

import pytest

from conformance.submission import Limits, UnreadableSubmissionError, load
from conformance.submission.reading import read_document
from tests.submission import builder


def refusal(folder, limits=None):
    with pytest.raises(UnreadableSubmissionError) as caught:
        load(folder) if limits is None else load(folder, limits=limits)
    error = caught.value
    assert error.message
    assert error.expected
    assert error.found
    assert error.fix
    return error


def refusal_of(folder, text, limits=None):
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "submission.json").write_bytes(data)
    return refusal(folder, limits)


def test_an_absent_folder(tmp_path):
    error = refusal(tmp_path / "absent")
    assert "does not exist" in error.message
    assert error.found == "nothing"


def test_a_file_instead_of_a_folder(folder):
    error = refusal(folder / "README.txt")
    assert "is not a folder" in error.message
    assert error.found == "a file"


def test_a_folder_without_metadata(tmp_path):
    error = refusal(tmp_path)
    assert error.message == "submission.json is missing"
    assert "nnr-conformance init" in error.fix


def test_metadata_that_are_a_link(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("root:x:0")
    (folder / "submission.json").unlink()
    (folder / "submission.json").symlink_to(secret)
    error = refusal(folder)
    assert error.found == "a symbolic link"
    assert "root" not in str(error)


def test_metadata_with_a_second_name(folder, tmp_path):
    os.link(folder / "submission.json", tmp_path / "other")
    assert "not a regular file with a single name" in refusal(folder).found


def test_metadata_that_are_a_folder(tmp_path):
    (tmp_path / "submission.json").mkdir()
    assert "cannot be read" in refusal(tmp_path).message


def test_metadata_that_are_a_pipe_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "submission.json")
    assert "cannot be read" in refusal(tmp_path).message


def test_metadata_that_are_too_large(folder):
    error = refusal(folder, Limits(metadata_bytes=100))
    assert error.message == "submission.json is too large"
    assert error.expected == "at most 100 bytes"


def test_the_limit_itself_is_allowed(folder):
    size = (folder / "submission.json").stat().st_size
    assert load(folder, limits=Limits(metadata_bytes=size)).submission is not None


def test_a_byte_order_mark(folder):
    error = refusal_of(folder, b"\xef\xbb\xbf{}")
    assert "byte-order mark" in error.message
    assert error.where.byte_offset == 0


def test_bytes_that_are_not_utf8(folder):
    error = refusal_of(folder, b'{"id": "\xff"}')
    assert error.message == "submission.json is not UTF-8"
    assert error.where.byte_offset == 8
    assert "FF" in error.found


@pytest.mark.parametrize(
    ("text", "line", "column", "shown"),
    [
        ('{\n  "id": "a"\n  "title": 1\n}', 3, 3, '"title": 1'),
        ('{"id": "a",\n "b": }', 2, 7, '"b": }'),
        ("", 1, 1, "the end of the text"),
        ('{"a": 1} x', 1, 10, '{"a": 1} x'),
        ("{'a': 1}", 1, 2, "{'a': 1}"),
        ('{"a": "\n"}', 1, 8, '{"a": "'),
        ('{"a": tru}', 1, 7, '{"a": tru}'),
        ('{"a": 01}', 1, 8, '{"a": 01}'),
        ('["unclosed', 1, 2, '["unclosed'),
    ],
)
def test_text_that_is_not_json(folder, text, line, column, shown):
    error = refusal_of(folder, text)
    assert "is not JSON" in error.message
    assert (error.where.line, error.where.column) == (line, column)
    assert error.found == shown


def test_of_a_long_line_the_part_around_the_error_is_shown(folder):
    error = refusal_of(folder, '{"a": "' + "x" * 5000 + '" "b": 1' + " " * 5000 + "}")
    assert '"b": 1' in error.found
    assert len(error.found) <= 100


def test_deep_nesting(folder):
    error = refusal_of(folder, '{"a":\n' + "[" * 100_000)
    assert "more than 64 levels" in error.message
    assert (error.where.line, error.where.column) == (2, 64)


def test_64_levels_are_not_too_deep(folder):
    builder.write_metadata(folder, "[" * 64 + "]" * 64)
    assert len(load(folder).problems) >= 1


def test_brackets_in_strings_do_not_count(folder):
    builder.write_metadata(folder, builder.valid() | {"title": "[" * 100 + '"' + "{" * 100})
    assert load(folder).problems == ()


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_not_finite(folder, token):
    error = refusal_of(folder, f'{{"title": "{token}",\n "a": {token}}}')
    assert f"a number that cannot be used: {token}" in error.message
    assert (error.where.line, error.where.column) == (2, 7)


@pytest.mark.parametrize("token", ["1" * 19, "-" + "1" * 19, "9" * 100_000])
def test_huge_integers(folder, token):
    error = refusal_of(folder, f'{{"a": {token}}}')
    assert "a number that cannot be used: " in error.message
    assert "18 digits" in error.expected
    assert len(str(error)) < 1000


def test_half_a_surrogate_pair(folder):
    error = refusal_of(folder, '{"a": "\\u00e4",\n "b": "x\\ud800y"}')
    assert "surrogate" in error.message
    assert error.where.line == 2


def test_whole_surrogate_pairs_are_fine(folder):
    builder.write_metadata(folder, builder.valid() | {"title": "clef \U0001d11e"})
    assert "\\ud834" in (folder / "submission.json").read_text()
    assert load(folder).submission.title == "clef \U0001d11e"


def test_repeated_keys_are_noted_with_their_places(folder):
    text = '{"a": {"b": 1, "b": 2},\n "c": 1, "a": {"b": 3}, "c": 4}'
    builder.write_metadata(folder, text)
    document = read_document(folder)
    assert [place.pointer for place in document.repeats] == [("a",), ("c",)]
    assert text[document.repeats[0].start :].startswith('{"b": 3}')


def test_the_digest_is_that_of_the_bytes(folder):
    import hashlib

    raw = (folder / "submission.json").read_bytes()
    assert load(folder).metadata_sha256 == hashlib.sha256(raw).hexdigest()
