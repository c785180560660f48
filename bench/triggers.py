"""Triggers that people use to retrain, as policies of a replay: on accuracy, PSI, KS, ADWIN and Page-Hinkley."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from include.retraining.refits import Fits
from include.retraining.replay_scores import Scores
from include.retraining.replayed import Fitted, History, Seen
from include.retraining.rivals import Rival
from include.retraining.windows import Interval

Floats = npt.NDArray[np.float64]
BINS = 10
LEAST_AGE = 7
"""None of them fits more often than weekly, as people would see to."""


class Known(Fits):
    """Fits that can be found again by their key."""

    by_key: dict[str, Fitted]
    asked_days: int = 0
    """Intervals trained on in all, whether fitted now or read: a cost that no busy machine moves."""

    def get(self, intervals: Sequence[Interval]) -> Fitted | None:
        """Return the model of these intervals, and remember it."""
        found = super().get(intervals)
        self.asked_days += len(intervals)
        self.by_key = {**getattr(self, "by_key", {}), **({found.key: found} if found else {})}
        return found


def rivals(history: History, scores: Scores, fits: Known) -> list[Rival]:
    """Return a rival for each trigger; what wins goes live at once, and nothing is corrected."""
    about = _About(history, scores, fits)
    asked: dict[str, Callable[[Seen], bool]] = {
        "accuracy < 0.80": about.is_inaccurate,
        "PSI > 0.2": about.has_shifted,
        "KS p < 0.05": about.is_otherwise,
        "ADWIN": lambda seen: _aged(seen) and adwin(seen.raw),
        "Page-Hinkley": lambda seen: _aged(seen) and page_hinkley(seen.raw),
    }
    return [Rival(name, ask) for name, ask in asked.items()]


def page_hinkley(losses: tuple[float, ...], tolerance: float = 0.005, limit: float = 0.1) -> bool:
    """Return whether the mean of losses has risen (Page, Continuous inspection schemes, Biometrika 41, 1954).

    >>> page_hinkley((0.5,) * 20), page_hinkley((0.5,) * 10 + (0.7,) * 5)
    (False, True)
    """
    total = least = mean = 0.0
    for count, loss in enumerate(losses, 1):
        mean += (loss - mean) / count
        total += loss - mean - tolerance
        least = min(least, total)
        if total - least > limit:
            return True
    return False


def adwin(losses: tuple[float, ...], delta: float = 0.05) -> bool:
    """Return whether a cut leaves two clearly different means (Bifet and Gavalda, Learning from time-changing data with
    adaptive windowing, SIAM Data Mining 2007), every cut tried.

    >>> adwin((0.5, 0.51) * 10), adwin((0.2, 0.21) * 20 + (0.9, 0.91) * 20)
    (False, True)
    """
    values, count = np.asarray(losses), len(losses)
    for cut in range(5, count - 4):
        left, right = values[:cut], values[cut:]
        harmonic = 1 / (1 / len(left) + 1 / len(right))
        confidence = np.log(2 * np.log(max(count, 3)) / delta)
        bound = np.sqrt(2 / harmonic * values.var() * confidence) + 2 / (3 * harmonic) * confidence
        if right.mean() - left.mean() > bound:
            return True
    return False


def _aged(seen: Seen) -> bool:
    return seen.age_intervals >= LEAST_AGE


class _About:
    """What triggers look at beyond losses: rows, and what the champion said."""

    def __init__(self, history: History, scores: Scores, fits: Known) -> None:
        self.history, self.scores, self.fits = history, scores, fits

    def is_inaccurate(self, seen: Seen) -> bool:
        """Return whether fewer than 80 % of the rows of the newest labelled interval were told right."""
        newest = self._labelled(seen)
        if not newest or not _aged(seen):
            return False
        fitted = self.fits.by_key[seen.champion]
        if newest.start < fitted.until:
            return False
        right = (self.fits.predictions(fitted, newest) >= 0.5) == (self.scores.labels(newest) > 0.5)
        return bool(right.mean() < 0.8)

    def has_shifted(self, seen: Seen) -> bool:
        """Return whether any feature's population stability index is above 0.2."""
        return _aged(seen) and any(psi(one, other) > 0.2 for one, other in self._pairs(seen))

    def is_otherwise(self, seen: Seen) -> bool:
        """Return whether any number is otherwise distributed, at 5 %."""
        return _aged(seen) and any(
            stats.ks_2samp(one.dropna(), other.dropna()).pvalue < 0.05
            for one, other in self._pairs(seen)
            if pd.api.types.is_numeric_dtype(one) and one.notna().any() and other.notna().any()
        )

    def _labelled(self, seen: Seen) -> Interval | None:
        delay = self.history.spec.label_delay
        known = [one for one in self.history.rows if one.end + delay <= seen.interval.end]
        return max(known, default=None)

    def _pairs(self, seen: Seen) -> list[tuple[pd.Series, pd.Series]]:
        if seen.interval not in self.history.rows:
            return []
        trained = pd.concat([self.history.rows[one] for one in self.fits.by_key[seen.champion].trained[-14:]])
        rows = self.history.rows[seen.interval]
        return [(trained[name], rows[name]) for name in self.history.spec.features]


def psi(reference: pd.Series, current: pd.Series) -> float:
    """Return the population stability index of a feature, in ten bins of equal share or by category.

    >>> psi(pd.Series([1.0, 2.0, 3.0] * 9), pd.Series([1.0, 2.0, 3.0] * 9))
    0.0
    """
    if pd.api.types.is_numeric_dtype(reference):
        edges = np.unique(np.nanquantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
        shares = [np.bincount(np.searchsorted(edges, one.dropna()), minlength=len(edges) + 1)
                  for one in (reference, current)]  # fmt: skip
    else:
        names = sorted(set(reference.dropna()) | set(current.dropna()))
        shares = [one.value_counts().reindex(names, fill_value=0).to_numpy() for one in (reference, current)]
    first, second = ((one + 0.5) / (one.sum() + 0.5 * len(one)) for one in shares)
    return float(np.sum((second - first) * np.log(second / first)))
