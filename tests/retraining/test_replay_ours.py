"""The product's own policy sees in a replay what a run reads from the store."""

from include.retraining import movement, replay_ours
from include.retraining.decision import INSUFFICIENT, KEEP, RETRAIN, RUNNER_UP, RunnerUp, State
from include.retraining.replayed import Seen
from tests.retraining import replays, toy

SEEN = Seen(
    spec=replays.SPEC,
    interval=toy.day(20),
    number=9,
    rows=60,
    age_intervals=13,
    champion="v2",
    served=tuple(number / 10 for number in range(16)),
    raw=tuple(number / 5 for number in range(16)),
    errors=({"mean": 0.1},) * 60 + ({"mean": -0.1},) * 60,
    wait_intervals=42,
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
        wait_intervals=42,
        order=movement.order(SEEN.errors[-112:], replays.SPEC.decision),
        was_moving=False,
        recent_losses=SEEN.served[-7:],
        reference_losses=SEEN.served[:7],
        intervals_per_year=365.25,
        task="binary",
    )


def test_it_decides_by_wait_movement_loss_and_what_there_is():
    still = {"errors": (), "served": ()}
    assert told(**still, age_intervals=41).answer == KEEP
    assert told(**still, age_intervals=42).answer == RETRAIN
    assert told(served=(), age_intervals=14).answer == RETRAIN, "the world moves"
    assert told(errors=(), served=(0.1, 0.2) * 5 + (9.0, 9.1) * 4).answer == RETRAIN
    assert told(errors=(), served=(0.1, 0.2) * 3 + (9.0,) * 7).answer == KEEP, "thirteen are too few to tell apart"
    assert told(**still, age_intervals=42, holdout_intervals=1).answer == INSUFFICIENT
    assert told(training_intervals=2).answer == INSUFFICIENT


def test_a_runner_up_that_is_clearly_better_is_seen():
    better = RunnerUp("v1", (0.1, 0.11) * 7, (0.2, 0.22) * 7)
    assert told(errors=(), served=(), runner_up=better).answer == RUNNER_UP
