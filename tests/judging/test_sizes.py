from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.judging.sizes import (
    compressed_percent,
    compression_factor,
    parameter_factor,
    size_claims,
)
from conformance.submission import load


@pytest.fixture
def pair(tiny: Path):
    submission = load(tiny).submission
    assert submission is not None
    return submission.models[0], submission.samples[0]


def claim(pair, **claims: object) -> dict[str, bool]:
    model, sample = pair
    changed = replace(sample, claims=replace(sample.claims, **claims))
    return {claim.name: claim.holds for claim in size_claims(model, changed)}


def test_factor_and_percent_are_named_apart(pair) -> None:
    factor, percent = compression_factor(*pair), compressed_percent(*pair)
    assert factor == pytest.approx(pair[0].size / pair[1].size)
    assert percent == pytest.approx(100 / factor)


def test_claimed_size_is_exact(pair) -> None:
    size = pair[1].size
    assert claim(pair, compressed_size=size) == {"compressed_size": True}
    assert claim(pair, compressed_size=size + 1) == {"compressed_size": False}


@pytest.mark.parametrize(("stretch", "holds"), [(1.0, True), (1.004, True), (1.006, False)])
def test_claimed_ratios_hold_within_half_a_percent(pair, stretch: float, holds: bool) -> None:
    found = claim(
        pair,
        compression_factor=compression_factor(*pair) * stretch,
        compressed_percent=compressed_percent(*pair) * stretch,
    )
    assert found["compression_factor"] is found["compressed_percent"] is holds


def test_empty_sample_has_no_finite_factor(pair) -> None:
    model, sample = pair
    empty = replace(sample, files=(replace(sample.files[0], size=0),))
    assert compression_factor(model, empty) == float("inf")
    assert compressed_percent(model, empty) == 0


def test_the_other_convention_is_noticed(pair) -> None:
    assert not claim(pair, compression_factor=compressed_percent(*pair))["compression_factor"]


def test_the_parameter_factor_counts_neither_topology_nor_padding(pair) -> None:
    model, sample = pair
    size = sample.size
    assert (
        parameter_factor(
            3 * size, replace(model, files=(replace(model.files[0], size=9 * size),)), size
        )
        == 3
    )
    assert parameter_factor(10 * model.size, model, size) == compression_factor(model, sample)
