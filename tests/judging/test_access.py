"""What may be read for one tensor of a sample."""

from __future__ import annotations

from conformance.judging.access import accesses
from conformance.plan.results import AccessResult
from tests.results import made


def measured(size: int, payload: int, count: int, *rows: tuple[int, int]) -> AccessResult:
    given = {
        "file_bytes": size,
        "payload_bytes": payload,
        "count": count,
        "tensors": [
            {
                "tensor": f"t{index}",
                "stored_bytes": stored,
                "bytes_read": read,
                "sha256": "0",
                "whole_sha256": "0",
            }
            for index, (stored, read) in enumerate(rows)
        ],
    }
    return made(AccessResult, given)


def allowed(*given: int) -> list[int]:
    size, payload, count, stored = given
    return [each.allowed_bytes for each in accesses(measured(size, payload, count, (stored, 0)))]


def test_its_own_bytes_what_is_of_none_and_64_for_each_other() -> None:
    assert allowed(1000, 900, 1, 900) == [1000]
    assert allowed(1000, 900, 3, 300) == [300 + 100 + 2 * 64]
    assert allowed(900, 900, 3, 300) == [300 + 2 * 64]


def test_nothing_is_a_tensors_own_in_a_file_smaller_than_all() -> None:
    assert allowed(800, 900, 3, 300) == [2 * 64]


def test_a_byte_more_is_too_far() -> None:
    near, far = accesses(measured(1000, 900, 2, (300, 464), (300, 465)))
    assert near.is_near
    assert not far.is_near


def test_the_table_is_evidence() -> None:
    (row,) = accesses(measured(1000, 900, 2, (300, 400)))
    assert row.to_json() == {"tensor": "t0", "stored_bytes": 300, "bytes_read": 400}
