"""Whatever is in submission.json: findings or a ConformanceError, nothing else."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.submission import load
from conformance.submission.repair import apply, plan_repairs
from conformance.submission.sections import iterate_values
from conformance.submission.text import is_placeholder
from conformance.verdicts import ConformanceError
from tests.hang import no_hang
from tests.submission import builder

QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["net", "test", "top1", "samples/int8.npz", "../x", "<fill in: y>", "relative"]
    )
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "files", "rel_filepath", "models", "license", "x_a", "k"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
POINTERS = [pointer for pointer, _ in iterate_values(builder.VALID) if pointer]


def owner_of(data, pointer):
    for part in pointer[:-1]:
        data = data[part]
    return data


def check(folder):
    """Load, and see that everything that comes back can be used."""
    try:
        loaded = load(folder)
    except ConformanceError as error:
        json.dumps(error.to_json())
        str(error).encode()
        return None
    for finding in loaded.problems:
        assert finding.message
        assert finding.expected
        assert finding.fix
        json.dumps(finding.to_json())
        str(finding).encode()
    return loaded


@QUICK
@given(text=st.text(max_size=200))
def test_any_text(folder, text):
    (folder / "submission.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    check(folder)


@QUICK
@given(raw=st.binary(max_size=200))
def test_any_bytes(folder, raw):
    (folder / "submission.json").write_bytes(raw)
    check(folder)


@QUICK
@given(document=DOCUMENTS)
def test_any_document(folder, document):
    builder.write_metadata(folder, document)
    check(folder)


@QUICK
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(POINTERS), st.none() | st.just("drop") | DOCUMENTS),
        min_size=1,
        max_size=4,
    )
)
def test_any_change_of_a_valid_submission(folder, changes):
    data = builder.valid()
    for pointer, value in changes:
        try:
            if value == "drop":
                del owner_of(data, pointer)[pointer[-1]]
            else:
                owner_of(data, pointer)[pointer[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    builder.write_metadata(folder, data)
    loaded = check(folder)
    if loaded is not None and not loaded.problems:
        assert loaded.submission is not None


@QUICK
@given(cut=st.integers(min_value=0, max_value=10_000), flip=st.integers(0, 255))
def test_any_damage_to_the_text(folder, cut, flip):
    raw = bytearray(json.dumps(builder.VALID).encode())
    raw[cut % len(raw)] ^= flip
    (folder / "submission.json").write_bytes(raw)
    check(folder)


@QUICK
@given(document=DOCUMENTS)
def test_mending_any_document(folder, document):
    builder.write_metadata(folder, document)
    try:
        repairs = plan_repairs(folder)
        json.loads(repairs.after)
        if repairs.changes:
            apply(repairs)
            assert plan_repairs(folder).changes == ()
    except ConformanceError:
        return


REQUIRED_BY_NOBODY = {("metrics", 0, "args"), ("metrics", 0, "args", "k")}


@pytest.mark.parametrize("pointer", POINTERS, ids=lambda pointer: "-".join(map(str, pointer)))
def test_each_missing_value_is_at_most_one_finding(folder, pointer):
    data = builder.valid()
    del owner_of(data, pointer)[pointer[-1]]
    builder.write_metadata(folder, data)
    loaded = load(folder)
    assert len(loaded.problems) <= 1, "\n".join(map(str, loaded.problems))
    if isinstance(pointer[-1], str) and pointer not in REQUIRED_BY_NOBODY:
        expected = {"associated_files", "params", "w"}
        assert loaded.problems or pointer[-1] in expected


@pytest.mark.parametrize(
    ("value", "first"),
    [(5, 0), ([], 1), ("<fill in: something>", 2)],
    ids=["number", "list", "blank"],
)
def test_replaced_values_are_at_most_one_finding_each(folder, value, first):
    for pointer in POINTERS[first::3]:
        data = builder.valid()
        owner_of(data, pointer)[pointer[-1]] = value
        builder.write_metadata(folder, data)
        problems = load(folder).problems
        assert len(problems) <= 1, (pointer, [str(each) for each in problems])
        if is_placeholder(value) and problems:
            assert "still to be filled in" in problems[0].message


def look_without_hanging(folder, text):
    builder.write_metadata(folder, text)
    with no_hang(120):
        check(folder)


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 1_000_000,
        "[" + "1," * 100_000 + "1]",
        "[" + '"",' * 100_000 + "1]",
        '{"id": ' + "9" * 2_000_000 + "}",
        '{"license": "' + "(" * 1_000_000 + '"}',
        '{"models": [' + "{}," * 20_000 + "{}]}",
        '{"associated_files": [' + '{"rel_filepath": "a"},' * 20_000 + "{}]}",
        '{"a' * 63 + '": 1' + "}" * 63,
    ],
    ids=["escapes", "numbers", "texts", "digits", "licence", "models", "files", "nested"],
)
def test_large_nonsense_takes_bounded_time(folder, text):
    look_without_hanging(folder, text)


def test_many_references_take_bounded_time(folder):
    data = builder.valid()
    data["datasets"] = [builder.dataset(f"data-{number}", "test") for number in range(1000)]
    data["models"][0]["use_cases"] = [f"case-{number}" for number in range(3000)]
    look_without_hanging(folder, json.dumps(data))
