"""Distributions and texts by worked examples."""

import math

import numpy as np
import pytest

from conformance.metrics import distributions, metric, metric_class
from conformance.verdicts import ConformanceError
from tests.metrics.cases import measured

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(size=(6, 4, 9))
TOKENS = RNG.integers(0, 9, (6, 4))


def refused(kind, args=None, **values) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        measured(kind, args, **values)
    return caught.value


def test_kl_divergence_of_a_worked_example():
    found = measured(
        "kl-divergence",
        {"inputs": "probabilities"},
        prediction=[[1 / 3, 1 / 3, 1 / 3]],
        target=[[0.36, 0.48, 0.16]],
    )
    assert found.value == pytest.approx(
        0.36 * math.log(1.08) + 0.48 * math.log(1.44) + 0.16 * math.log(0.48)
    )


P = np.array([[[0.2, 0.5], [0.3, 0.25], [0.5, 0.25]], [[1.0, 0.5], [1e-9, 0.5], [1e-9, 1e-9]]])
Q = np.array([[[0.6, 0.25], [0.2, 0.5], [0.2, 0.25]], [[0.25, 0.5], [0.25, 0.5], [0.5, 1e-9]]])
DIVERGENCES = [
    0.2 * math.log(1 / 3) + 0.3 * math.log(1.5) + 0.5 * math.log(2.5) + 0.25 * math.log(2),
    math.log(4),
]
"""Of each item, summed over the two positions."""


@pytest.mark.parametrize("axis", [1, -1, 2])
@pytest.mark.parametrize("inputs", ["logits", "probabilities"])
def test_kl_divergence_is_summed_over_classes_and_averaged_over_positions(inputs, axis):
    theirs, ours = (np.log(P) + 700, np.log(Q) - 700) if inputs == "logits" else (P, Q)
    found = measured(
        "kl-divergence",
        {"inputs": inputs, "class_axis": axis},
        prediction=ours if axis == 1 else ours.transpose(0, 2, 1),
        target=theirs if axis == 1 else theirs.transpose(0, 2, 1),
    )
    assert found.statistics[:, 0] == pytest.approx(DIVERGENCES, abs=1e-7)
    assert found.statistics[:, 1].tolist() == [2, 2]
    assert found.value == pytest.approx(sum(DIVERGENCES) / 4, abs=1e-7)
    assert found.counted == {"positions": 4}


def test_kl_divergence_is_of_logits_along_axis_1_unless_args_say_otherwise():
    found = measured("kl-divergence", prediction=np.log(Q), target=np.log(P))
    assert found.value == pytest.approx(sum(DIVERGENCES) / 4, abs=1e-7)


def test_logits_further_apart_than_any_probability_says_have_a_finite_divergence():
    found = measured("kl-divergence", prediction=[[0.0, 800.0]], target=[[800.0, 0.0]])
    assert found.value == pytest.approx(800)


def test_kl_divergence_allows_impossible_classes_of_the_target_only():
    args = {"inputs": "probabilities"}
    sure = measured("kl-divergence", args, prediction=[[0.5, 0.5]], target=[[1.0, 0.0]])
    assert sure.value == pytest.approx(math.log(2))
    both = measured("kl-divergence", args, prediction=[[1.0, 0.0]], target=[[1.0, 0.0]])
    assert both.value == 0
    wrong = measured("kl-divergence", args, prediction=[[1.0, 0.0]], target=[[0.5, 0.5]])
    assert wrong.value == math.inf


@pytest.mark.parametrize("sum_", [0.9991, 1.0009])
def test_probabilities_that_add_up_to_nearly_one_are_made_to(sum_):
    args = {"inputs": "probabilities"}
    ours, theirs = np.array([[0.25, 0.75]]), np.array([[0.5, 0.5]])
    found = measured("kl-divergence", args, prediction=sum_ * ours, target=theirs)
    assert found.value == pytest.approx(0.5 * math.log(2) - 0.5 * math.log(1.5), rel=1e-12)


def test_kl_divergence_with_itself_is_zero():
    found = measured("kl-divergence", prediction=LOGITS, target=LOGITS)
    assert found.statistics.tolist() == [[0, 9]] * 6
    assert found.value == 0


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ([[0.5, 0.6]], "numbers from 0.5, sums from 1 to 1.1"),
        ([[0.9989, 0.0]], "numbers from 0, sums from 0.9989 to 1"),
        ([[0.5, 0.5011]], "numbers from 0.5, sums from 1 to 1.0011"),
        ([[-0.5, 1.5]], "numbers from -0.5, sums from 1 to 1"),
    ],
)
def test_what_is_no_probability_is_refused(bad, found):
    prediction = [[0.5, 0.5], *bad]
    target = [[0.5, 0.5], [0.5, 0.5]]
    error = refused(
        "kl-divergence", {"inputs": "probabilities"}, prediction=prediction, target=target
    )
    assert error.where.element == "role prediction"
    assert "sums of 1 (within 0.001)" in error.expected
    assert error.found == found
    assert "'logits'" in error.fix


def test_a_token_less_likely_than_any_number_says_is_finite_and_input_stays_as_it_is():
    logits = np.array([[0.0, 800.0], [0.0, 0.0]])
    found = measured("perplexity", prediction=logits, target=[0, 1])
    assert found.statistics[:, 0] == pytest.approx([800, math.log(2)])
    assert logits.tolist() == [[0, 800], [0, 0]]


def test_perplexity_of_knowing_nothing_is_the_vocabulary():
    found = measured("perplexity", prediction=np.zeros((3, 50)), target=[1, 2, 3])
    assert found.value == pytest.approx(50)


def test_perplexity_is_of_the_positions_that_count():
    logits = np.log([[[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]], [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]])
    found = measured("perplexity", {"ignore_index": 1}, prediction=logits, target=[[0, 2], [1, 2]])
    assert found.statistics[:, 0] == pytest.approx([-math.log(0.5 * 0.6), -math.log(0.4)])
    assert found.statistics[:, 1].tolist() == [2, 1]
    assert found.value == pytest.approx((0.5 * 0.6 * 0.4) ** (-1 / 3))
    assert found.counted == {"positions": 3}


def test_perplexity_beyond_any_number_is_infinite():
    assert measured("perplexity", prediction=[[0.0, 800.0]], target=[0]).value == math.inf


@pytest.mark.parametrize("kind", ["kl-divergence", "perplexity"])
def test_the_least_is_two_positions(kind):
    assert [(count.noun, count.least) for count in metric_class(kind).counts] == [("positions", 2)]


@pytest.mark.parametrize(("kind", "target"), [("kl-divergence", -LOGITS), ("perplexity", TOKENS)])
@pytest.mark.parametrize("chunk", [1, 18])
def test_values_do_not_depend_on_how_much_is_done_at_a_time(kind, target, chunk, monkeypatch):
    values = {"prediction": LOGITS, "target": target}
    whole = measured(kind, {"class_axis": -1}, **values)
    monkeypatch.setattr(distributions, "CHUNK", chunk)
    parts = measured(kind, {"class_axis": -1}, **values)
    assert parts.statistics.tolist() == whole.statistics.tolist()


def test_perplexity_takes_the_vocabulary_on_any_axis():
    second = measured(
        "perplexity", {"class_axis": 1}, prediction=LOGITS.transpose(0, 2, 1), target=TOKENS
    )
    assert second.value == measured("perplexity", prediction=LOGITS, target=TOKENS).value


def test_an_item_of_padding_does_not_count():
    target = TOKENS.copy()
    target[1] = -100
    found = measured("perplexity", {"ignore_index": -100}, prediction=LOGITS, target=target)
    assert found.statistics[1].tolist() == [0, 0]
    rest = np.delete(LOGITS, 1, 0), np.delete(TOKENS, 1, 0)
    assert found.value == measured("perplexity", prediction=rest[0], target=rest[1]).value


def test_tokens_outside_the_vocabulary_are_refused():
    error = refused("perplexity", prediction=LOGITS, target=TOKENS + 8)
    assert error.expected == "ids from 0 to 8"


def test_logits_and_tokens_of_other_lengths_are_refused():
    error = refused("perplexity", prediction=LOGITS, target=TOKENS[:, :3])
    assert "(6, 4)" in error.expected
    assert "(6, 3)" in error.found


def test_bleu_of_a_worked_example():
    found = measured(
        "bleu", {"n_gram": 2}, prediction=["the the cat"], target=["the cat is on the mat"]
    )
    # 3 of 3 words, 1 of 2 pairs, and 3 words where 6 are wanted.
    assert found.value == pytest.approx(math.sqrt(1 * 1 / 2) * math.exp(1 - 6 / 3))
    assert found.details == {"words": 3, "reference_words": 6}
    assert found.counted == {"words": 6}


@pytest.mark.parametrize(
    ("args", "precisions"),
    [
        ({}, [4 / 5, 3 / 4, 2 / 3, 1 / 2]),
        ({"smooth": True}, [4 / 5, 4 / 5, 3 / 4, 2 / 3]),
        ({"n_gram": 1}, [4 / 5]),
        ({"n_gram": 1, "smooth": True}, [4 / 5]),
        ({"n_gram": 3, "smooth": True}, [4 / 5, 4 / 5, 3 / 4]),
    ],
    ids=lambda given: (
        "-".join(f"{name}-{of}" for name, of in given.items()) or "default"
        if isinstance(given, dict)
        else ""
    ),
)
def test_bleu_is_the_geometric_mean_of_the_precisions_of_each_length(args, precisions):
    found = measured("bleu", args, prediction=["a b c d x"], target=["a b c d e"])
    assert found.value == pytest.approx(math.prod(precisions) ** (1 / len(precisions)))


def test_bleu_of_a_corpus_comes_from_the_counts_of_its_items():
    found = measured(
        "bleu", {"n_gram": 2}, prediction=["a b c", "a", "x y"], target=["a b d e", "a", "y"]
    )
    assert found.statistics.tolist() == [
        [2, 1, 3, 2, 3, 4],
        [1, 0, 1, 0, 1, 1],
        [1, 0, 2, 1, 2, 1],
    ]
    # 4 of 6 words, 1 of 3 pairs, and as many words as are wanted.
    assert found.value == pytest.approx(math.sqrt(4 / 6 * 1 / 3))
    assert found.counted == {"words": 6}
    assert found.details == {"words": 6, "reference_words": 6}


def test_bleu_has_no_reward_for_length():
    assert measured("bleu", {"n_gram": 1}, prediction=["a b c"], target=["a b"]).value == 2 / 3


@pytest.mark.parametrize(
    ("references", "length"),
    [(["a", "a b c d e"], 5), (["a b c", "a b c d e"], 3), (["a b c d e", "a b c"], 5)],
)
def test_of_several_references_the_first_that_is_nearest_in_length_counts(references, length):
    found = measured("bleu", prediction=["a b c d"], target=[references])
    assert found.details == {"words": 4, "reference_words": length}


def test_a_word_matches_as_often_as_the_reference_that_has_it_most():
    found = measured("bleu", {"n_gram": 1}, prediction=["a a a b"], target=[["a b", "a a c d"]])
    assert found.statistics.tolist() == [[3, 4, 4, 4]]


@pytest.mark.parametrize("n_gram", [1, 16])
def test_n_grams_have_1_to_16_words(n_gram):
    text = " ".join("abcdefghijklmnop")
    assert measured("bleu", {"n_gram": n_gram}, prediction=[text], target=[text]).value == 1
    for beyond in (0, 17):
        with pytest.raises(ConformanceError, match="'n_gram'"):
            metric("bleu", {"n_gram": beyond})


@pytest.mark.parametrize("kind", ["bleu", "wer"])
def test_the_least_is_two_words(kind):
    assert [(count.noun, count.least) for count in metric_class(kind).counts] == [("words", 2)]


@pytest.mark.parametrize(
    ("kind", "args", "totals", "values"),
    [
        ("kl-divergence", {}, [[6.0, 3.0], [1.0, 4.0]], [2, 0.25]),
        ("perplexity", {}, [[0.0, 3.0], [2.0, 1.0]], [1, math.exp(2)]),
        (
            "bleu",
            {"n_gram": 1},
            [[3, 4, 4, 4], [0, 4, 4, 4], [3, 4, 4, 8]],
            [0.75, 0, 0.75 / math.e],
        ),
        ("bleu", {"n_gram": 2}, [[4, 1, 4, 1, 2, 2], [1, 0, 4, 1, 2, 2]], [1, 0]),
    ],
    ids=["kl-divergence", "perplexity", "bleu-1", "bleu-2"],
)
def test_many_sums_have_their_values_at_once(kind, args, totals, values):
    found = metric(kind, args).finish(np.array(totals, dtype=float))
    assert found.tolist() == pytest.approx(values)


def test_bleu_of_the_target_itself_is_one_and_of_nothing_in_common_zero():
    assert measured("bleu", prediction=["a b c d e"], target=["a b c d e"]).value == 1
    assert measured("bleu", prediction=["v w x y z"], target=["a b c d e"]).value == 0
    assert measured("bleu", prediction=[""], target=["a b"]).value == 0


def test_bleu_of_token_ids_leaves_padding_out():
    ids = np.array([[5, 6, 7, 8, 0, 0]])
    longer = np.array([[5, 6, 7, 8, 0, 0, 0]])
    assert measured("bleu", {"ignore_index": 0}, prediction=ids, target=longer).value == 1
    several = np.array([[[1, 2, 3, 4], [5, 6, 7, 8]]])
    assert measured("bleu", {"ignore_index": 0}, prediction=ids, target=several).value == 1


def test_bleu_of_numbers_is_refused():
    assert "does not hold text" in refused("bleu", prediction=[1.5], target=[1.5]).message
