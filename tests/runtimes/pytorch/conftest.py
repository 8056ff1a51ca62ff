"""Fixtures of the tests of PyTorch's formats; files that take long to make are made once."""

import os
import shutil

import pytest

from conformance.runtimes.pytorch.settings import ENVIRONMENT

for _name, _value in ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

from tests.runtimes.models import source  # noqa: E402 - PyTorch reads the environment first
from tests.runtimes.pytorch import files, nets  # noqa: E402


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A function that returns the source of a network in a format, saved once."""
    made = {}
    folder = tmp_path_factory.mktemp("pytorch")

    def save(form, kind, seed=0):
        if (form, kind, seed) not in made:
            place = folder / f"{form.replace(':', '-')}-{kind}-{seed}"
            made[form, kind, seed] = files.save(place, form, kind, nets.tensors(kind, seed))
        return made[form, kind, seed]

    return save


@pytest.fixture
def copied(saved, tmp_path):
    """A function that returns a copy of the file, to be changed at will."""

    def copy(form, kind="cnn"):
        for path in saved(form, kind).files:
            shutil.copy(path, tmp_path / path.name)
        return tmp_path / files.SUFFIXES[form.partition(":")[0]]

    return copy


@pytest.fixture
def reopen():
    """A function that opens a file of ``copied`` after it was changed."""

    def reopened(path, form, **more):
        names = [path.name, "net.onnx"] if form == "torch-state-dict" else [path.name]
        return files.opened(form, source(path.parent, *names, **more))

    return reopened


@pytest.fixture
def marker(tmp_path):
    """A file that only a payload makes; it must not be there after the test."""
    path = tmp_path / "marker"
    yield path
    assert not path.exists(), "a planted payload was run"
