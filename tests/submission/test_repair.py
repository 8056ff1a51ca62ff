"""Mechanical fields are fixed, and nothing else is touched."""

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.submission import load
from conformance.submission.repair import apply, plan_repairs
from conformance.verdicts import ConformanceError
from tests.submission import builder
from tests.tiny_chain import TinyChain, difference


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


def test_size_digest_and_compressed_size_are_fixed(changed):
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
    assert "--- submission.json\n+++ submission.json (fixed)\n" in diff
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


def test_contradicting_entries_are_all_fixed(folder):
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


# --- Sums of sizes

SUMS = {"size", "cumulative_size"}


@pytest.fixture
def chain(tmp_path: Path) -> TinyChain:
    """A base, two branches and their merge, an update of it, and a sample of three layers."""
    made = TinyChain(tmp_path / "tiny")
    made.whole()
    made.update("a", "base", difference(1), difference(2))
    made.update("b")
    made.merge("m", a=1.0, b=2.0)
    made.update("next", "m", update_of={"contexts_of": "a"})
    made.layered("s", made.original, difference(3), difference(4))
    return made


def claims_of(chain: TinyChain) -> list[dict[str, Any]]:
    """Return the claims of all samples, then those of the layers."""
    samples = chain.metadata["samples"]
    return [each["claims"] for sample in samples for each in (sample, *sample.get("layers", []))]


def test_sums_of_sizes_are_fixed(chain: TinyChain) -> None:
    right = json.dumps(chain.metadata, indent=2)
    for claims in claims_of(chain):
        claims.update(dict.fromkeys(claims.keys() & {*SUMS, "compressed_size"}, 1))
    root = chain.save()
    repairs = plan_repairs(root)
    assert [(each.pointer, each.old) for each in repairs.changes if "layers" in each.pointer] == [
        (f"/samples/5/layers/{place}/claims/{key}", 1)
        for place in range(3)
        for key in ("size", "cumulative_size")
    ]
    assert sum("cumulative" in each.pointer for each in repairs.changes) == 4 + 3
    apply(repairs)
    assert text_of(root) == right
    assert load(root).problems == ()


def test_a_cumulative_size_that_is_missing_is_added(chain: TinyChain) -> None:
    right = chain.metadata["samples"][3]["claims"].pop("cumulative_size")
    (change,) = plan_repairs(chain.save()).changes
    assert (change.pointer, change.old, change.new) == (
        "/samples/3/claims/cumulative_size",
        None,
        right,
    )


def test_what_leads_back_to_a_missing_file_is_left_alone(chain: TinyChain) -> None:
    for claims in claims_of(chain):
        claims.update(dict.fromkeys(claims.keys() & SUMS, 1))
    root = chain.save()
    for name in ("a-1", "s-1"):
        (root / f"{name}.safetensors").unlink()
    assert [each.pointer for each in plan_repairs(root).changes] == [
        "/samples/2/claims/cumulative_size",
        "/samples/5/layers/0/claims/size",
        "/samples/5/layers/0/claims/cumulative_size",
    ]


def test_sizes_of_layers_of_units_are_left_alone(chain: TinyChain) -> None:
    for layer in chain.metadata["samples"][5]["layers"]:
        del layer["files"]
        layer["units"] = [{"first": 0, "last": 1}]
        layer["claims"]["size"] = 1
    assert plan_repairs(chain.save()).changes == ()


def _ring(samples: list[dict[str, Any]]) -> None:
    samples[1]["update_of"] = {"sample": "next"}


def _twice(samples: list[dict[str, Any]]) -> None:
    samples[2]["id"] = "a"


def _unknown(samples: list[dict[str, Any]]) -> None:
    samples[1]["update_of"] = {"sample": "nowhere", "contexts_of": {"a": 1}}
    samples[2]["update_of"] = {"sample": "nowhere"}


def _odd(samples: list[dict[str, Any]]) -> None:
    samples[1]["update_of"] = samples[2]["update_of"] = {"sample": ["base"]}
    samples[3]["merge_of"] = [{"sample": {}}, 7, "a"]
    samples[4]["update_of"] = "m"
    samples[4]["claims"] = samples[5]["claims"] = []
    samples[5]["layers"] = [{"files": [["a"], {}], "claims": 3}, 5]
    samples[0]["id"] = ["base"]


@pytest.mark.parametrize("spoil", [_ring, _twice, _unknown, _odd])
def test_what_no_chain_can_be_made_of_is_passed_over(chain: TinyChain, spoil: Any) -> None:
    for claims in claims_of(chain)[1:5]:
        claims["cumulative_size"] = 1
    spoil(chain.metadata["samples"])
    changes = plan_repairs(chain.save()).changes
    assert {each.pointer for each in changes} <= {
        f"/samples/{index}/claims/cumulative_size" for index in (1, 2, 3)
    }


def test_a_repeated_key_is_refused(folder):
    builder.write_metadata(folder, '{"id": "a", "id": "b"}')
    with pytest.raises(ConformanceError, match="a key twice") as caught:
        plan_repairs(folder)
    assert caught.value.where.pointer == "/id"
    assert "Delete or rename" in caught.value.fix


def test_metadata_that_changed_meanwhile_are_not_overwritten(changed):
    repairs = plan_repairs(changed)
    builder.write_metadata(changed, {"new": "work"})
    with pytest.raises(ConformanceError, match="was changed in the meantime") as caught:
        apply(repairs)
    assert caught.value.fix == "Run the command again."
    assert json.loads(text_of(changed)) == {"new": "work"}
    assert not (changed / "submission.json.bak").exists()
