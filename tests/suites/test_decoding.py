"""The suite of samples: each check on evidence just inside and just outside of what it accepts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.plan.subjects import SampleSubject
from conformance.submission.values import Claims
from conformance.verdicts import Location, UnsupportedError
from tests.judged import assert_found, case, only
from tests.judging.found import model, sample, sample_subject

JSON = "submission.json"
HALF = replace(sample("half", 800), features=("float16", "sparse"))
SAMPLE = replace(sample_subject(HALF), model=model("m", 1600))
FILE = Location("half.bin")
STREAM = {"claims": {"edition": 2}, "violations": [], "warnings": []}
VIOLATION = {
    "rule": "NNC-1",
    "text": "what it says",
    "message": "a bit is wrong",
    "expected": "0",
    "found": "1",
    "where": {"file": "half.bin", "byte_offset": 8},
    "fix": "write 0",
    "command": "nnc inspect half.bin",
}
MISFIT = {
    "tensor": "a",
    "file": "half.bin",
    "message": "tensor 'a' has a different shape",
    "expected": "[3]",
    "found": "[4]",
    "fix": "transpose it",
}
A, B = ({"sha256": digest, "non_finite": 0} for digest in ("aa", "bb"))
OPTIONAL = {**A, "optional": True}
INFINITE = {**A, "non_finite": 1}
DECODED = {
    "tensors": {"a": A, "b": B},
    "features": ["float16", "sparse"],
    "parameters": {},
    "stream": None,
    "coverage": [],
    "lossless": {"tensors": 2, "differences": []},
    "likeness": {"compared": 9, "unlike": []},
}


def decoded(**facts: Any) -> dict[str, Any]:
    return {"decode": {**DECODED, **facts}}


def streamed(**facts: Any) -> dict[str, Any]:
    return decoded(stream={**STREAM, **facts})


def claiming(**digests: str) -> SampleSubject:
    return with_claims(Claims(800, None, None, (), digests))


def with_claims(claims: Claims) -> SampleSubject:
    return replace(SAMPLE, sample=replace(HALF, claims=claims))


def with_features(*names: str) -> SampleSubject:
    return replace(SAMPLE, sample=replace(HALF, features=names))


def unlike(count: int) -> dict[str, Any]:
    tensors = [
        {"tensor": f"w{number}", "correlation": 0.0125, "shuffled": 0.25}
        for number in range(1, count + 1)
    ]
    return decoded(likeness={"compared": 9, "unlike": tensors})


def unlike_words(count: int) -> str:
    words = "correlation 0.0125, shuffled values reach 0.25"
    return "; ".join(f"w{number}: {words}" for number in range(1, count + 1))


def not_finite(count: int) -> dict[str, Any]:
    return decoded(tensors={f"w{number}": INFINITE for number in range(count, 0, -1)})


FEATURES = Location(JSON, "/samples/0/features")
DIGESTS = Location(JSON, "/samples/0/claims/tensor_digests")


@pytest.mark.parametrize(
    ("check", "subject", "found", "verdict", "fields"),
    [
        case(
            "decodes",
            "SAMPLE-DECODE-001",
            SAMPLE,
            decoded(),
            message="2 tensors",
            evidence={"tensors": 2, "features": ["float16", "sparse"]},
        ),
        case(
            "decodes-a-stream",
            "SAMPLE-DECODE-001",
            SAMPLE,
            decoded(stream=STREAM),
            evidence={
                "tensors": 2,
                "features": ["float16", "sparse"],
                "claims": {"edition": 2},
            },
        ),
        case("keeps-the-rules", "SAMPLE-STREAM-001", SAMPLE, streamed(), evidence={}),
        case(
            "is-unusual",
            "SAMPLE-STREAM-001",
            SAMPLE,
            streamed(warnings=[VIOLATION]),
            evidence={"warnings": [{**VIOLATION, "is_warning": False}]},
        ),
        case(
            "breaks-a-rule",
            "SAMPLE-STREAM-001",
            SAMPLE,
            streamed(violations=[VIOLATION]),
            "fail",
            message="NNC-1: a bit is wrong",
            expected="0",
            found="1",
            where=Location("half.bin", byte_offset=8),
            fix="write 0; `nnc inspect half.bin`",
            evidence={"rule": "NNC-1", "text": "what it says"},
        ),
        case("complete", "SAMPLE-TENSORS-001", SAMPLE, decoded()),
        case(
            "does-not-fit",
            "SAMPLE-TENSORS-001",
            SAMPLE,
            decoded(coverage=[MISFIT]),
            "fail",
            message="'a'",
            where=replace(FILE, element="a"),
        ),
        case("finite", "SAMPLE-FINITE-001", SAMPLE, decoded()),
        case(
            "five-not-finite",
            "SAMPLE-FINITE-001",
            SAMPLE,
            not_finite(5),
            "fail",
            message="5 decoded tensors",
            found="w1: 1, w2: 1, w3: 1, w4: 1, w5: 1",
            where=replace(FILE, element="w1"),
        ),
        case(
            "six-not-finite",
            "SAMPLE-FINITE-001",
            SAMPLE,
            not_finite(6),
            "fail",
            message="6 decoded tensors",
            found="w1: 1, w2: 1, w3: 1, w4: 1, w5: 1",
        ),
        case("digests", "SAMPLE-DIGEST-001", claiming(a="aa", b="bb"), decoded(), message="2"),
        case(
            "no-digest-is-claimed",
            "SAMPLE-DIGEST-001",
            claiming(),
            decoded(),
            "fail",
            expected="the digests of 2 tensors as they are decoded",
            where=DIGESTS,
            fix="`nnr-conformance measure DIR half`",
        ),
        case(
            "one-digest-is-not-claimed",
            "SAMPLE-DIGEST-001",
            claiming(a="aa"),
            decoded(),
            "fail",
            message="no digest is claimed for tensor 'b'",
            found="bb",
            where=replace(DIGESTS, element="b"),
        ),
        case(
            "one-digest-differs",
            "SAMPLE-DIGEST-001",
            claiming(a="aa", b="ab"),
            decoded(),
            "fail",
            message="the digest claimed for tensor 'b' is not",
            expected="ab",
            found="bb",
        ),
        case(
            "one-claimed-tensor-is-missing",
            "SAMPLE-DIGEST-001",
            claiming(a="aa", b="bb", c="cc"),
            decoded(),
            "fail",
            expected="cc",
            found="no such tensor in the sample",
        ),
        case(
            "what-is-no-parameter-needs-no-digest",
            "SAMPLE-DIGEST-001",
            claiming(b="bb"),
            decoded(tensors={"a": OPTIONAL, "b": B}),
            message="all 1 ",
        ),
        case(
            "what-is-no-parameter-may-have-one",
            "SAMPLE-DIGEST-001",
            claiming(a="ab", b="bb"),
            decoded(tensors={"a": OPTIONAL, "b": B}),
            "fail",
            expected="ab",
            found="aa",
        ),
        case(
            "nothing-needs-a-digest",
            "SAMPLE-DIGEST-001",
            claiming(),
            decoded(tensors={"a": OPTIONAL}),
            message="all 0 ",
        ),
        case(
            "size-and-ratios", "SAMPLE-SIZE-001", with_claims(Claims(800, 2.009, 49.8, (), {})), {}
        ),
        case(
            "one-byte-more",
            "SAMPLE-SIZE-001",
            with_claims(Claims(801, None, None, (), {})),
            {},
            "fail",
            expected="801, as claimed",
            found="800, from 1600 bytes of the original and 800 bytes of the sample",
            where=Location(JSON, "/samples/0/claims/compressed_size"),
            fix="claim 800",
        ),
        case(
            "another-factor",
            "SAMPLE-SIZE-001",
            with_claims(Claims(800, 2.02, None, (), {})),
            {},
            "fail",
            fix="claim 2; the factor is original size / compressed size",
        ),
        case(
            "another-percentage",
            "SAMPLE-SIZE-001",
            with_claims(Claims(800, None, 49.7, (), {})),
            {},
            "fail",
            fix="claim 50; the percentage is compressed size / original size * 100",
        ),
        case("features", "SAMPLE-FEATURES-001", SAMPLE, decoded(), found="float16, sparse"),
        case(
            "an-implied-feature-may-be-declared",
            "SAMPLE-FEATURES-001",
            with_features("float16", "sparse", "int8"),
            decoded(implied_features=["int8"]),
        ),
        case(
            "one-feature-too-many",
            "SAMPLE-FEATURES-001",
            with_features("float16", "sparse", "int8"),
            decoded(),
            "fail",
            message="feature 'int8' is declared but not in the sample",
            expected="declared: float16, int8, sparse",
            found="in the file: float16, sparse",
            where=FEATURES,
            fix="remove 'int8', or",
        ),
        case(
            "no-feature-declared",
            "SAMPLE-FEATURES-001",
            with_features(),
            decoded(),
            "fail",
            message="features 'float16', 'sparse' are not declared but in the sample",
            expected="declared: none",
            fix="add 'float16', 'sparse', or",
        ),
        case(
            "other-features",
            "SAMPLE-FEATURES-001",
            with_features("int8"),
            decoded(features=["float16"]),
            "fail",
            fix="remove 'int8' and add 'float16', or",
        ),
        case(
            "no-feature-in-the-file",
            "SAMPLE-FEATURES-001",
            with_features("int8"),
            decoded(features=[]),
            "fail",
            found="in the file: none",
        ),
        case("bit-exact", "SAMPLE-LOSSLESS-001", SAMPLE, decoded(), message="all 2 tensors"),
        case(
            "one-bit-differs",
            "SAMPLE-LOSSLESS-001",
            SAMPLE,
            decoded(
                lossless={
                    "tensors": 2,
                    "differences": [{"tensor": "b", "expected": "bb", "found": "bc"}],
                }
            ),
            "fail",
            message="'b'",
            expected="bb",
            found="bc",
            where=replace(FILE, element="b"),
        ),
        case(
            "a-network-of-its-own",
            "SAMPLE-LOSSLESS-001",
            SAMPLE,
            decoded(lossless={"error": UnsupportedError("a graph").to_json()}),
            "unsupported",
        ),
        case("alike", "SAMPLE-ORIGIN-001", SAMPLE, decoded(), message="9 parameters"),
        case(
            "two-unlike",
            "SAMPLE-ORIGIN-001",
            SAMPLE,
            unlike(2),
            "fail",
            message="2 of 9",
            found=unlike_words(2),
            where=replace(FILE, element="w1"),
            evidence={"unlike": ["w1", "w2"]},
        ),
        case("five-unlike", "SAMPLE-ORIGIN-001", SAMPLE, unlike(5), "fail", found=unlike_words(5)),
        case(
            "six-unlike",
            "SAMPLE-ORIGIN-001",
            SAMPLE,
            unlike(6),
            "fail",
            found=f"{unlike_words(5)}; and 1 more",
        ),
    ],
)
def test_a_check_accepts_what_lies_just_inside(
    check: str, subject: SampleSubject, found: Any, verdict: str, fields: dict[str, Any]
) -> None:
    assert_found(only(check, subject, found), verdict, fields)
