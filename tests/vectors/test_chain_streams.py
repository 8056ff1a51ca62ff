"""What NNCodec is told to make, and what is kept of it; a stand-in takes the steps here."""

import json
import sys

import chain_streams
import numpy as np
import pytest
from chain_streams import Encode, Join, Merge, make_streams, read_stream

STAND_IN = """#!{python}
import json, pathlib, sys
folder = pathlib.Path(sys.argv[2])
steps = json.loads((folder / "steps.json").read_text())
for step in steps:
    if "merge" not in step:
        (folder / (step["id"] + ".nnc")).write_text(json.dumps(step))
arrays = sorted(path.name for path in folder.glob("*.npz"))
(folder / "results.json").write_text(json.dumps({{"arrays": arrays}}))
"""


@pytest.fixture
def peer(tmp_path, monkeypatch):
    monkeypatch.setattr(chain_streams, "HERE", tmp_path)
    path = tmp_path / "peer"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    return str(path)


def test_steps_arrive_with_their_arrays(peer, tmp_path):
    target = {"w": np.ones(2, np.float32)}
    steps = [
        Encode("base", "server", target, {"qp": -30}, 0.1),
        Encode("one", "a", target, {}, 0.1, parent="base", still=["w"]),
        Merge("both", [("base", 1), ("one", 2)]),
        Encode("two", "server", "both", {}, 0.1, parent="base"),
        Join("all", "all", {"base": "", "one": ".residual"}),
    ]
    make_streams(peer, "some", steps)
    kept = {path.name for path in (tmp_path / "some_streams").iterdir()}
    assert kept == {"base.nnc", "one.nnc", "two.nnc", "all.nnc", "decoded.json"}
    one, two = (json.loads(read_stream("some", name)) for name in ("one", "two"))
    assert (one["target"], one["parent"], one["still"]) == (None, "base", ["w"])
    assert (two["target"], two["peer"]) == ("both", "server")
    decoded = json.loads((tmp_path / "some_streams" / "decoded.json").read_text())
    assert decoded == {"arrays": ["base.npz", "one.npz"]}


def test_streams_of_an_earlier_list_are_gone(peer, tmp_path):
    target = {"w": np.ones(2, np.float32)}
    make_streams(peer, "some", [Encode("old", "s", target, {}, 0.1)])
    make_streams(peer, "some", [Encode("new", "s", target, {}, 0.1)])
    assert not (tmp_path / "some_streams" / "old.nnc").exists()
