"""Would the tests notice? Change one thing at a time in what gives verdicts, and run its tests.

    make mutants                                    every module below: hours
    make mutants ONLY="judging/waivers.py"          only these; patterns as in a shell

cosmic-ray makes the changes (an operator, a comparison, a number, a decorator) in memory: no file
is written. For each, a copy of this process runs the tests that :data:`TESTS` names for the module.
A change that they do not notice is a survivor, and is printed as a diff: write a test of the
behaviour that it changes. If it changes none, list it with the reason in ``equivalent.json``, by
the lines as they are and as they become. Exit code 1: a survivor is not listed, or one that is
listed is noticed.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import importlib.abc
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "conformance"
LONGEST = 60
"""Seconds of processor time after which tests have noticed: an endless loop."""
PRELOADED = ("numpy", "jsonschema", "onnx", "hypothesis", "pytest", "_pytest.assertion.rewrite")
"""What most tests import, and no change affects."""

TESTS = {
    "metrics/tolerance.py": "tests/metrics/test_tolerance.py",
    "metrics/uncertainty.py": "tests/metrics/test_uncertainty.py",
    "metrics/_arguments.py": "tests/metrics/test_arguments.py",
    "metrics/_classes.py": "tests/metrics/test_classes.py tests/metrics/test_language.py",
    "metrics/_inputs.py": "tests/metrics/test_inputs.py",
    "metrics/_libraries.py": "tests/metrics/test_registry.py",
    "metrics/_protocol.py": "tests/metrics/test_arguments.py tests/metrics/test_protocol.py",
    "metrics/_registry.py": "tests/metrics/test_registry.py",
    "metrics/accuracy.py": "tests/metrics/test_classes.py tests/metrics/test_arguments.py",
    "metrics/additive.py": "tests/metrics/test_additive.py",
    "metrics/class_counts.py": "tests/metrics/test_classes.py",
    "metrics/classification.py": "tests/metrics/test_classes.py",
    "metrics/confusion.py": "tests/metrics/test_classes.py",
    "metrics/detection.py": "tests/metrics/test_detection.py",
    "metrics/distributions.py": "tests/metrics/test_language.py",
    "metrics/images.py": "tests/metrics/test_real_values.py",
    "metrics/regression.py": "tests/metrics/test_real_values.py",
    "metrics/segmentation.py": "tests/metrics/test_classes.py",
    "metrics/signals.py": "tests/metrics/test_real_values.py",
    "metrics/text.py": "tests/metrics/test_language.py tests/metrics/test_wer.py",
    "judging/deltas.py": "tests/judging/test_deltas.py",
    "judging/waivers.py": "tests/judging/test_waivers.py",
    "pytest_run/exit_code.py": "tests/pytest_run/test_exit_code.py",
    "judging/noise.py": "tests/judging/test_noise.py",
    "judging/control.py": "tests/judging/test_control.py",
    "cli/measure.py": "tests/cli/test_measure_of_evidence.py",
    "judging/judge.py": "tests/judging/test_judge.py",
    "judging/conditions.py": "tests/judging/test_conditions.py",
    "judging/counted.py": "tests/judging/test_counted.py",
    "judging/grouped.py": "tests/judging/test_grouped.py",
    "report/layered.py": "tests/report/test_layered.py",
    "judging/overflows.py": "tests/judging/test_overflows.py",
    "judging/equality.py": "tests/judging/test_equality.py",
    "report/stream_claims.py": "tests/report/test_stream_claims.py",
    "report/update_trees.py": "tests/report/test_update_trees.py",
    "judging/sizes.py": "tests/judging/test_sizes.py",
    "judging/access.py": "tests/judging/test_access.py",
    "submission/oddities.py": "tests/submission/test_oddities.py",
    "submission/claims.py": "tests/submission/test_claims.py",
    "submission/tolerances.py": (
        "tests/submission/test_tolerances.py tests/submission/test_claims.py"
    ),
    "plan/subjects.py": "tests/plan/test_subjects.py tests/plan/test_chain_subjects.py",
    "plan/jobs.py": "tests/plan/test_jobs.py tests/plan/test_requests.py",
    "plan/requests.py": "tests/plan/test_requests.py",
    "plan/keys.py": "tests/plan/test_jobs.py tests/plan/test_requests.py",
    "plan/computing.py": "tests/plan/test_computing.py",
    "jobs/control.py": "tests/jobs/test_control.py",
    "jobs/replacing.py": "tests/jobs/test_control.py",
    "jobs/compare.py": "tests/jobs/test_compare.py",
    "jobs/repeats.py": "tests/jobs/test_repeats.py",
    "jobs/measuring.py": "tests/jobs/test_measuring.py",
    "test_metrics.py": "tests/suites/test_metrics.py",
    "test_originals.py": "tests/suites/test_originals.py",
    "test_decoding.py": "tests/suites/test_decoding.py",
    "test_updates.py": "tests/suites/test_updates.py",
    "test_scalability.py": "tests/suites/test_scalability.py",
}
"""The tests of each module: those that run in a few seconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """A module with one change; the lines that it replaces, and by what."""

    module: str
    source: str

    @property
    def diff(self) -> list[str]:
        """The change as the lines of a diff."""
        before = (PACKAGE / self.module).read_text("utf-8").splitlines()
        after = self.source.splitlines()
        return list(difflib.unified_diff(before, after, self.module, self.module, lineterm="", n=1))

    def is_in(self, equivalents: Sequence[dict[str, str]]) -> bool:
        """Return whether the change is known to change no behaviour."""
        own = {"module": self.module, "before": self._lines("-"), "after": self._lines("+")}
        return any(own.items() <= each.items() for each in equivalents)

    def _lines(self, sign: str) -> str:
        return " ".join(line[1:].strip() for line in self.diff[2:] if line.startswith(sign))

    def is_noticed(self) -> bool:
        """Return whether the tests of the module fail on it."""
        child = os.fork()
        if child == 0:
            os._exit(self._run())
        return os.waitpid(child, 0)[1] != 0

    def _run(self) -> int:
        """Return the exit code of the tests, in their own process."""
        import pytest

        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]  # Workers set their own longer limits.
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, hard))
        signal.alarm(20 * LONGEST)
        name = f"conformance.{self.module.removesuffix('.py').replace('/', '.')}"
        sys.meta_path.insert(0, Changed(name, PACKAGE / self.module, self.source))
        # The suites have names of tests: what rewrites assertions would load them as they are.
        options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
        return int(pytest.main([*options, *(str(ROOT / t) for t in TESTS[self.module].split())]))


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and gives it another source."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Return the module's spec, and nothing for any other."""
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source."""
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def main(arguments: list[str] | None = None) -> int:
    """Return 1 if there are survivors that are not listed as equivalent."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--cosmic-ray", required=True, help="the Python that has cosmic-ray")
    parser.add_argument("modules", nargs="*", help="modules of conformance/, as in judging/*.py")
    given = parser.parse_args(arguments)
    chosen = [m for name in given.modules or ["*"] for m in fnmatch.filter(TESTS, name)]
    if not chosen:
        parser.error(f"no module is called {' or '.join(given.modules)}: {', '.join(TESTS)}")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # Threads do not survive a fork.
    for name in PRELOADED:
        importlib.import_module(name)
    equivalents = json.loads((HERE / "equivalent.json").read_text("utf-8"))
    return max(tried(module, given.cosmic_ray, equivalents) for module in dict.fromkeys(chosen))


def tried(module: str, python: str, equivalents: Sequence[dict[str, str]]) -> int:
    """Try all changes of a module and print what no test noticed; return 1 if that is not known."""
    if Change(module, (PACKAGE / module).read_text("utf-8")).is_noticed():
        print(f"{module}: its tests fail without any change")
        return 1
    if not Change(module, "").is_noticed():
        print(f"{module}: its tests do not see changes, not even an empty module")
        return 1
    command = [python, HERE / "changes.py", PACKAGE / module]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    changes = [Change(module, source) for source in made]
    survivors = [change for change in changes if not change.is_noticed()]
    new = [change for change in survivors if not change.is_in(equivalents)]
    listed = [each for each in equivalents if each["module"] == module]
    stale = [each for each in listed if not any(change.is_in([each]) for change in survivors)]
    print(f"{module}: {len(changes)} changes, {len(survivors)} not noticed, {len(new)} unexplained")
    for change in new:
        print("\n".join(change.diff), flush=True)
    for each in stale:
        print(f"equivalent.json lists what is noticed: {each['before']} -> {each['after']}")
    return int(bool(new or stale))


if __name__ == "__main__":
    sys.exit(main())
