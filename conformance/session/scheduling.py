"""How pytest-xdist hands out checks: those of one network or sample stay together.

They share a worker's memory of evidence and its open network; other workers take other samples.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class SubjectScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Group tests by the network or sample their id names."""

    def _split_scope(self, nodeid: str) -> str:
        """Return ``submission/sample`` of a test id, without vectors and metric."""
        subject = nodeid.partition("[")[2].rstrip("]")
        return "/".join(subject.partition("@")[0].split("/")[:2])
