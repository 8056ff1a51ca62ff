"""Random access, judged: what may be read for one tensor, and what was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from conformance.plan.results import AccessResult
from conformance.verdicts import Json

PASSED_OVER_BYTES = 64
"""What may be read of each tensor of the sample that is skipped, to find the one wanted."""


@dataclass(frozen=True, slots=True)
class Access:
    """One tensor that was decoded alone: bytes of the file it is stored in, may take, and took.

    ``sha256`` is its digest then, None if it was not the same each time; ``whole_sha256`` that of
    the tensor among all.
    """

    tensor: str
    stored_bytes: int
    allowed_bytes: int
    bytes_read: int
    sha256: str | None
    whole_sha256: str

    @property
    def is_near(self) -> bool:
        """Whether no more was read than finding and decoding the tensor needs."""
        return self.bytes_read <= self.allowed_bytes

    def to_json(self) -> dict[str, Json]:
        """Return the row of the table that is evidence."""
        return {
            "tensor": self.tensor,
            "stored_bytes": self.stored_bytes,
            "bytes_read": self.bytes_read,
        }


def accesses(measured: AccessResult) -> Iterator[Access]:
    """Yield each tensor: it may take its own bytes, those of no tensor, and 64 for each other one.

    Where all tensors together take more than the file has, they are packed together: then nothing
    in the file is a tensor's own, and nothing may be read for it but what is of none.
    """
    size, payload = measured.file_bytes, measured.payload_bytes
    free = max(0, size - payload) + PASSED_OVER_BYTES * (measured.count - 1)
    for row in measured.tensors:
        own = row.stored_bytes if payload <= size else 0
        yield Access(
            tensor=row.tensor,
            stored_bytes=row.stored_bytes,
            allowed_bytes=own + free,
            bytes_read=row.bytes_read,
            sha256=row.sha256,
            whole_sha256=row.whole_sha256,
        )
