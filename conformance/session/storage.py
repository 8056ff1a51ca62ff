"""Which evidence store a user works with."""

from __future__ import annotations

import os
from pathlib import Path

from conformance.evaluation.store import EvidenceStore
from conformance.verdicts import ConformanceError

VARIABLE = "NNR_CONFORMANCE_CACHE"


def evidence_store(chosen: Path | None = None) -> EvidenceStore:
    """Return the store in ``chosen``, else in ``$NNR_CONFORMANCE_CACHE``, else the user's own.

    Raises :class:`~conformance.verdicts.ConformanceError` if it cannot be written to.
    """
    from platformdirs import user_cache_path

    given = chosen or os.environ.get(VARIABLE)
    folder = Path(given) if given else user_cache_path("nnr-conformance") / "evidence"
    try:
        return EvidenceStore(folder)
    except OSError as error:
        raise ConformanceError(
            f"the evidence store {folder} cannot be used",
            expected="a folder that can be written to",
            found=error.strerror or str(error),
            mend=f"name another one with --evidence DIR or ${VARIABLE}",
        ) from None
