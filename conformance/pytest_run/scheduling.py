"""How pytest-xdist hands out checks: those of one network or sample stay together.

They share a worker's memory of evidence and its open network; other workers take other samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdist.scheduler import LoadScopeScheduling

from conformance.judging.run import test_of
from conformance.plan.subjects import Subject


class SubjectScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Group tests by the network or sample they are about; a check is never handed out twice.

    ``subjects`` are those of all tests of the run, by the end of their ids.

    Where a process dies, the scheduling this is built on hands out the check it died of once
    more, and waits permanently if the last check of the run is left to the process in its place.
    """

    def __init__(self, config: Any, log: Any, subjects: Mapping[str, Subject]) -> None:
        super().__init__(config, log)
        self._subjects = subjects

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid, self._subjects)

    def remove_node(self, node: Any) -> str | None:
        """Hand the checks of a process that ended to others, and return the one it died of."""
        groups: dict[str, dict[str, bool]] = self.assigned_work.pop(node)
        open_checks = ((g, test) for g in groups.values() for test, done in g.items() if not done)
        group, crashed = next(open_checks, ({}, None))
        if crashed is not None:
            group[crashed] = True
        for scope, tests in groups.items():
            if not all(tests.values()):
                self.workqueue[scope] = tests
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: Any) -> None:
        """Give a process more to do, or an end, before it has but one check left.

        A process keeps its last check back until it knows what comes after it.
        """
        if node not in self.registered_collections:
            return
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)


def scope_of(nodeid: str, subjects: Mapping[str, Subject]) -> str:
    """Return the submission and sample, or network, of a test; of any other its file."""
    subject = subjects.get(test_of(nodeid))
    if subject is None:
        return nodeid.partition("::")[0]
    about = subject.about
    return f"{subject.target}/{about.get('sample', about.get('model', ''))}"
