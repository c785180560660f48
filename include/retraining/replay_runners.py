"""Pure: the runner-up in a replay: when it is looked at, and how it and the champion did as if both had served."""

from collections.abc import Sequence
from dataclasses import dataclass

from include.retraining.decision import RunnerUp
from include.retraining.promotion import Scored
from include.retraining.replay_scores import Numbers, Scores
from include.retraining.replayed import Fitted, Moment
from include.retraining.windows import Interval


@dataclass(frozen=True)
class Look:
    """Both on the intervals that neither was fitted on."""

    unseen: tuple[Interval, ...]
    champion: Scored
    runner_up: Scored

    def told(self, version: str) -> RunnerUp:
        """Return what a decision looks at."""
        losses = (tuple(one.losses.values()) for one in (self.runner_up, self.champion))
        return RunnerUp(version, *losses)


def look(
    scores: Scores, moment: Moment, passed: int, champion: Fitted, runner_up: Fitted | None, corrected: bool
) -> Look | None:
    """Return how both did, if it is the runner-up's turn: as ``runners.look`` does of what is stored.

    Parameters
    ----------
    scores, moment
        Of the replay.
    passed : int
        Intervals since the comparison that it lost.
    champion, runner_up : Fitted
    corrected : bool
        Whether corrections are in force: then both are judged as corrected by them.
    """
    spec, every = scores.spec, scores.spec.promotion.runner_up_every
    if runner_up is None or not every or passed == 0 or passed % every:
        return None
    since = max(champion.until, runner_up.until)
    newest = [one for one in (*moment.training, *moment.holdout) if one.start >= since]
    unseen = tuple(newest[-spec.windows.training_intervals :])
    if len(unseen) < spec.promotion.runner_up_intervals:
        return None
    both = (_scored(scores, one, unseen, corrected) for one in (champion, runner_up))
    return Look(unseen, *both)


def _scored(scores: Scores, fitted: Fitted, unseen: Sequence[Interval], corrected: bool) -> Scored:
    served: dict[Interval, Numbers] = {}
    for one in unseen if corrected else ():
        known = [other for other in unseen if other.end + scores.spec.label_delay <= one.start]
        served[one] = scores.correction(fitted, known)
    return scores.scored(fitted, unseen, served)
