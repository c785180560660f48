"""Pure: which intervals a candidate is fitted on and judged on, before one is chosen."""

from include.retraining.errors import DataError

FOLDS = 3
Split = tuple[range, range]
"""Positions of intervals to fit on, and of those that follow, to judge on."""


def folds(count: int, gap: int = 0) -> list[Split]:
    """Return temporal folds over interval positions: each trains on the past and is judged on what follows.

    Between the two lie as many intervals as labels come late: when the first judged interval was served, theirs were
    not known (Cerqueira, Torgo and Mozetič, Evaluating time series forecasting models, Machine Learning 109, 2020, on
    gaps in evaluations that keep the order of time).

    Parameters
    ----------
    count : int
        Intervals of the training window.
    gap : int
        Intervals that are left out before what is judged, 0 or more.

    Raises
    ------
    DataError
        There is no past left, or nothing to judge.

    Examples
    --------
    >>> folds(8)
    [(range(0, 5), range(5, 6)), (range(0, 6), range(6, 7)), (range(0, 7), range(7, 8))]
    >>> folds(8, gap=2)
    [(range(0, 3), range(5, 6)), (range(0, 4), range(6, 7)), (range(0, 5), range(7, 8))]
    """
    known = count - gap
    size = max(1, known // (2 * FOLDS))
    pasts = [known - size * left for left in range(FOLDS, 0, -1)]
    found = [(range(past), range(past + gap, past + gap + size)) for past in pasts if past > 0]
    if not found:
        raise DataError(
            f"{count} training interval(s) with a gap of {gap} leave nothing to fit on and judge by: expected at least "
            f"{gap + 2}. Wait for more labelled intervals, or see which validation refused."
        )
    return found
