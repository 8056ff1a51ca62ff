"""The chain that is measured is one, and the bare loop computes what the suite does."""

import chain
import pytest

from conformance.submission import load

PARAMETERS = 6 * 12 * 12


@pytest.mark.parametrize("kind", ["nnc", "tensors"])
def test_every_step_updates_the_one_before_it(kind, tmp_path):
    paths = chain.write_chain(tmp_path, PARAMETERS, 4, kind)
    loaded = load(tmp_path)
    assert loaded.problems == ()
    assert [path.name for path in paths] == [
        s.files[0].rel_filepath for s in loaded.submission.samples
    ]
    parents = [sample.update_of.sample for sample in loaded.submission.samples]
    assert parents == [None, "step-0", "step-1", "step-2"]


@pytest.mark.parametrize("kind", ["nnc", "tensors"])
def test_suite_and_bare_loop_are_compared(kind, capsys):
    chain.main(["--parameters", str(PARAMETERS), "--steps", "3", "--kind", kind])
    said = capsys.readouterr().out
    assert f"{kind}: {PARAMETERS} parameters, 3 steps" in said
    assert "slope: " in said
    assert "target at most 0.01: " in said


def test_another_value_of_the_bare_loop_ends_the_comparison(tmp_path, monkeypatch):
    paths = chain.write_chain(tmp_path, PARAMETERS, 2, "tensors")
    monkeypatch.setattr(chain, "bare_steps", lambda folder, paths: lambda number: 1.0)
    with pytest.raises(RuntimeError, match=r"step 0: the suite finds .*, bare 1\.0"):
        chain.measured(tmp_path, paths)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([2.0, 2.0, 2.0], 0.0), ([1.0, 2.0, 3.0], 0.5), ([2.0, 9.0, 2.0, 2.0, 2.0], 0.0)],
    ids=["level", "rising", "interrupted"],
)
def test_slope_is_a_share_of_a_step(seconds, expected):
    assert chain.slope(seconds) == pytest.approx(expected)
