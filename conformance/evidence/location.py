"""Which evidence store a user works with."""

from __future__ import annotations

import os
from pathlib import Path

from conformance.evidence.store import EvidenceStore
from conformance.verdicts import ConformanceError

VARIABLE = "NNR_CONFORMANCE_CACHE"


def cache_folder() -> Path:
    """Return the folder of the user's in which this tool keeps what it may lose."""
    from platformdirs import user_cache_path

    return user_cache_path("nnr-conformance")


def evidence_folder(chosen: Path | None = None) -> Path:
    """Return ``chosen``, else ``$NNR_CONFORMANCE_CACHE``, else the user's own folder."""
    given = chosen or os.environ.get(VARIABLE)
    return Path(given) if given else cache_folder() / "evidence"


def evidence_store(chosen: Path | None = None) -> EvidenceStore:
    """Return the store in :func:`evidence_folder`.

    Raises :class:`~conformance.verdicts.ConformanceError` if it cannot be written to.
    """
    folder = evidence_folder(chosen)
    try:
        return EvidenceStore(folder)
    except OSError as error:
        raise ConformanceError(
            f"the evidence store {folder} cannot be used",
            expected="a folder that can be written to",
            found=error.strerror or str(error),
            fix=f"name another one with --evidence DIR or ${VARIABLE}",
        ) from None
