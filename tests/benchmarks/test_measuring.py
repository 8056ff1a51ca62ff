"""Running commands in turn, and what is made of their costs."""

import sys

import pytest
from measuring import Cost, Ratio, cpu_ratio, environment, interleaved, print_rounds, ratio, timed

ROUNDS = {
    "ours": [Cost(2.0, 1.0), Cost(6.0, 2.0), Cost(5.0, 9.0)],
    "floor": [Cost(1.0, 1.0), Cost(2.0, 1.0), Cost(2.5, 3.0)],
}


def test_a_command_is_timed_and_its_output_kept():
    cost, said = timed([sys.executable, "-c", "print(sum(range(10**6)))"])
    assert said == "499999500000\n"
    assert 0 < cost.cpu < 60
    assert 0 < cost.wall < 60


def test_processor_time_counts_children_of_the_command():
    burn = "while __import__('time').process_time() < 0.2: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    cost, _ = timed([sys.executable, "-c", code])
    assert cost.cpu >= 0.2


def test_a_command_that_fails_is_told_with_what_it_said():
    code = "import sys; print('alpha'); print('beta', file=sys.stderr); sys.exit(3)"
    with pytest.raises(RuntimeError, match=r"exit status 3 of [^\n]*\n.*alpha.*\nbeta"):
        timed([sys.executable, "-c", code])


def test_variables_that_would_change_a_run_are_left_out(monkeypatch):
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("KEPT", "1")
    kept = environment()
    assert kept["KEPT"] == "1"
    assert not {n for n in kept if n.startswith(("PYTHON", "PYTEST_", "GITHUB_STEP"))}


def test_rounds_go_in_turn_and_the_first_is_dropped():
    order = []

    def one_round():
        order.append(len(order))
        return {"a": Cost(order[-1], 0.0), "b": Cost(-order[-1], 0.0)}

    rounds = interleaved(3, one_round)
    assert order == [0, 1, 2, 3]
    assert [cost.wall for cost in rounds["a"]] == [1, 2, 3]
    assert [cost.wall for cost in rounds["b"]] == [-1, -2, -3]


def test_each_round_gives_one_ratio():
    found = ratio(ROUNDS, "ours", "floor", 2.5)
    assert found.values == [2.0, 3.0, 2.0]
    assert str(found) == "2.00 (2.00 to 3.00); target at most 2.5: met"
    assert cpu_ratio(ROUNDS, "ours", "floor") == "2.00 (1.00 to 3.00)"


@pytest.mark.parametrize(
    ("values", "met"),
    [([2.5], True), ([2.51], False), ([1, 2.5, 9], True), ([1, 2.6, 2.7], False)],
    ids=["on-target", "above", "median-on-target", "median-above"],
)
def test_the_median_is_what_meets_a_target(values, met):
    assert Ratio(values, 2.5).met is met


def test_the_table_says_how_often_and_how_far_apart(capsys):
    print_rounds("Running", ROUNDS)
    said = capsys.readouterr().out
    assert "Running: 3 rounds in turn" in said
    assert "ours   5.00 (2.00 to 6.00)  2.00 (1.00 to 9.00)" in said
