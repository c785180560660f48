"""Verdicts: only a clear winner on intervals that neither was fitted on, and noise never."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.retraining import signing
from include.retraining.promotion import INSUFFICIENT, LOSE, WIN, Losses, Scored, compare
from include.retraining.spec import PromotionPolicy

POLICY = PromotionPolicy()
SEVEN = 7


def losses(*values: float) -> Losses:
    return {f"day {number:02d}": value for number, value in enumerate(values)}


def around(mean: float) -> Losses:
    return losses(*(mean + shift for shift in (0.01, -0.01, 0.02, -0.02, 0.0, 0.01, -0.01)))


CHAMPION, FLOOR = Scored(around(0.50)), around(0.60)


def verdict(
    challenger: Losses, champion: Scored | None = CHAMPION, floor: Losses = FLOOR, required: int = SEVEN
) -> str:
    return compare(champion, Scored(challenger), floor, POLICY, required).answer


def test_a_clear_winner_wins_and_the_reason_has_its_numbers():
    found = compare(CHAMPION, Scored(around(0.45)), FLOOR, POLICY, SEVEN)
    assert found.answer == WIN
    assert found.reasons == (
        "Clearly better on 7 unseen intervals: log loss lower by 0.0500, at least 0.0500 at 90.0% confidence.",
    )
    assert found.numbers["gain"]["mean"] == pytest.approx(0.05)
    assert found.numbers["gain"]["method"] == "circular-block bootstrap over 7 intervals"


def test_the_bound_is_one_sided_worked_by_hand():
    """Gains 0.1, 0.2, 0.3: mean 0.2, standard error 0.1 / sqrt(3), t(0.90, 2) = 1.885618."""
    champion, challenger, floor = losses(0.6, 0.7, 0.8), losses(0.5, 0.5, 0.5), losses(0.9, 0.9, 0.9)
    gain = compare(Scored(champion), Scored(challenger), floor, POLICY, 3).numbers["gain"]
    assert gain["low"] == pytest.approx(0.2 - 1.885618 * 0.1 / 3**0.5, rel=1e-6)


def test_the_same_losses_lose():
    assert verdict(around(0.50)) == LOSE


def test_better_on_average_by_one_lucky_interval_loses():
    lucky = dict(around(0.505)) | {"day 03": 0.30}
    assert np.mean(list(lucky.values())) < np.mean(list(CHAMPION.losses.values()))
    found = compare(CHAMPION, Scored(lucky), FLOOR, POLICY, SEVEN)
    assert found.answer == LOSE
    assert found.reasons[0].startswith("Not clearly better on 7 unseen intervals")


def test_the_first_version_has_only_the_base_rate_to_beat():
    found = compare(None, Scored(around(0.55)), FLOOR, POLICY, SEVEN)
    assert found.answer == WIN
    assert found.reasons == ("First version; it beats the base rate by 0.0500 log loss.",)


@pytest.mark.parametrize("champion", [None, Scored(around(0.9))], ids=["first", "worse champion"])
def test_who_does_not_beat_the_base_rate_loses_to_anybody(champion):
    found = compare(champion, Scored(around(0.60)), FLOOR, POLICY, SEVEN)
    assert found.answer == LOSE
    assert found.reasons[0].startswith("It does not beat the base rate")


def test_who_clearly_beats_the_champion_need_not_beat_the_base_rate_as_clearly():
    swinging = dict(around(0.46)) | {"day 01": 0.36, "day 05": 0.36}
    champion = Scored(around(0.52))
    assert compare(None, Scored(around(0.45)), swinging, POLICY, SEVEN).answer == LOSE
    assert compare(champion, Scored(around(0.43)), swinging, POLICY, SEVEN).answer == WIN
    assert compare(champion, Scored(around(0.45)), swinging, POLICY, SEVEN).answer == LOSE, "not even on average"


@pytest.mark.parametrize(("count", "answer"), [(6, INSUFFICIENT), (7, WIN)])
def test_fewer_intervals_than_required_give_no_verdict(count, answer):
    challenger, champion, floor = (losses(*[mean + 0.01 * n for n in range(count)]) for mean in (0.4, 0.5, 0.6))
    assert compare(Scored(champion), Scored(challenger), floor, POLICY, SEVEN).answer == answer


def test_fewer_than_seven_intervals_use_the_t_bound_and_say_so():
    champion, floor = (losses(mean, mean + 0.02, mean + 0.01) for mean in (0.5, 0.6))
    found = compare(Scored(champion), Scored(losses(0.4, 0.41, 0.42)), floor, POLICY, 3)
    assert found.answer == WIN
    assert found.numbers["gain"]["method"] == "Student t over 3 intervals"


@pytest.mark.parametrize(
    ("slice_loss", "answer"), [(0.505, WIN), (0.70, LOSE)], ids=["within tolerance", "clearly worse"]
)
def test_a_slice_that_becomes_clearly_worse_vetoes(slice_loss, answer):
    champion = Scored(around(0.5), {"origin=JFK": around(0.5)})
    challenger = Scored(around(0.4), {"origin=JFK": around(slice_loss)})
    found = compare(champion, challenger, FLOOR, POLICY, SEVEN)
    assert found.answer == answer
    assert found.numbers["worse_slices"] == ([] if answer == WIN else ["origin=JFK"])


@pytest.mark.parametrize("shared", [{}, {"day 00": 0.1}], ids=["new", "one interval"])
def test_a_slice_that_both_hardly_share_has_no_veto(shared):
    champion = Scored(around(0.5), {"origin=JFK": shared})
    challenger = Scored(around(0.4), {"origin=JFK": around(9.0)})
    assert compare(champion, challenger, FLOOR, POLICY, SEVEN).answer == WIN


@pytest.mark.parametrize("missing", ["champion", "floor"])
def test_contenders_on_other_intervals_are_not_compared(missing):
    short = losses(0.5, 0.5)
    champion, floor = (Scored(short), FLOOR) if missing == "champion" else (CHAMPION, short)
    with pytest.raises(ValueError, match="must be scored on the same intervals"):
        compare(champion, Scored(around(0.4)), floor, POLICY, SEVEN)


def test_while_the_world_moves_a_lower_mean_is_enough():
    mixed = dict(around(0.495)) | {"day 00": 0.535}
    found = compare(CHAMPION, Scored(mixed), FLOOR, POLICY, SEVEN, confidence=POLICY.moving_confidence)
    assert (found.answer, verdict(mixed)) == (WIN, LOSE)
    assert found.reasons[0].startswith("Better, which is enough while the world moves, on 7 unseen intervals")
    assert found.numbers["confidence"] == 0.5


def test_even_then_a_slice_vetoes_only_if_it_is_clearly_worse():
    champion = Scored(around(0.5), {"origin=JFK": around(0.5)})
    for slice_losses, answer in ((dict(around(0.5)) | {"day 03": 1.4}, WIN), (around(0.7), LOSE)):
        challenger = Scored(around(0.4), {"origin=JFK": slice_losses})
        assert compare(champion, challenger, FLOOR, POLICY, SEVEN, confidence=0.5).answer == answer


@pytest.mark.parametrize(("error", "answer"), [(0.06, WIN), (0.14, LOSE)], ids=["within tolerance", "clearly worse"])
def test_a_calibration_that_becomes_clearly_worse_vetoes(error, answer):
    champion = Scored(around(0.5), calibration=around(0.04))
    found = compare(champion, Scored(around(0.4), calibration=around(error)), FLOOR, POLICY, SEVEN)
    assert found.answer == answer
    assert answer == WIN or "clearly worse calibrated, by at least 0.1" in found.reasons[0]


def test_numbers_have_no_calibration_of_chances_and_no_veto_by_it():
    assert compare(CHAMPION, Scored(around(0.4)), FLOOR, POLICY, SEVEN).numbers["calibration_lost"] == 0.0


NUMBERS = st.lists(st.floats(0.05, 2.0), min_size=7, max_size=14)
PAIRS = st.integers(2, 14).flatmap(
    lambda count: st.tuples(*[st.lists(st.floats(0.05, 2.0), min_size=count, max_size=count)] * 2)
)


def floor_above(*all_losses: list[float]) -> Losses:
    return losses(*(max(held) + 0.1 for held in zip(*all_losses, strict=True)))


@given(PAIRS)
def test_swapping_the_contenders_never_promotes_both(pair):
    first, second = (losses(*held) for held in pair)
    floor = floor_above(*pair)
    answers = verdict(first, Scored(second), floor, 2), verdict(second, Scored(first), floor, 2)
    assert answers != (WIN, WIN)


@given(PAIRS, st.floats(0, 0.5))
def test_an_even_improvement_never_counts_against_the_challenger(pair, gain):
    champion, challenger = pair
    floor, better = floor_above(*pair), [loss - gain for loss in challenger]
    if verdict(losses(*challenger), Scored(losses(*champion)), floor, 2) == WIN:
        assert verdict(losses(*better), Scored(losses(*champion)), floor, 2) == WIN


@given(NUMBERS, st.data())
def test_an_improvement_on_any_interval_never_counts_against_the_challenger(champion, data):
    """From seven intervals on: the bootstrap's bound rises with each of its values."""
    shifts = st.lists(st.floats(-0.05, 0.3), min_size=len(champion), max_size=len(champion))
    gains = data.draw(shifts)
    challenger = [loss - gain for loss, gain in zip(champion, gains, strict=True)]
    place, gain = data.draw(st.integers(0, len(champion) - 1)), data.draw(st.floats(0, 1))
    better = [loss - gain * (number == place) for number, loss in enumerate(challenger)]
    floor = floor_above(champion, challenger)
    if verdict(losses(*challenger), Scored(losses(*champion)), floor) == WIN:
        assert verdict(losses(*better), Scored(losses(*champion)), floor) == WIN


@given(PAIRS)
def test_the_order_in_which_intervals_are_named_does_not_matter(pair):
    first, second = (losses(*held) for held in pair)
    turned = dict(reversed(first.items()))
    floor = floor_above(*pair)
    found, again = (compare(Scored(second), Scored(one), floor, POLICY, 2) for one in (first, turned))
    assert found == again
    assert signing.canonical(asdict(found))


def test_noise_is_promoted_about_as_rarely_as_the_policy_says():
    """Both contenders are equally good; at 90 % confidence about one in ten is called better by luck."""
    random = np.random.default_rng(3)
    wins = 0
    for _ in range(200):
        first, second = (losses(*(0.5 + random.normal(0, 0.02, 14))) for _ in range(2))
        wins += verdict(first, Scored(second), losses(*[0.9] * 14)) == WIN
    assert wins / 200 < 0.2


WORDS = {
    "a first regression": (None, losses(9.0, 9.5), "First version; it beats the training mean by 40.75 squared error."),
    "a better one": (
        Scored(losses(19.0, 19.5)),
        losses(9.0, 9.5),
        "Clearly better on 2 unseen intervals: squared error lower by 10, at least 10 at 90.0% confidence.",
    ),
    "no better than the mean": (None, losses(50.0, 50.0), "It does not beat the training mean: gain 0, bounds from 0."),
}


@pytest.mark.parametrize(("champion", "challenger", "reason"), WORDS.values(), ids=WORDS)
def test_a_verdict_speaks_of_the_loss_of_its_task(champion, challenger, reason):
    floor = losses(50.0, 50.0)
    assert compare(champion, Scored(challenger), floor, POLICY, 2, "regression").reasons == (reason,)


def test_a_verdict_of_classes_speaks_of_their_shares():
    found = compare(None, Scored(around(0.50)), FLOOR, POLICY, SEVEN, "multiclass")
    assert found.reasons == ("First version; it beats the class shares by 0.1000 log loss.",)
