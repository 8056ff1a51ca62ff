from pathlib import Path

import pytest

from tests.submission import builder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds a valid submission."""
    root = tmp_path / "tiny-folder"
    root.mkdir()
    builder.write_files(root)
    builder.write_metadata(root, builder.valid())
    return root
