"""The end of a run says what to do about what could not be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.session.summary import print_verdict
from conformance.verdicts import Finding, NotRunError, Verdict


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def line(self, text: str, **_: bool) -> None:
        self.text += text + "\n"


def printed(*findings: Finding, required: bool = True) -> str:
    terminal = Terminal()
    report: dict[str, Any] = {
        "verdict": "incomplete",
        "complete": True,
        "selected": None,
        "summary": {"planned": len(findings), "not-run": len(findings)},
        "findings": [{**finding.to_json(), "required": required} for finding in findings],
    }
    print_verdict(terminal, "tiny", report, Path("reports"), Path("/sub mission"))
    return terminal.text


def missing(format: str, check: str) -> Finding:
    error = NotRunError(
        f"the model format {format!r} needs a library",
        mend=f"Run: pip install 'nnr-conformance[{format}]'",
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
    waiting = Finding("MODEL-RUN-001", "tiny/linear", Verdict.NOT_RUN, "", "model has to succeed")
    assert printed(waiting).splitlines()[1].startswith("  reports:")


def test_advice_is_counted_beside_the_verdict() -> None:
    advice = Finding("UPDATE-MUTATION-001", "tiny/half/dropped", Verdict.FAIL)
    assert "1 advisory: worth a look, and no part of the verdict" in printed(advice, required=False)
    assert "advisory" not in printed(advice)
