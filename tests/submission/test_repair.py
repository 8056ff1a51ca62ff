"""Mechanical fields are mended, and nothing else is touched."""

import json

import pytest

from conformance.submission import load
from conformance.submission.repair import apply, plan_repairs
from conformance.verdicts import ConformanceError
from tests.submission import builder


@pytest.fixture
def changed(folder):
    """A submission one of whose samples has changed on disk."""
    (folder / "samples/int8.npz").write_bytes(b"new content")
    return folder


def text_of(folder):
    return (folder / "submission.json").read_bytes().decode()


def test_nothing_to_mend(folder):
    repairs = plan_repairs(folder)
    assert repairs.changes == ()
    assert repairs.before == repairs.after == text_of(folder)
    assert repairs.diff == ""


def test_planning_writes_nothing(changed):
    before = text_of(changed)
    plan_repairs(changed)
    assert text_of(changed) == before
    assert not (changed / "submission.json.bak").exists()


def test_size_digest_and_compressed_size_are_mended(changed):
    repairs = plan_repairs(changed)
    assert [(each.pointer, each.old, each.new) for each in repairs.changes][0::2] == [
        ("/samples/0/files/0/size", 4, 11),
        ("/samples/0/claims/compressed_size", 4, 11),
    ]
    assert repairs.changes[1].pointer == "/samples/0/files/0/sha256"
    apply(repairs)
    assert load(changed).problems == ()
    assert plan_repairs(changed).changes == ()


def test_the_diff_shows_each_change(changed):
    diff = plan_repairs(changed).diff
    assert "--- submission.json\n+++ submission.json (mended)\n" in diff
    assert '"compressed_size": 11' in diff
    removed = [line for line in diff.splitlines() if line.startswith("-") and line[1] != "-"]
    added = [line for line in diff.splitlines() if line.startswith("+") and line[1] != "+"]
    assert len(removed) == len(added) == 3


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
def test_everything_else_stays_as_it_is(changed, newline, indent):
    data = builder.valid() | {"title": 'Ünï \\ " codé', "x_odd": [1e3, 1.50, -0.0]}
    text = json.dumps(data, indent=indent, ensure_ascii=False).replace("\n", newline)
    text = text.replace("1000.0", "1.000E+3").replace(": ", " :  ") + newline * 3
    (changed / "submission.json").write_bytes(text.encode())
    entry = builder.entry("samples/int8.npz", b"new content")
    old = builder.entry("samples/int8.npz")
    apply(plan_repairs(changed))
    expected = text.replace(old["sha256"], entry["sha256"])
    expected = expected.replace('"compressed_size" :  4', '"compressed_size" :  11')
    expected = expected.replace('"size" :  4,', '"size" :  11,')
    assert text_of(changed) == expected
    assert load(changed).problems == ()


def test_the_backup_holds_what_was_there(changed):
    before = text_of(changed)
    backup = apply(plan_repairs(changed))
    assert backup == changed.resolve() / "submission.json.bak"
    assert backup.read_bytes().decode() == before


def test_backups_are_numbered_and_never_overwritten(changed):
    (changed / "submission.json.bak").write_text("first")
    (changed / "submission.json.bak.1").symlink_to("/nonexistent")
    backup = apply(plan_repairs(changed))
    assert backup.name == "submission.json.bak.2"
    assert (changed / "submission.json.bak").read_text() == "first"


def test_no_temporary_file_is_left(changed):
    before = {path.name for path in changed.iterdir()}
    apply(plan_repairs(changed))
    assert {path.name for path in changed.iterdir()} == before | {"submission.json.bak"}


def test_the_mode_of_the_file_is_kept(changed):
    (changed / "submission.json").chmod(0o640)
    apply(plan_repairs(changed))
    assert (changed / "submission.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("indent", [None, 2])
def test_missing_fields_are_added(folder, indent):
    data = builder.valid()
    for key in ("size", "sha256"):
        del data["samples"][0]["files"][0][key]
    del data["samples"][0]["claims"]["compressed_size"]
    builder.write_metadata(folder, json.dumps(data, indent=indent))
    repairs = plan_repairs(folder)
    assert [each.old for each in repairs.changes] == [None] * 3
    apply(repairs)
    assert load(folder).problems == ()
    assert json.loads(text_of(folder)) == builder.valid()


def test_invalid_values_are_replaced(folder):
    data = builder.valid()
    data["samples"][0]["files"][0] |= {"size": {"a": [1]}, "sha256": None}
    builder.write_metadata(folder, data)
    apply(plan_repairs(folder))
    assert json.loads(text_of(folder)) == builder.valid()


def test_contradicting_entries_are_all_mended(folder):
    data = builder.valid()
    data["associated_files"].append(builder.entry("samples/int8.npz") | {"size": 9})
    builder.write_metadata(folder, data)
    apply(plan_repairs(folder))
    assert load(folder).problems == ()


def test_entries_without_a_usable_file_are_left_alone(folder):
    (folder / "samples/int8.npz").unlink()
    data = builder.valid()
    data["associated_files"].append({"rel_filepath": "../x", "size": 1, "sha256": "0"})
    data["associated_files"].append(builder.entry("submission.json", b"x"))
    builder.write_metadata(folder, data)
    assert plan_repairs(folder).changes == ()


def test_parameter_count_and_metric_values_are_left_alone(folder):
    data = builder.valid()
    data["models"][0]["parameter_count"] = 99999
    builder.write_metadata(folder, data)
    assert plan_repairs(folder).changes == ()


def test_a_repeated_key_is_refused(folder):
    builder.write_metadata(folder, '{"id": "a", "id": "b"}')
    with pytest.raises(ConformanceError, match="a key twice") as caught:
        plan_repairs(folder)
    assert caught.value.where.pointer == "/id"
    assert "Delete or rename" in caught.value.mend


def test_metadata_that_changed_meanwhile_are_not_overwritten(changed):
    repairs = plan_repairs(changed)
    builder.write_metadata(changed, {"new": "work"})
    with pytest.raises(ConformanceError, match="has changed meanwhile") as caught:
        apply(repairs)
    assert caught.value.mend == "Run the command again."
    assert json.loads(text_of(changed)) == {"new": "work"}
    assert not (changed / "submission.json.bak").exists()
