"""Saved networks, made once for each process that runs tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Networks by format, kind and seed: ``savedmodel-cnn-1``."""
    from tests.runtimes.tensorflow import nets

    folder = tmp_path_factory.mktemp("tensorflow")
    made: dict[str, Path] = {}
    for seed in (1, 2):
        recurrent, cnn = nets.keras_recurrent(seed), nets.keras_cnn(seed)
        for name, network in (("cnn", nets.Cnn(seed)), ("recurrent", recurrent)):
            place = f"savedmodel-{name}-{seed}"
            made[place] = nets.save(folder / place, network)
        for name, network in (("cnn", cnn), ("recurrent", recurrent)):
            place = f"keras-{name}-{seed}"
            made[place] = nets.save_keras(folder / place, network)
    return made


@pytest.fixture
def savedmodel(saved: dict[str, Path], tmp_path: Path) -> Path:
    """A private copy of a SavedModel: the path of its graph."""
    shutil.copytree(saved["savedmodel-cnn-1"].parent, tmp_path / "copy")
    return tmp_path / "copy" / "saved_model.pb"


@pytest.fixture
def keras_file(saved: dict[str, Path], tmp_path: Path) -> Path:
    """A private copy of a ``.keras`` file."""
    return Path(shutil.copy(saved["keras-cnn-1"], tmp_path / "model.keras"))
