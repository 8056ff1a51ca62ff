"""The quick part of the tests: what needs no framework, selected by ``-m fast``.

A file belongs to it by its folder. In a run of this part a framework cannot be imported: a test
that tries fails and names itself, so that the part stays quick.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).parent
MARKER = "fast"
PARTS = (
    *("cli", "judging", "nnc", "pytest_run", "reference", "report", "submission", "tensorfiles"),
    *("suites/test_decoding.py", "suites/test_metadata.py", "suites/test_metrics.py"),
    *("suites/test_originals.py", "suites/test_scalability.py", "suites/test_updates.py"),
    *("metrics/test_arguments.py", "metrics/test_classes.py", "metrics/test_inputs.py"),
    *("metrics/test_language.py", "metrics/test_tolerance.py", "metrics/test_uncertainty.py"),
    *("test_checks.py", "test_jsonschemas.py", "test_registry.py", "test_verdicts.py"),
)
"""Folders and files."""
SLOW = (
    # Workers of these run networks.
    *("cli/test_measure.py", "cli/test_output_spread.py", "cli/test_compare_runtimes.py"),
    *("nnc/fuzz", "nnc/robustness", "nnc/test_access.py", "nnc/cabac/test_jit.py"),
    *("nnc/decoder/test_memory.py", "report/pictures"),
)
"""Folders and files of these that take long or need a framework all the same."""
FRAMEWORKS = frozenset(
    {"ai_edge_litert", "cv2", "keras", "nnef", "nnef_tools", "onnxruntime", "tensorflow", "torch"}
)
"""What runs networks. ``onnx`` is not: it reads and writes files."""


def is_fast(path: Path) -> bool:
    """Return whether a file belongs to the quick part, or a folder holds any that does."""
    name = path.relative_to(TESTS)
    within = [each.as_posix() for each in (name, *name.parents)]
    holds = path.is_dir() and any(part.startswith(f"{name.as_posix()}/") for part in PARTS)
    return holds or (any(e in PARTS for e in within) and not any(e in SLOW for e in within))


class NoFrameworks(importlib.abc.MetaPathFinder):
    """Finds none: a test that imports a framework is not of the quick part."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname.partition(".")[0] in FRAMEWORKS:
            raise AssertionError(
                f"a test marked {MARKER} imports {fullname}: list its file in tests/fast.py as SLOW"
            )

    @classmethod
    def watch(cls) -> None:
        """Refuse frameworks from here on."""
        sys.meta_path.insert(0, cls())
