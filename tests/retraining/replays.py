"""Histories for tests of replays: parcels by day, and models that say what a test wants them to say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from include.retraining.replay_scores import Scores
from include.retraining.replayed import Fitted, History
from include.retraining.replaying import Stage, stage
from include.retraining.spec import ModelSpec, Windows
from include.retraining.windows import Interval
from tests.retraining import toy

SPEC = replace(toy.spec(), windows=Windows(6, 3, 2, 10, 0.8, older_every=0), slices=())
FIRST = 3
START = 6
"""The number of the first interval that is judged: 3 are learned from, 2 held out, and 1 is waited for its labels."""


def history(
    count: int, spec: ModelSpec = SPEC, rows: Callable[[int], pd.DataFrame] = toy.task_rows, **given: Any
) -> History:
    """Return so many days, each labelled."""
    frames = {toy.day(number): rows(number) for number in range(count)}
    counts = {one: len(frame) for one, frame in frames.items()}
    return replace(History(spec, tuple(frames), frames, counts), **given)


def half_late(number: int, count: int = 40) -> pd.DataFrame:
    """Return a day of which every other parcel is late."""
    return toy.rows(number, count).assign(late=[place % 2.0 for place in range(count)])


class Told:
    """Models that say one chance for every row: by how many days they know, or as a test says by day."""

    def __init__(self, history: History, says: Callable[[int, int], float]) -> None:
        self.history, self.says, self.asked = history, says, list[tuple[int, ...]]()

    def get(self, training: Sequence[Interval]) -> Fitted | None:
        """Return a model, called after the last day that it knows."""
        days = tuple(number(one) for one in training)
        self.asked.append(days)
        return Fitted(f"v{days[-1]}", "told", tuple(training), 1.0)

    def predictions(self, fitted: Fitted, interval: Interval) -> np.ndarray:
        """Return the same chance for each row."""
        chance = self.says(number(fitted.trained[-1]), number(interval))
        return np.full(len(self.history.rows[interval]), chance)


def number(interval: Interval) -> int:
    return (interval.start - toy.START).days


def begun(found: History, fits: Any, first: int = FIRST) -> tuple[Stage, Scores]:
    scores = Scores(found, fits)
    return stage(found, scores, first), scores


def losses(found: Mapping[Interval, float]) -> dict[int, float]:
    return {number(one): round(loss, 6) for one, loss in found.items()}
