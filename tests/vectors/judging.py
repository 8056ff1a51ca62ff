"""``nnr-conformance run`` of many submissions that are ours: reports in JSON, workers for all.

    python -m tests.vectors.judging run DIR ... --report OUT

A run ends its workers with each submission and starts new ones for the next: most of what hundreds
of small copies cost is the import of a framework, once for each. It also writes every report in
every form, from the beginning on again and again. All else is as in any run.
"""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from pathlib import Path

from conformance.cli.main import main
from conformance.pytest_run import run, writing
from conformance.report import write as write_module
from conformance.sandbox.limits import Limits
from conformance.sandbox.workers import ForkServers, Workers
from conformance.verdicts import Json


class KeptWorkers(Workers):
    """Workers that outlive the submission."""

    def stop(self) -> None:
        """Keep them."""


def keep_workers() -> None:
    """Give every submission to come the workers of the first."""
    kept: list[KeptWorkers] = []

    def workers(limits: Limits, servers: ForkServers) -> Workers:
        if not kept:
            kept.append(KeptWorkers(limits, servers))
            atexit.register(Workers.stop, kept[0])
        return kept[0]

    run.Workers = workers


def write_json_alone() -> None:
    """Write no page, and nothing before the end, which other tests compare with the schema."""
    writing.FORMATS = ("json",)
    write_module.validate_report = lambda report: None
    writing.REWRITE_SECONDS = float("inf")

    def write_at_the_end(report: Json, folder: Path, formats: Sequence[str]) -> None:
        if report["complete"]:
            write_module.write_reports(report, folder, formats)

    writing.write_reports = write_at_the_end


if __name__ == "__main__":
    keep_workers()
    write_json_alone()
    main()
