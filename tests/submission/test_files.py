"""Files: on disk against in the metadata, and paths that lead out of the folder."""

import dataclasses
import hashlib
import os
import shutil

import pytest

from conformance.submission import FileFacts, Limits, load
from conformance.submission.files import list_folder, measure, path_fault
from conformance.verdicts import ConformanceError
from tests.submission import builder
from tests.submission.builder import put
from tests.submission.test_loading import load_changed, only

PATH = "/samples/0/files/0/rel_filepath"
FILE = "samples/int8.npz"


def test_facts_are_measured(folder):
    facts = load(folder).files[FILE]
    status = (folder / FILE).stat()
    assert facts == FileFacts(
        rel_filepath=FILE,
        size=4,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
        sha256=hashlib.sha256(b"int8").hexdigest(),
    )


def test_known_facts_spare_hashing_while_the_file_stays_the_same(folder):
    facts = measure(folder, FILE)
    marked = dataclasses.replace(facts, sha256="f" * 64)
    assert measure(folder, FILE, marked) is marked


def test_known_facts_do_not_hide_a_change(folder):
    known = load(folder).files
    (folder / FILE).write_bytes(b"INT8")
    os.utime(folder / FILE, ns=(1, 1))
    finding = only(load(folder, known))
    assert finding.check == "SUBMISSION-FILE-003"


def test_known_facts_give_the_same_result(folder):
    first = load(folder)
    second = load(folder, first.files)
    assert second == first


def test_large_files_are_hashed_whole(folder):
    content = bytes(range(256)) * 10_000
    (folder / "big.bin").write_bytes(content)
    assert measure(folder, "big.bin").sha256 == hashlib.sha256(content).hexdigest()


def test_a_missing_file(folder):
    (folder / FILE).unlink()
    finding = only(load(folder))
    assert finding.check == "SUBMISSION-FILE-001"
    assert f"{FILE!r}: the file is missing" in finding.message
    assert finding.found == "no such file"
    assert finding.where.pointer == PATH
    assert finding.clause == "Submission format 1.0 §files"
    assert "Add the file" in finding.fix


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / FILE).rename(folder / "samples" / "zzz"),
        lambda folder: (folder / FILE).rename(folder / "int8.npz"),
        lambda folder: (folder / "samples/int8.npz").rename(folder / "samples/Int8.npz"),
    ],
)
def test_a_renamed_file_is_one_problem(folder, change):
    change(folder)
    finding = only(load(folder))
    assert finding.check == "SUBMISSION-FILE-001"
    assert "Is it " in finding.fix


def test_a_misspelt_path_is_one_problem(folder):
    finding = only(load_changed(folder, lambda data: put(data, PATH, "samples/int88.npz")))
    assert f'Is it "{FILE}"?' in finding.fix


def test_a_missing_file_that_is_listed_twice_is_one_problem(folder):
    (folder / "vectors/inputs.npz").unlink()
    finding = only(load_changed(folder, builder.second_model))
    assert finding.evidence == {
        "also_at": ["/vectors/1/shards/0/inputs/0/rel_filepath"],
        "places": 2,
    }


UNSAFE = [
    ("../int8.npz", "contains '..'", "Put the file into"),
    ("samples/../samples/int8.npz", "contains '..'", "Put the file into"),
    ("/etc/passwd", "is absolute", "relative to"),
    ("C:/int8.npz", "is absolute", "relative to"),
    ("samples\\int8.npz", "contains a backslash", "forward slashes"),
    ("..\\int8.npz", "contains a backslash", "forward slashes"),
    ("./samples/int8.npz", "not in its plain form", "Leave out"),
    ("samples//int8.npz", "not in its plain form", "Leave out"),
    ("samples/int8.npz/", "not in its plain form", "Leave out"),
    ("samples/int8.npz\u0000", "control character", "Rename"),
    ("samples/\nint8.npz", "control character", "Rename"),
]


@pytest.mark.parametrize(("path", "message", "fix"), UNSAFE)
def test_an_unsafe_path(folder, path, message, fix):
    finding = only(load_changed(folder, lambda data: put(data, PATH, path)))
    assert finding.check == "SUBMISSION-FILE-001"
    assert message in finding.message
    assert finding.found == path
    assert fix in finding.fix
    assert finding.where.pointer == PATH


@pytest.mark.parametrize("path", ["a", "a/b.c", "ä/ö", "..a/b..", ".hidden", "a b"])
def test_safe_paths(path):
    assert path_fault(path) is None


@pytest.mark.parametrize("path", ["a" * 300, "a/" * 400 + "b", "ä" * 1000])
def test_paths_that_no_file_system_takes(folder, path):
    finding = only(load_changed(folder, lambda data: put(data, PATH, path)))
    assert finding.check == "SUBMISSION-FILE-001"


def outside(folder):
    target = folder.parent / "outside"
    target.mkdir()
    (target / "int8.npz").write_bytes(b"int8")
    return target


def test_a_symbolic_link_that_leads_out(folder):
    target = outside(folder)
    (folder / FILE).unlink()
    (folder / FILE).symlink_to(target / "int8.npz")
    finding = only(load(folder))
    assert finding.check == "SUBMISSION-FILE-001"
    assert "leads through a symbolic link" in finding.message
    assert "plain copy" in finding.fix


def test_a_symbolic_link_that_stays_inside_is_refused_as_well(folder):
    (folder / FILE).rename(folder / "samples/real.npz")
    (folder / FILE).symlink_to("real.npz")
    assert "symbolic link" in only(load(folder)).message


def test_a_folder_that_is_a_symbolic_link(folder):
    target = outside(folder)
    shutil.copy(folder / "samples/exact.xz", target)
    shutil.rmtree(folder / "samples")
    (folder / "samples").symlink_to(target)
    loaded = load(folder)
    assert {each.check for each in loaded.problems} == {"SUBMISSION-FILE-001"}
    assert all("symbolic link" in each.message for each in loaded.problems)
    assert FILE not in loaded.files


def test_a_hard_link(folder):
    os.link(folder / FILE, folder.parent / "elsewhere")
    finding = only(load(folder))
    assert finding.check == "SUBMISSION-FILE-001"
    assert "has other names (hard links)" in finding.message
    assert finding.found == "a file with 2 names (hard links)"


@pytest.mark.parametrize(
    ("make", "found"),
    [(os.mkfifo, "a device, pipe or socket"), (os.mkdir, "a folder")],
)
def test_what_is_no_regular_file(folder, make, found):
    (folder / FILE).unlink()
    make(folder / FILE)
    finding = only(load(folder))
    assert "does not lead to a file" in finding.message
    assert finding.found == found


def test_a_file_where_a_folder_must_be(folder):
    finding = only(load_changed(folder, lambda data: put(data, PATH, f"{FILE}/x")))
    assert finding.check == "SUBMISSION-FILE-001"


def test_another_size(folder):
    (folder / FILE).write_bytes(b"int8 and more")
    finding = only(load(folder))
    assert finding.check == "SUBMISSION-FILE-002"
    assert finding.expected == "4 bytes"
    assert finding.found == "13 bytes"
    assert finding.where.pointer == "/samples/0/files/0/size"
    assert "check --fix" in finding.fix


def test_another_content(folder):
    (folder / FILE).write_bytes(b"INT8")
    loaded = load(folder)
    finding = only(loaded)
    assert finding.check == "SUBMISSION-FILE-003"
    assert hashlib.sha256(b"int8").hexdigest() in finding.expected
    assert hashlib.sha256(b"INT8").hexdigest() in finding.found
    assert finding.where.pointer == "/samples/0/files/0/sha256"
    assert loaded.submission is not None
    assert FILE not in loaded.files


@pytest.mark.parametrize(("key", "value"), [("size", 99), ("sha256", "0" * 64)])
def test_entries_that_contradict_each_other(folder, key, value):
    def change(data):
        data["associated_files"].append(builder.entry(FILE) | {key: value})

    finding = only(load_changed(folder, change))
    assert finding.check == "SUBMISSION-FILE-004"
    assert "contradict each other" in finding.message
    assert "the file has 4 bytes" in finding.found
    assert finding.evidence["also_at"] == ["/associated_files/1/rel_filepath"]


def test_a_file_may_be_listed_twice(folder):
    def change(data):
        data["associated_files"].append(builder.entry(FILE))

    assert load_changed(folder, change).problems == ()


def test_metadata_that_list_themselves(folder):
    def change(data):
        data["associated_files"].append(builder.entry("submission.json", b"x"))

    finding = only(load_changed(folder, change))
    assert finding.check == "SUBMISSION-FILE-001"
    assert "list themselves" in finding.message


def test_a_file_over_the_limit_is_not_read(folder):
    finding = only(load(folder, limits=Limits(file_bytes=22)))
    assert finding.check == "SUBMISSION-FILE-001"
    assert "too large to be read" in finding.message
    assert finding.expected == "at most 22 bytes"


def test_an_unlisted_file(folder):
    (folder / "samples" / "notes.txt").write_text("?")
    finding = only(load(folder))
    assert finding.check == "SUBMISSION-FILE-004"
    assert finding.where.file == "samples/notes.txt"
    assert "associated_files" in finding.fix


def test_an_unlisted_folder_is_one_problem(folder):
    for name in ("a/b/1", "a/b/2", "a/3"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("?")
    finding = only(load(folder))
    assert finding.where.file == "a/"
    assert finding.found == "3 unlisted files"


def test_an_unlisted_file_in_a_folder_of_its_own_is_named(folder):
    (folder / "a").mkdir()
    (folder / "a/b").write_text("?")
    assert only(load(folder)).where.file == "a/b"


def test_an_unlisted_link_is_not_followed(folder):
    target = outside(folder)
    (folder / "link").symlink_to(target)
    finding = only(load(folder))
    assert finding.where.file == "link"


def test_a_link_to_itself_does_no_harm(folder):
    (folder / "loop").symlink_to("loop")
    assert only(load(folder)).where.file == "loop"


def test_names_that_are_not_utf8_can_be_printed(folder):
    (folder / os.fsdecode(b"bad\xff")).write_bytes(b"")
    finding = only(load(folder))
    assert finding.where.file == "bad\\xff"
    str(finding).encode()


@pytest.mark.parametrize("name", ["submission.json.bak", "submission.json.bak.12"])
def test_backups_need_not_be_listed(folder, name):
    (folder / name).write_text("{}")
    assert load(folder).problems == ()


@pytest.mark.parametrize("name", ["submission.json.old", "samples/submission.json.bak", "x.bak"])
def test_other_files_are_no_backups(folder, name):
    (folder / name).write_text("{}")
    assert only(load(folder)).where.file == name


def test_empty_folders_are_no_problem(folder):
    (folder / "empty/inner").mkdir(parents=True)
    assert load(folder).problems == ()


def test_the_number_of_files_is_bounded(folder):
    finding = only(load(folder, limits=Limits(files=3)))
    assert finding.check == "SUBMISSION-FILE-004"
    assert "too many files" in finding.message
    assert finding.expected == "at most 3 files"


def test_a_folder_that_cannot_be_read_is_noted(tmp_path):
    listed = list_folder(tmp_path / "absent", 10)
    assert listed.unreadable == ("",)


def test_files_in_an_invalid_entry_are_not_called_unlisted(folder):
    def change(data):
        data["samples"][0]["files"] = "samples/int8.npz"

    assert only(load_changed(folder, change)).check == "SUBMISSION-SCHEMA-001"


def test_a_measured_file_may_not_vanish_unnoticed(tmp_path):
    with pytest.raises(ConformanceError, match="the file is missing"):
        measure(tmp_path, "nothing")


NOT_PART = [
    *(".git", ".hg", ".svn", ".github", ".gitlab", ".gitattributes", ".gitignore", ".gitmodules"),
    *(".hgignore", ".gitlab-ci.yml"),
]


@pytest.mark.parametrize("name", NOT_PART)
@pytest.mark.parametrize("kind", ["file", "folder", "link", "locked"])
def test_what_version_control_keeps_is_no_part_of_a_submission(folder, name, kind):
    if kind in ("folder", "locked"):
        (folder / name / "objects").mkdir(parents=True)
        (folder / name / "objects" / "x.py").write_text("?")
        (folder / name).chmod(0o000 if kind == "locked" else 0o700)
    elif kind == "link":
        (folder / name).symlink_to("/etc/passwd")
    else:
        (folder / name).write_text("?")
    loaded = load(folder)
    (folder / name).chmod(0o700) if kind == "locked" else None
    assert loaded.problems == loaded.advice == ()
    assert loaded.ignored == (name,)


def test_files_of_version_control_are_not_counted(folder):
    (folder / ".git").mkdir()
    for number in range(50):
        (folder / ".git" / str(number)).touch()
    assert load(folder, limits=Limits(files=10)).problems == ()


def test_such_a_name_further_down_is_a_file_like_any_other(folder):
    (folder / "samples" / ".gitignore").write_text("?")
    loaded = load(folder)
    assert only(loaded).where.file == "samples/.gitignore"
    assert loaded.ignored == ()


@pytest.mark.parametrize("path", [".git/config", ".gitignore", ".github/workflows/ci.yml"])
def test_a_listed_file_of_version_control_is_refused_unopened(folder, path):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(b"?")

    def change(data):
        data["associated_files"].append(builder.entry(path, b"?"))

    loaded = load_changed(folder, change)
    finding = only(loaded)
    assert finding.check == "SUBMISSION-FILE-001"
    assert "version control" in finding.message
    assert "Copy the file to a different place" in finding.fix
    assert path not in loaded.files
