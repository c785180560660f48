"""Pure: what a replay is made of: a history, what a policy sees of it at a moment, and what became of each interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.retraining import windows
from include.retraining.decision import RunnerUp
from include.retraining.errors import DataError
from include.retraining.movement import Errors
from include.retraining.spec import ModelSpec
from include.retraining.windows import Interval, Schedule

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """Labelled rows by interval, in order."""

    spec: ModelSpec
    intervals: tuple[Interval, ...]
    """Every interval of the model's schedule in the range, oldest first."""
    rows: Mapping[Interval, pd.DataFrame]
    """With known labels, of those intervals that can be learned from and judged; others are missing here."""
    counts: Mapping[Interval, int]
    """Rows of each snapshot, labelled or not."""
    left_out: tuple[str, ...] = ()
    """Which intervals are neither learned from nor judged, and why."""


def shuffled(history: History, seed: int) -> History:
    """Return a history with the same days in random order: whatever drifted, nothing does now.

    Intervals keep their moments and get the contents of others.
    """
    slots = [one for one in history.intervals if one in history.rows]
    order = np.random.default_rng(seed).permutation(len(slots))
    given = {slot: slots[place] for slot, place in zip(slots, order, strict=True)}
    rows = {slot: history.rows[source] for slot, source in given.items()}
    counts = {one: history.counts[given.get(one, one)] for one in history.counts}
    return replace(history, rows=rows, counts=counts)


@dataclass(frozen=True)
class Fitted:
    """A model that a replay has fitted: what it predicts is asked of ``Fits``, the model itself of nobody."""

    key: str
    """The same for the same candidate, rows and libraries."""
    candidate: str
    trained: tuple[Interval, ...]
    cpu_s: float
    """CPU seconds that fitting took when it was done, however long ago."""
    classes: tuple[str, ...] = ()
    """What the columns of multiclass predictions stand for."""

    @property
    def until(self) -> datetime:
        """The end of what it was fitted on."""
        return self.trained[-1].end


class Fits(Protocol):
    """Where fitted models come from."""

    def get(self, training: Sequence[Interval]) -> Fitted | None:
        """Return the model of these intervals; None where a selection finds nothing that beats the floor."""

    def predictions(self, fitted: Fitted, interval: Interval) -> Floats:
        """Return what it predicts for an interval after those that it was fitted on, uncorrected."""


@dataclass(frozen=True)
class Moment:
    """A run that might have been: what its as-of, the end of its interval, lets it know."""

    interval: Interval
    fresh: tuple[Interval, ...]
    """Intervals whose labels have become known since the run before."""
    training: tuple[Interval, ...]
    """What a challenger that has to prove itself is fitted on."""
    holdout: tuple[Interval, ...]
    """Newer ones, on which it has to."""
    everything: tuple[Interval, ...]
    """What a calendar fits on: the same window up to the newest labelled interval."""


@dataclass(frozen=True)
class _Passed(Schedule):
    """A schedule whose intervals stand in a list already: to walk through its ticks for each run takes long."""

    listed: tuple[Interval, ...] = ()

    def intervals(self, until: datetime) -> list[Interval]:
        """Return every interval that ends by ``until``."""
        return [one for one in self.listed if one.end <= until]


def moments(history: History) -> list[Moment]:
    """Return a moment for each interval of a history, with the windows that a run of the DAG has then."""
    spec, timetable = history.spec, history.spec.timetable
    passed = _Passed(timetable.cron, timetable.timezone, timetable.start, timetable.end, history.intervals)
    found, done, sizes = list[Moment](), 0, spec.windows
    older = (sizes.older_every, sizes.oldest_intervals)
    usable = [one for one in history.intervals if one in history.rows]
    for interval in history.intervals:
        placed = (passed, interval.end, spec.label_delay, sizes.training_intervals)
        window = windows.window(*placed, sizes.holdout_intervals, *older)
        whole = windows.window(*placed, 0, *older)
        training, holdout, everything = (
            tuple(one for one in part if one in history.rows)
            for part in (window.training, window.holdout, whole.training)
        )
        until = sum(one.end + spec.label_delay <= interval.end for one in usable[done:]) + done
        found.append(Moment(interval, tuple(usable[done:until]), training, holdout, everything))
        done = until
    return found


def beginning(history: History, stages: Sequence[Moment], first: int) -> int:
    """Return the place of the run that chooses the first champion, fitted on so many intervals, for every policy.

    Raises
    ------
    DataError
        The history is too short to have one, or nothing would be left to judge.
    """
    held = max(2, history.spec.windows.holdout_intervals)
    for place, one in enumerate(stages[:-1]):
        if len(one.training) >= first and len(one.holdout) >= held:
            return place
    raise DataError(
        f"The history of {history.spec.name} has {len(history.rows)} labelled intervals: too few to fit a "
        f"first champion on {first}, hold out {held} and judge any. Give an earlier --from, a later --to or a smaller "
        "--first."
    )


@dataclass(frozen=True)
class Seen:
    """What a policy may know when it is asked whether to retrain: nothing of it was learned after the interval's end.

    Losses are means over the rows of an interval, oldest first; log loss, or squared error of a regression.
    """

    spec: ModelSpec
    interval: Interval
    """The newest complete one. Its labels are known only if there is no label delay."""
    number: int
    """1 for the first run after the first champion went live."""
    rows: int
    """Of that interval, labelled or not."""
    age_intervals: int
    """Intervals since a challenger was last fitted."""
    champion: str
    """Changes when a challenger goes live."""
    served: tuple[float, ...] = ()
    """The champion's losses on the labelled intervals that it served, as it served them."""
    raw: tuple[float, ...] = ()
    """The same without corrections."""
    runner_up: RunnerUp | None = None
    """Whoever lost the last comparison, when it is its turn to be looked at."""
    wait_intervals: int | None = None
    """The wait that the last comparison left, in the product's own policy."""
    was_moving: bool = False
    """Whether the decision before found movement, in the product's own policy."""
    history: tuple[float, ...] = ()
    """Losses of all labelled intervals since the first champion, whichever served."""
    gains: tuple[float, ...] = ()
    """By how much corrections lowered the loss of intervals that they were not fitted on, in force or not."""
    errors: tuple[Errors, ...] = ()
    """How all labelled intervals since the first champion erred, whichever served, without corrections: in the mean and
    where a numeric feature is larger (``measuring.errors``)."""
    training_intervals: int = 0
    """So many labelled ones there are to fit a challenger on."""
    holdout_intervals: int = 0
    """So many labelled ones neither the champion nor a challenger would know."""
    lost_challenges: int = 0
    """Challengers in a row that did not go live."""


@dataclass(frozen=True)
class Step:
    """What became of one interval under a policy."""

    interval: Interval
    champion: str
    """Which version served it."""
    answer: str
    reason: str
    is_fit: bool = False
    is_promoted: bool = False
    verdict: str = ""
    """Why a challenger went live or did not, where it had to prove itself."""
    loss: float | None = None
    """As it was served; None if the interval cannot be judged."""
    raw_loss: float | None = None
    is_corrected: bool = False


@dataclass(frozen=True)
class Played:
    """A history under one policy."""

    name: str
    steps: tuple[Step, ...]
    cpu_s: float
    """Of all fits but the first champion's, which is everybody's."""

    @property
    def losses(self) -> dict[Interval, float]:
        """By interval that could be judged."""
        return {one.interval: one.loss for one in self.steps if one.loss is not None}

    @property
    def fits(self) -> int:
        """How many challengers were fitted."""
        return sum(one.is_fit for one in self.steps)

    @property
    def promotions(self) -> int:
        """How many of them went live."""
        return sum(one.is_promoted for one in self.steps)
