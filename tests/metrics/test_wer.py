"""The word error rate by worked examples."""

import numpy as np
import pytest

from conformance.metrics import metric
from tests.metrics.cases import measured


@pytest.mark.parametrize(
    ("ours", "theirs", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a x c", "a b c", 1),
        ("a c", "a b c", 1),
        ("a b b c", "a b c", 1),
        ("", "a b c", 3),
        ("a b", "", 2),
        ("b c a", "a b c", 2),
    ],
)
def test_wer_counts_substitutions_deletions_and_insertions(ours, theirs, errors):
    found = measured("wer", prediction=[ours], target=[theirs])
    assert found.statistics.tolist() == [[errors, len(theirs.split())]]


def test_wer_of_token_ids_leaves_padding_out():
    found = measured("wer", {"ignore_index": 0}, prediction=[[1, 2, 0]], target=[[1, 3, 0]])
    assert found.details == {"errors": 1, "words": 2}


def test_wer_is_of_all_words_of_the_corpus():
    found = measured("wer", prediction=["a x c", "a", "b"], target=["a b c", "", "b"])
    assert found.statistics.tolist() == [[1, 3], [1, 0], [0, 1]]
    assert found.value == 2 / 4
    assert found.details == {"errors": 2, "words": 4}
    assert found.counted == {"words": 4}


def test_many_sums_have_their_values_at_once():
    totals = np.array([[1.0, 4.0], [6.0, 3.0]])
    assert metric("wer", {}).finish(totals).tolist() == [0.25, 2]
