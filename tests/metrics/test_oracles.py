"""Metrics of classes, distributions and texts against scikit-learn, SciPy and torchmetrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax
from sklearn import metrics as sklearn_metrics

from conformance.metrics import metric
from tests.metrics.cases import measured, texts

RNG = np.random.default_rng(3)
SCORES = RNG.normal(size=(200, 6)).astype(np.float32)
TARGET = np.where(RNG.uniform(size=200) < 0.5, SCORES.argmax(1), RNG.integers(0, 6, 200))
PREDICTED = SCORES.argmax(1)
LOGITS = RNG.normal(size=(6, 4, 9))
TOKENS = RNG.integers(0, 9, (6, 4))
SKLEARN = {
    "precision": sklearn_metrics.precision_score,
    "recall": sklearn_metrics.recall_score,
    "f1": sklearn_metrics.f1_score,
}


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_accuracy_agrees_with_scikit_learn(k):
    expected = sklearn_metrics.top_k_accuracy_score(TARGET, SCORES, k=k, labels=range(6))
    assert measured("top-k-accuracy", {"k": k}, prediction=SCORES, target=TARGET).value == expected


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("kind", SKLEARN)
@settings(max_examples=25, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30),
)
def test_averages_agree_with_scikit_learn(kind, average, pairs):
    prediction, target = np.array(pairs).T
    expected = SKLEARN[kind](target, prediction, average=average, zero_division=0)
    found = measured(
        kind, {"average": average, "num_classes": 5}, prediction=prediction, target=target
    )
    assert found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("kind", SKLEARN)
def test_averages_agree_with_torchmetrics(kind, average):
    import torch
    from torchmetrics.functional import classification

    name = f"multiclass_{'f1_score' if kind == 'f1' else kind}"
    expected = getattr(classification, name)(
        torch.tensor(PREDICTED), torch.tensor(TARGET), 6, average=average, ignore_index=2
    )
    args = {"average": average, "ignore_index": 2}
    found = measured(kind, args, prediction=SCORES, target=TARGET)
    assert found.value == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("kind", SKLEARN)
def test_binary_average_judges_class_one_from_a_threshold(kind):
    scores, target = RNG.uniform(size=90), RNG.integers(0, 2, 90)
    expected = SKLEARN[kind](target, scores >= 0.3)
    found = measured(
        kind, {"average": "binary", "threshold": 0.3}, prediction=scores, target=target
    )
    assert found.value == pytest.approx(expected)
    column = measured(
        kind,
        {"average": "binary", "threshold": 0.3},
        prediction=scores[:, None],
        target=target[:, None],
    )
    assert column.value == found.value


def test_confusion_matrix_agrees_with_scikit_learn_over_batches():
    made = metric("confusion-matrix", {})
    for part in (slice(0, 70), slice(70, 200)):
        made.update({"prediction": SCORES[part], "target": TARGET[part]})
    expected = sklearn_metrics.confusion_matrix(TARGET, PREDICTED)
    assert made.result().details["matrix"] == expected.tolist()


def test_mean_iou_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.classification import multiclass_jaccard_index

    scores = RNG.normal(size=(5, 4, 9, 7)).astype(np.float32)
    target = RNG.integers(0, 4, (5, 9, 7))
    target[:, :2] = 255
    expected = multiclass_jaccard_index(
        torch.tensor(scores.argmax(1)), torch.tensor(target), 4, ignore_index=255
    )
    found = measured("mean-iou", {"ignore_index": 255}, prediction=scores, target=target)
    assert found.value == pytest.approx(float(expected), abs=1e-6)


def test_kl_divergence_of_logits_agrees_with_scipy():
    other = LOGITS + RNG.normal(size=LOGITS.shape)
    expected = rel_entr(softmax(other, 1), softmax(LOGITS, 1)).sum(1).mean()
    found = measured("kl-divergence", prediction=LOGITS, target=other)
    assert found.value == pytest.approx(expected, rel=1e-12)
    last = measured("kl-divergence", {"class_axis": -1}, prediction=LOGITS, target=other)
    assert last.value == pytest.approx(
        rel_entr(softmax(other, -1), softmax(LOGITS, -1)).sum(-1).mean(), rel=1e-12
    )


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


@pytest.mark.parametrize("n_gram", [1, 2, 4])
@pytest.mark.parametrize("smooth", [False, True])
def test_bleu_agrees_with_torchmetrics(n_gram, smooth):
    from torchmetrics.functional.text import bleu_score

    ours = texts(RNG, 40)
    theirs = np.stack([texts(RNG, 40), texts(RNG, 40)], axis=1)
    expected = bleu_score(list(ours), theirs.tolist(), n_gram=n_gram, smooth=smooth)
    found = measured("bleu", {"n_gram": n_gram, "smooth": smooth}, prediction=ours, target=theirs)
    assert found.value == pytest.approx(float(expected), abs=1e-6)


def test_wer_agrees_with_torchmetrics():
    from torchmetrics.functional.text import word_error_rate

    ours, theirs = texts(RNG, 30), texts(RNG, 30)
    expected = word_error_rate(list(ours), list(theirs))
    found = measured("wer", prediction=ours, target=theirs)
    assert found.value == pytest.approx(float(expected), abs=1e-6)
