"""What running the original demands of its vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.verdicts import ConformanceError
from tests import tiny_submission
from tests.jobs.bench import edit
from tests.jobs.in_process import Evaluation


def in_two_shards(tiny: Path, *sides: str) -> Path:
    """Divide the vectors into two shards, of which the ``sides`` declare outputs."""
    x, label = np.load(tiny / "inputs.npz")["x"], np.load(tiny / "targets.npz")["label"]
    logits = np.load(tiny / "outputs.npz")["logits"]
    shards = []
    for index, side_of in enumerate(("first", "second")):
        part = slice(30 * index, 30 + 10 * index)
        outputs = {"logits": logits[part]} if side_of in sides else {}
        files = {"inputs": {"x": x[part]}, "targets": {"label": label[part]}, "outputs": outputs}
        for side, arrays in files.items():
            np.savez(tiny / f"{side}-{index}.npz", **arrays)
        shards.append(
            {
                "items": len(x[part]),
                **{side: [tiny_submission.entry(tiny, f"{side}-{index}.npz")] for side in files},
            }
        )

    def change(metadata: dict) -> None:
        metadata["vectors"][0]["shards"] = shards

    return edit(tiny, change)


def test_declared_outputs_of_every_shard_are_compared(tiny: Path) -> None:
    measured = Evaluation(in_two_shards(tiny, "first", "second")).result("original")
    assert (measured["items"], measured["outputs"]["logits"]["values"]) == (40, 120)


@pytest.mark.parametrize(
    ("side", "expected", "found"), [("first", "logits", "none"), ("second", "none", "logits")]
)
def test_shard_without_outputs_is_no_reproduction(
    tiny: Path, side: str, expected: str, found: str
) -> None:
    with pytest.raises(ConformanceError) as caught:
        Evaluation(in_two_shards(tiny, side)).result("original")
    error = caught.value
    assert error.message == "output 'logits' is declared in some shards only"
    assert error.where.element == "outputs of shard 1"
    assert error.expected == f"the same outputs in every shard; in the first: {expected}"
    assert error.found == found
    assert "every shard" in error.fix
