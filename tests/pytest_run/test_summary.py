"""The end of a run says what to do about what could not be judged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from conformance.pytest_run.summary import print_verdict
from conformance.verdicts import Finding, NotRunError, Verdict


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def line(self, text: str, **_: bool) -> None:
        self.text += text + "\n"


def printed(*findings: Finding, required: bool = True, columns: int | None = None) -> str:
    terminal = Terminal()
    report: dict[str, Any] = {
        "verdict": "incomplete",
        "complete": True,
        "selected": None,
        "summary": {"planned": len(findings), **Counter(each.verdict.value for each in findings)},
        "findings": [
            {**finding.to_json(), "required": required, "test": None} for finding in findings
        ],
    }
    print_verdict(terminal, "tiny", report, Path("reports"), Path("/sub mission"), columns)
    return terminal.text


def missing(format: str, check: str) -> Finding:
    error = NotRunError(
        f"the model format {format!r} needs a library",
        fix=f"Run: pip install 'nnr-conformance[{format}]'",
    )
    return error.finding(check, "tiny/linear")


def test_missing_library_is_told_once_with_the_command_that_installs_it() -> None:
    text = printed(
        missing("caffe", "MODEL-OPEN-001"),
        missing("caffe", "MODEL-PORTS-001"),
        missing("tflite", "MODEL-OPEN-001"),
    )
    assert text.count("pip install 'nnr-conformance[caffe]'") == 1
    assert text.count("pip install 'nnr-conformance[tflite]'") == 1


def test_what_only_waits_for_something_else_is_not_told_again() -> None:
    waiting = Finding("MODEL-RUN-001", "tiny/linear", Verdict.NOT_RUN, message="model must succeed")
    assert printed(waiting).splitlines()[1].startswith("  reports:")


def test_advice_is_counted_apart_from_what_gives_the_verdict() -> None:
    advice = Finding("UPDATE-MUTATION-001", "tiny/half/dropped", Verdict.FAIL)
    text = printed(advice, required=False)
    assert "— 1 advisory of 1 checks" in text
    assert "advisory: worth a look, but not part of the verdict" in text
    text = printed(advice)
    assert "— 1 fail of 1 checks" in text
    assert "advisory" not in text


def test_lines_are_broken_between_words_and_commands_are_whole() -> None:
    long = NotRunError("m" * 10, found=" ".join(["some words"] * 20), fix="Run: pip install it")
    lines = printed(long.finding("MODEL-OPEN-001", "tiny/linear"), columns=60).splitlines()
    assert all(len(line) < 60 for line in lines if not line.startswith("  to repeat"))
    assert sum(line.startswith(" " * 12 + "some words") for line in lines) == 4
    command = "  to repeat nnr-conformance run '/sub mission' --only MODEL-OPEN-001:tiny/linear"
    assert command in lines
