"""Pure: how fitted models did on intervals, with and without a correction. Each is computed once for all policies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.retraining import correcting, evaluation, importance, keys, labelling, measuring, recalibration, training
from include.retraining.correcting import Judged
from include.retraining.movement import Errors
from include.retraining.policies import REGRESSION
from include.retraining.promotion import Scored
from include.retraining.replayed import Fits, Fitted, Floats, History
from include.retraining.windows import Interval

Numbers = Mapping[str, Any]
"""A correction, as ``recalibration.apply`` takes it."""
NONE: Numbers = {}


class Scores:
    """Losses of fitted models on a history, remembered: policies share most of them."""

    def __init__(self, history: History, fits: Fits) -> None:
        self.history, self.fits, self.spec = history, fits, history.spec
        self._losses: dict[tuple[Any, ...], float] = {}
        self._errors: dict[tuple[str, Interval], Errors] = {}
        self._corrections: dict[tuple[Any, ...], Numbers] = {}
        self._slices: dict[tuple[Interval, str], tuple[npt.NDArray[Any], npt.NDArray[np.int64]]] = {}
        self._labels: dict[Interval, npt.NDArray[Any]] = {}

    def loss(self, fitted: Fitted, interval: Interval, numbers: Numbers = NONE) -> float:
        """Return the loss of one interval, corrected if there is a correction."""
        place = (fitted.key, interval, repr(numbers))
        if place not in self._losses:
            self._losses[place] = float(self._row_losses(fitted, interval, numbers).mean())
        return self._losses[place]

    def errors(self, fitted: Fitted, interval: Interval) -> Errors:
        """Return how one interval erred, without a correction."""
        place = (fitted.key, interval)
        if place not in self._errors:
            said = (self.labels(interval), self.fits.predictions(fitted, interval), fitted.classes)
            about = (self.history.rows[interval], self.spec.numeric)
            self._errors[place] = measuring.errors(self.spec.task, *said, *about)
        return self._errors[place]

    def correction(self, fitted: Fitted, unseen: Sequence[Interval]) -> Numbers:
        """Return the correction that these intervals ask for; nothing while they are too few."""
        newest = tuple(unseen[-self.spec.recalibration.intervals :]) if self.spec.recalibration.intervals else ()
        place = (fitted.key, newest)
        if place not in self._corrections:
            judged = [Judged(self.labels(one), self.fits.predictions(fitted, one)) for one in newest]
            found = correcting.fit(judged, self.spec.task, fitted.classes, self.spec.recalibration) if judged else {}
            self._corrections[place] = found
        return self._corrections[place]

    def scored(
        self, fitted: Fitted, holdout: Sequence[Interval], corrected: Mapping[Interval, Numbers] | None = None
    ) -> Scored:
        """Return what ``scoring.score_contender`` does: losses of a holdout, by slice too."""
        losses, slices, calibration = dict[str, float](), dict[str, dict[str, float]](), dict[str, float]()
        for one in holdout:
            numbers, span = (corrected or {}).get(one, NONE), keys.span(one)
            losses[span] = self.loss(fitted, one, numbers)
            if self.spec.task != REGRESSION:
                calibration[span] = self._calibration(fitted, one, numbers)
            if self.spec.slices:
                by_row = self._row_losses(fitted, one, numbers)
                for column in self.spec.slices:
                    values, codes = self._values(one, column)
                    means = np.bincount(codes, weights=by_row) / np.bincount(codes)
                    for value, loss in zip(values, means, strict=True):
                        slices.setdefault(f"{column}={value}", {})[span] = float(loss)
        return Scored(losses, slices, calibration)

    def _calibration(self, fitted: Fitted, interval: Interval, numbers: Numbers) -> float:
        """Return the calibration error of one interval, corrected if there is a correction."""
        place = (fitted.key, interval, repr(numbers), "calibration")
        if place not in self._losses:
            guess = self._guess(fitted, interval, numbers)
            self._losses[place] = measuring.calibration(self.spec.task, self.labels(interval), guess, fitted.classes)
        return self._losses[place]

    def floor(self, trained: Sequence[Interval], holdout: Sequence[Interval]) -> dict[str, float]:
        """Return the losses of predicting for every row what training rows have on average."""
        labels = pd.concat([self.history.rows[one][[self.spec.label]] for one in trained], ignore_index=True)
        floor = training.floor(labels, self.spec)
        found = dict[str, float]()
        for one in holdout:
            guess, classes = training.predictions(floor, self.history.rows[one], self.spec)
            losses = importance.row_losses(self.spec.task, classes, self.labels(one), guess.astype("float64"))
            found[keys.span(one)] = float(losses.mean())
        return found

    def labels(self, interval: Interval) -> npt.NDArray[Any]:
        """Return the labels of an interval."""
        if interval not in self._labels:
            self._labels[interval] = labelling.labels_of(self.history.rows[interval], self.spec)
        return self._labels[interval]

    def _values(self, interval: Interval, column: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Return the values of a column, and which of them each row has; rows without one are a slice too."""
        place = (interval, column)
        if place not in self._slices:
            values = self.history.rows[interval][column]
            texts = values.astype("object").where(values.notna(), evaluation.MISSING).astype("str").to_numpy()
            self._slices[place] = np.unique(texts.astype("object"), return_inverse=True)
        return self._slices[place]

    def _guess(self, fitted: Fitted, interval: Interval, numbers: Numbers) -> Floats:
        guess = self.fits.predictions(fitted, interval)
        return recalibration.apply(numbers, guess, fitted.classes, self.spec.task) if numbers else guess

    def _row_losses(self, fitted: Fitted, interval: Interval, numbers: Numbers) -> Floats:
        guess = self._guess(fitted, interval, numbers)
        found: Floats = importance.row_losses(self.spec.task, fitted.classes, self.labels(interval), guess)
        return found
