"""Text metrics: BLEU and word error rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._arguments import Arg
from conformance.metrics._inputs import tokens
from conformance.metrics._libraries import deterministic_torch, library
from conformance.metrics._protocol import About, Count, Floats, Values
from conformance.metrics.additive import AdditiveMetric, ratio
from conformance.verdicts import Json

_WORDS = Count("words", 2, "words or tokens of the targets")
_PADDING = Arg("ignore_index", "integer", "Token id of padding, which is left out.", default=None)


class Bleu(AdditiveMetric):
    """BLEU of a corpus."""

    kind = "bleu"
    counts = (_WORDS,)
    arguments = (
        Arg("n_gram", "integer", "The longest n-gram.", default=4, minimum=1, maximum=16),
        Arg(
            "smooth",
            "boolean",
            "Add 1 to the counts of n-grams, n > 1 [Lin & Och 2004].",
            default=False,
        ),
        _PADDING,
    )
    about = About(
        summary="Geometric mean of the clipped n-gram precisions of the whole corpus, times the "
        "brevity penalty [Papineni 2002]; 0 if there is no match for some n. Words are what is "
        "between white space; of several references the one nearest in length counts.",
        inputs="prediction: strings (N) or token ids (N, T); target: strings (N) or (N, "
        "references), token ids (N, T) or (N, references, T)",
        unit="none",
        range="0 to 1",
        better="higher",
        statistics="(matching n-grams for each n, n-grams for each n, words, words of the "
        "reference): k = 2 n_gram + 2",
        library="Python and NumPy",
    )

    def __init__(self, *, n_gram: int, smooth: bool, ignore_index: int | None) -> None:
        super().__init__()
        self._n = n_gram
        self._smooth = smooth
        self._ignored = ignore_index

    def statistics(self, values: Values) -> Floats:
        """Return matches and n-grams for every n, and both lengths, per item."""
        prediction, target = values["prediction"], values["target"]
        references = target if target.ndim == prediction.ndim + 1 else target[:, None]
        counts = [
            self._count(
                tokens("prediction", ours, self._ignored),
                [tokens("target", each, self._ignored) for each in _split(theirs)],
            )
            for ours, theirs in zip(_split(prediction), references, strict=True)
        ]
        self.count(_WORDS.noun, sum(count[-1] for count in counts))
        return np.array(counts, dtype=np.float64)

    def finish(self, totals: Floats) -> Floats:
        """Return the BLEU of summed counts."""
        matches, possible = totals[..., : self._n], totals[..., self._n : 2 * self._n]
        words, reference = totals[..., -2], totals[..., -1]
        added = np.array([0.0] + [float(self._smooth)] * (self._n - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log((matches + added) / (possible + added))
            brevity = np.minimum(0.0, 1 - reference / words)
            value: Floats = np.exp(logs.mean(axis=-1) + brevity)
        return np.where(matches.min(axis=-1) == 0, 0.0, value)

    def details(self, totals: Floats) -> Mapping[str, Json]:
        """Return the length of predictions and references in words."""
        return {"words": int(totals[-2]), "reference_words": int(totals[-1])}

    def _count(self, ours: Sequence[str], references: list[Sequence[str]]) -> list[int]:
        matches, possible = [], []
        for n in range(1, self._n + 1):
            found = _n_grams(ours, n)
            allowed: Counter[tuple[str, ...]] = Counter()
            for reference in references:
                allowed |= _n_grams(reference, n)
            matches.append((found & allowed).total())
            possible.append(found.total())
        nearest = min((abs(len(each) - len(ours)), at) for at, each in enumerate(references))[1]
        return [*matches, *possible, len(ours), len(references[nearest])]


class WordErrorRate(AdditiveMetric):
    """The word error rate of a corpus."""

    kind = "wer"
    counts = (_WORDS,)
    arguments = (_PADDING,)
    about = About(
        summary="Substitutions, deletions and insertions that lead from the targets to the "
        "predictions, over the words of the targets, summed over the corpus. Words are what is "
        "between white space.",
        inputs="prediction, target: strings (N), or token ids (N, T)",
        unit="errors per word",
        range="0 to infinity",
        better="lower",
        statistics="(errors, words of the target)",
        library="torchmetrics",
    )

    def __init__(self, *, ignore_index: int | None) -> None:
        super().__init__()
        self._ignored = ignore_index
        deterministic_torch(self.kind)
        self._functional = library("torchmetrics.functional.text", self.kind)

    def statistics(self, values: Values) -> Floats:
        """Return (errors, words of the target) per item."""
        texts = zip(*(_split(values[role]) for role in ("prediction", "target")), strict=True)
        counts = [
            self._count(
                tokens("prediction", ours, self._ignored), tokens("target", theirs, self._ignored)
            )
            for ours, theirs in texts
        ]
        self.count(_WORDS.noun, sum(words for _, words in counts))
        return np.array(counts, dtype=np.float64)

    def finish(self, totals: Floats) -> Floats:
        """Return errors per word."""
        return ratio(totals[..., 0], totals[..., 1])

    def details(self, totals: Floats) -> Mapping[str, Json]:
        """Return how many errors and words there are."""
        return {"errors": int(totals[0]), "words": int(totals[1])}

    def _count(self, ours: Sequence[str], theirs: Sequence[str]) -> tuple[int, int]:
        if not theirs:
            return len(ours), 0
        # The rate comes in single precision; errors are integers.
        rate = float(self._functional.word_error_rate(" ".join(ours), " ".join(theirs)))
        return round(rate * len(theirs)), len(theirs)


def _split(array: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the items along axis 0 as arrays, also where an item is one string."""
    return [array[item : item + 1] for item in range(len(array))]


def _n_grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))
