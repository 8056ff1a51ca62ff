"""The parent that a file of tensor differences names, and what is wrong with such names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.codecs import Base, Memory, Source, Step, codec
from conformance.codecs.encoded import affine, plain
from conformance.codecs.tensors_writer import write
from conformance.tensorfiles import dump_tensors, network_digest, tensor_digest
from conformance.verdicts import MalformedError

OURS, OTHERS = "a" * 64, "b" * 64
BASE = Base(OURS, {"w": (2, 3)}, Memory())
DIFFERENCE = np.arange(6, dtype=np.float32).reshape(2, 3)
FORMATS = [("safetensors", "nnr_parent"), ("npz", "parent.json")]


def written(folder: Path, parent: str | None, format: Any = "safetensors", **how: Any) -> Source:
    path = folder / f"difference.{format}"
    params = write(path, {"w": plain(DIFFERENCE)}, parent=parent, format=format, **how)
    return Source((path,), ("shown",), params, 10**6)


def with_text(folder: Path, text: str, format: Any = "safetensors") -> Source:
    path = folder / f"difference.{format}"
    key = dict(FORMATS)[format]
    with path.open("wb") as file:
        dump_tensors(file, format, {"w": DIFFERENCE}, {key: text})
    return Source((path,), ("shown",), {}, 10**6)


def step(source: Source, base: Base | None = BASE) -> Step:
    return codec("tensors").decode_step(source, base)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("format", "key"), FORMATS)
@pytest.mark.parametrize("container", ["none", "xz"])
def test_the_true_parent_is_accepted(tmp_path: Path, format: str, key: str, container: str) -> None:
    made = step(written(tmp_path, OURS, format, container=container))
    assert (made.identity.places, dict(made.identity.named)) == (1, {"sha256": 1})
    assert made.identity.wrong == ()
    assert "parent:sha256" in made.tensors.features
    np.testing.assert_array_equal(made.tensors["w"], DIFFERENCE)
    made.tensors.close()


@pytest.mark.parametrize(("format", "key"), FORMATS)
def test_another_parent_is_told_at_its_place(tmp_path: Path, format: str, key: str) -> None:
    made = step(written(tmp_path, OTHERS, format))
    (wrong,) = made.identity.wrong
    assert (wrong.tensor, wrong.expected, wrong.found) == (None, OURS, OTHERS)
    assert wrong.where is not None
    assert wrong.where.file is not None
    assert wrong.where.element == key
    made.tensors.close()


def test_a_file_that_names_no_parent_fits_any(tmp_path: Path) -> None:
    made = step(written(tmp_path, None))
    assert (made.identity.places, dict(made.identity.named)) == (1, {})
    assert not any(each.startswith("parent:") for each in made.tensors.features)


def test_the_size_is_that_of_the_file(tmp_path: Path) -> None:
    source = written(tmp_path, OURS, container="zstd")
    made = step(source)
    assert (made.size, made.units) == (source.files[0].stat().st_size, 0)
    assert made.memory == Memory()


def test_differences_are_no_network_by_themselves(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="holds differences to a parent") as caught:
        codec("tensors").decode(written(tmp_path, OURS))
    with pytest.raises(MalformedError, match="holds differences to a parent"):
        step(written(tmp_path, OURS), base=None)
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.element) == ("shown", "nnr_parent")
    assert "update_of" in caught.value.fix


def test_the_same_tensors_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, OURS).files[0].read_bytes()
    assert written(tmp_path, OURS).files[0].read_bytes() == first
    assert written(tmp_path, OTHERS).files[0].read_bytes() != first


def test_quantised_differences_may_name_a_parent(tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    params = write(path, {"w": affine(DIFFERENCE)}, parent=OURS)
    made = step(Source((path,), ("shown",), params, 10**6))
    assert made.identity.wrong == ()
    assert np.abs(made.tensors["w"] - DIFFERENCE).max() < 0.05


HOSTILE = {
    "no-json": ("{", "cannot be read"),
    "twice": (f'{{"sha256": "{OURS}", "sha256": "{OURS}"}}', "cannot be read"),
    "deep": ("[" * 100_000, "cannot be read"),
    "text": (json.dumps(OURS), "the name of the parent"),
    "list": ("[]", "the name of the parent"),
    "no-digest": ("{}", "sha256"),
    "other-key": (json.dumps({"sha256": OURS, "md5": "0"}), "md5"),
    "number": ('{"sha256": 5}', "sha256"),
    "short": (json.dumps({"sha256": OURS[:-1]}), "wrong 'sha256'"),
    "upper-case": (json.dumps({"sha256": OURS.upper()}), "wrong 'sha256'"),
    "line-feed": (json.dumps({"sha256": OURS + "\n"}), "wrong 'sha256'"),
    "other-digits": (json.dumps({"sha256": "٣" * 64}), "wrong 'sha256'"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("format", "key"), FORMATS)
def test_a_name_that_cannot_be_read_is_refused_at_its_place(
    tmp_path: Path, format: str, key: str, name: str
) -> None:
    text, said = HOSTILE[name]
    with pytest.raises(MalformedError) as caught:
        step(with_text(tmp_path, text, format))
    error = caught.value
    assert said in error.message
    assert error.where is not None
    assert error.where.element == key
    assert error.expected
    assert len(error.found) <= 200
    assert error.fix


@settings(max_examples=50, deadline=None)
@given(
    st.text(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=70),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["sha256", "sha512", ""]), inner, max_size=2)
        ),
        max_leaves=4,
    ).map(json.dumps)
)
def test_any_name_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("parent")
    try:
        made = step(with_text(folder, text))
    except MalformedError:
        return
    assert json.loads(text).keys() == {"sha256"}
    made.tensors.close()


# --- The digest of a network


def test_the_digest_of_a_network_is_that_of_its_lines() -> None:
    import hashlib

    arrays = {"w": DIFFERENCE, "b": DIFFERENCE[0]}
    digests = {name: tensor_digest(array) for name, array in arrays.items()}
    lines = f"{digests['b']} b\n{digests['w']} w\n"
    assert network_digest(digests) == hashlib.sha256(lines.encode()).hexdigest()


@given(st.dictionaries(st.text(max_size=5), st.sampled_from([OURS, OTHERS]), max_size=4))
def test_the_order_of_the_tensors_does_not_matter(digests: dict[str, str]) -> None:
    turned = dict(reversed(digests.items()))
    assert network_digest(digests) == network_digest(turned)


def test_names_and_values_are_both_told_apart() -> None:
    found = [{"a": OURS, "b": OTHERS}, {"a": OTHERS, "b": OURS}, {"a": OURS}, {"b": OURS}, {}]
    assert len({network_digest(each) for each in found}) == len(found)
