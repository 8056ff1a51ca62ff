"""Distributions and texts against torchmetrics, SciPy and worked examples."""

import math

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from conformance.metrics import distributions
from conformance.verdicts import ConformanceError
from tests.metrics.cases import measured, texts

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(size=(6, 4, 9))
TOKENS = RNG.integers(0, 9, (6, 4))


def refused(kind, args=None, **values) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        measured(kind, args, **values)
    return caught.value


def test_kl_divergence_of_logits_agrees_with_scipy():
    other = LOGITS + RNG.normal(size=LOGITS.shape)
    expected = rel_entr(softmax(other, 1), softmax(LOGITS, 1)).sum(1).mean()
    found = measured("kl-divergence", prediction=LOGITS, target=other)
    assert found.value == pytest.approx(expected, rel=1e-12)
    last = measured("kl-divergence", {"class_axis": -1}, prediction=LOGITS, target=other)
    assert last.value == pytest.approx(
        rel_entr(softmax(other, -1), softmax(LOGITS, -1)).sum(-1).mean(), rel=1e-12
    )


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


def test_kl_divergence_allows_impossible_classes_of_the_target_only():
    args = {"inputs": "probabilities"}
    sure = measured("kl-divergence", args, prediction=[[0.5, 0.5]], target=[[1.0, 0.0]])
    assert sure.value == pytest.approx(math.log(2))
    wrong = measured("kl-divergence", args, prediction=[[1.0, 0.0]], target=[[0.5, 0.5]])
    assert wrong.value == math.inf


def test_kl_divergence_with_itself_is_zero():
    assert measured("kl-divergence", prediction=LOGITS, target=LOGITS).value == 0


@pytest.mark.parametrize("bad", [[[0.5, 0.6]], [[-0.5, 1.5]], [[3.0, 1.0]]])
def test_what_is_no_probability_is_refused(bad):
    error = refused(
        "kl-divergence", {"inputs": "probabilities"}, prediction=bad, target=[[0.5, 0.5]]
    )
    assert error.where.element == "role prediction"
    assert "sums of 1" in error.expected
    assert "'logits'" in error.mend


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 30.0])
@pytest.mark.parametrize("ignored", [None, 2])
def test_perplexity_agrees_with_torchmetrics(dtype, scale, ignored):
    import torch
    from torchmetrics.functional.text import perplexity

    logits = (scale * LOGITS).astype(dtype)
    exact = torch.tensor(logits.astype(np.float64))
    expected = perplexity(exact, torch.tensor(TOKENS), ignore_index=ignored)
    found = measured("perplexity", {"ignore_index": ignored}, prediction=logits, target=TOKENS)
    assert found.value == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("inputs", ["logits", "probabilities"])
@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 30.0])
@pytest.mark.parametrize("axis", [1, -1])
def test_kl_divergence_agrees_with_torchmetrics(inputs, scale, axis):
    import torch
    from torchmetrics.functional.regression import kl_divergence

    ours, theirs = scale * LOGITS, scale * (LOGITS + RNG.normal(size=LOGITS.shape))
    if inputs == "probabilities":
        ours, theirs = softmax(ours, axis), softmax(theirs, axis)
        np.put_along_axis(theirs, theirs.argmin(axis, keepdims=True), 0, axis)
        theirs /= theirs.sum(axis, keepdims=True)
    rows = [
        torch.tensor(np.moveaxis(x, axis, -1)).reshape(-1, ours.shape[axis]) for x in (theirs, ours)
    ]
    if inputs == "logits":
        rows = [torch.log_softmax(each, -1) for each in rows]
    expected = kl_divergence(*rows, log_prob=inputs == "logits")
    args = {"inputs": inputs, "class_axis": axis}
    found = measured("kl-divergence", args, prediction=ours, target=theirs)
    assert found.value == pytest.approx(float(expected), rel=1e-12, abs=1e-15)


def test_a_token_less_likely_than_any_number_says_is_finite_and_input_stays_as_it_is():
    logits = np.array([[0.0, 800.0], [0.0, 0.0]])
    found = measured("perplexity", prediction=logits, target=[0, 1])
    assert found.statistics[:, 0] == pytest.approx([800, math.log(2)])
    assert logits.tolist() == [[0, 800], [0, 0]]


def test_perplexity_of_knowing_nothing_is_the_vocabulary():
    found = measured("perplexity", prediction=np.zeros((3, 50)), target=[1, 2, 3])
    assert found.value == pytest.approx(50)


def test_perplexity_does_not_depend_on_how_much_is_done_at_a_time(monkeypatch):
    whole = measured("perplexity", prediction=LOGITS, target=TOKENS)
    monkeypatch.setattr(distributions, "_CHUNK", 18)
    assert measured("perplexity", prediction=LOGITS, target=TOKENS).value == pytest.approx(
        whole.value, rel=1e-14
    )


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


@pytest.mark.parametrize("n_gram", [1, 2, 4])
@pytest.mark.parametrize("smooth", [False, True])
def test_bleu_agrees_with_torchmetrics(n_gram, smooth):
    from torchmetrics.functional.text import bleu_score

    ours = texts(RNG, 40)
    theirs = np.stack([texts(RNG, 40), texts(RNG, 40)], axis=1)
    expected = bleu_score(list(ours), theirs.tolist(), n_gram=n_gram, smooth=smooth)
    found = measured("bleu", {"n_gram": n_gram, "smooth": smooth}, prediction=ours, target=theirs)
    assert found.value == pytest.approx(float(expected), abs=1e-6)


def test_bleu_of_a_worked_example():
    found = measured(
        "bleu", {"n_gram": 2}, prediction=["the the cat"], target=["the cat is on the mat"]
    )
    # 3 of 3 words, 1 of 2 pairs, and 3 words where 6 are wanted.
    assert found.value == pytest.approx(math.sqrt(1 * 1 / 2) * math.exp(1 - 6 / 3))
    assert found.details == {"words": 3, "reference_words": 6}


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


def test_wer_agrees_with_torchmetrics():
    from torchmetrics.functional.text import word_error_rate

    ours, theirs = texts(RNG, 30), texts(RNG, 30)
    expected = word_error_rate(list(ours), list(theirs))
    found = measured("wer", prediction=ours, target=theirs)
    assert found.value == pytest.approx(float(expected), abs=1e-6)


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
