"""The product's own policy sees in a replay what a run reads from the store."""

from include.retraining import replay_ours
from include.retraining.decision import INSUFFICIENT, KEEP, RETRAIN, State
from include.retraining.replayed import Seen
from tests.retraining import replays, toy

SEEN = Seen(
    spec=replays.SPEC,
    interval=toy.day(20),
    number=9,
    rows=60,
    age_intervals=13,
    champion="v2",
    served=tuple(number / 10 for number in range(9)),
    raw=tuple(number / 5 for number in range(9)),
    reference=(0.1, 0.2),
    training_intervals=6,
    holdout_intervals=2,
)


def told(**changes):
    return replay_ours.ask(Seen(**{**vars(SEEN), **changes}))


def test_the_state_is_that_of_a_run():
    assert replay_ours.state(SEEN) == State(
        rows=60,
        minimum_rows=10,
        training_intervals=6,
        minimum_training_intervals=3,
        holdout_intervals=2,
        required_holdout=2,
        champion="v2",
        age_intervals=13,
        recent_losses=SEEN.served[-7:],
        reference_losses=(0.1, 0.2),
        task="binary",
    )


def test_it_decides_by_age_loss_and_what_there_is():
    assert told(served=()).answer == KEEP
    assert told(served=(), age_intervals=14).answer == RETRAIN
    assert told(served=(9.0, 9.1) * 4).answer == RETRAIN
    assert told(age_intervals=14, holdout_intervals=1).answer == INSUFFICIENT
    assert told(training_intervals=2).answer == INSUFFICIENT
