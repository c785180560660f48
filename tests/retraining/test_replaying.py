"""A history under a policy, worked by hand: who serves when, what is fitted on what, and that nothing peeks ahead."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import rivals
from include.retraining.decision import INSUFFICIENT, RETRAIN
from include.retraining.errors import DataError, SpecError
from include.retraining.policies import RecalibrationPolicy
from include.retraining.refits import Fits
from include.retraining.replaying import play
from include.retraining.rivals import Rival
from tests.retraining import replays, toy

EVEN = -math.log(0.5)
COUNT = 20


def played(name, says, count=COUNT, **given):
    """Return what becomes of days of which half is late, with models that say one chance."""
    found = replays.history(count, rows=replays.half_late, **given)
    fits = replays.Told(found, says)
    begun, scores = replays.begun(found, fits)
    rival = rivals.parse(name) if isinstance(name, str) else name
    return play(begun, scores, rival), fits


def loss_of(chance: float) -> float:
    return round(-0.5 * math.log(chance) - 0.5 * math.log(1 - chance), 6)


def test_never_fits_nothing_and_keeps_the_first_champion():
    found, fits = played("never", lambda *_: 0.2)
    assert fits.asked == [(0, 1, 2)]
    assert (found.fits, found.promotions, found.cpu_s) == (0, 0, 0.0)
    assert {one.champion for one in found.steps} == {"v2"}
    assert replays.losses(found.losses) == dict.fromkeys(range(replays.START, COUNT), loss_of(0.2))


def test_every_fits_as_often_as_there_are_intervals_and_each_goes_live_for_the_next():
    found, fits = played("every", lambda knows, _: 0.1 + 0.01 * knows)
    judged = range(replays.START, COUNT)
    assert (found.fits, found.promotions, found.cpu_s) == (len(judged),) * 3
    assert fits.asked[1:] == [tuple(range(max(0, day - 6), day)) for day in judged]  # all labels but the day's own
    served = {day: loss_of(0.1 + 0.01 * (day - 2 if day > replays.START else 2)) for day in judged}
    assert replays.losses(found.losses) == served


@pytest.mark.parametrize(("period", "days"), [(5, [10, 15]), (7, [12, 19]), (30, [])])
def test_a_calendar_fits_when_its_days_have_passed(period, days):
    found, _ = played(str(period), lambda *_: 0.3)
    assert [replays.number(one.interval) for one in found.steps if one.is_fit] == days
    assert found.promotions == found.fits == len(days)


def test_a_gated_challenger_knows_no_holdout_and_has_to_win():
    found, fits = played("5+gate", lambda knows, _: 0.4 if knows > 2 else 0.2)
    assert fits.asked[1:] == [(2, 3, 4, 5, 6, 7), (7, 8, 9, 10, 11, 12)]
    first, second = (one for one in found.steps if one.is_fit)
    assert (first.is_promoted, second.is_promoted) == (False, False)
    assert first.verdict.startswith("It does not beat the base rate")  # nobody beats one half of half
    assert {one.champion for one in found.steps} == {"v2"}


def test_a_gated_challenger_that_wins_serves_the_next_interval():
    def mostly_late(number):
        return toy.rows(number, 40).assign(late=[1.0] * (24 if number < 3 else 36) + [0.0] * (16 if number < 3 else 4))

    found = replays.history(14, rows=mostly_late)
    fits = replays.Told(found, lambda knows, _: 0.6 if knows < 3 else 0.9)
    begun, scores = replays.begun(found, fits)
    done = play(begun, scores, rivals.parse("5+gate"))
    fit = next(one for one in done.steps if one.is_fit)
    assert fit.is_promoted
    assert "unseen intervals" in fit.verdict
    assert [one.champion for one in done.steps] == ["v2"] * 5 + ["v7"] * 3


def test_a_correction_is_on_trial_before_it_serves():
    policy = RecalibrationPolicy(intervals=5, minimum_intervals=2, weight_intervals=0.5, minimum_proof=3)
    spec = replace(replays.SPEC, recalibration=policy)
    found, _ = played("never+recalibration", lambda *_: 0.2, spec=spec)
    first = next(one for one in found.steps if one.is_corrected)
    # Unseen labels are there from the first champion on; the gains of days 6, 7 and 8 are known on day 9, for day 10.
    assert replays.number(first.interval) == replays.START + 4
    assert first.raw_loss == pytest.approx(loss_of(0.2), abs=1e-6)
    assert EVEN < first.loss < first.raw_loss
    plain, _ = played("never", lambda *_: 0.2, spec=spec)
    assert not [one for one in plain.steps if one.is_corrected]


def test_a_new_champion_serves_its_first_interval_uncorrected():
    policy = RecalibrationPolicy(intervals=5, minimum_intervals=1, weight_intervals=0.5, minimum_proof=2)
    found, _ = played("7+recalibration", lambda *_: 0.2, 30, spec=replace(replays.SPEC, recalibration=policy))
    for before, after in zip(found.steps, found.steps[1:], strict=False):
        if before.is_promoted:
            assert not after.is_corrected
    assert sum(one.is_corrected for one in found.steps) > 10


def test_corrections_that_harm_are_not_in_force():
    policy = RecalibrationPolicy(intervals=1, minimum_intervals=1, weight_intervals=0.01, minimum_proof=2)

    def turning(number):
        return toy.rows(number, 40).assign(late=[1.0] * (36 if number % 2 else 4) + [0.0] * (4 if number % 2 else 36))

    soon = replace(replays.SPEC, recalibration=policy, label_delay=0 * toy.DAY)  # by yesterday, which was otherwise
    found = replays.history(COUNT, soon, turning)
    begun, scores = replays.begun(found, replays.Told(found, lambda *_: 0.5))
    assert not [one for one in play(begun, scores, rivals.parse("never+recalibration")).steps if one.is_corrected]


def test_what_is_seen_is_what_is_known():
    told = []
    played(Rival("spy", lambda seen: told.append(seen) or seen.number == 4), lambda *_: 0.2, 12)
    assert [one.number for one in told] == [1, 2, 3, 4, 5, 6]
    assert [one.age_intervals for one in told] == [1, 2, 3, 4, 1, 2]
    assert [len(one.served) for one in told] == [0, 1, 2, 3, 0, 1]  # the day's own label comes a day later
    assert [len(one.history) for one in told] == [0, 1, 2, 3, 4, 5]
    assert [len(one.errors) for one in told] == [0, 1, 2, 3, 4, 5]
    assert [one.rows for one in told] == [40] * 6
    assert [one.holdout_intervals for one in told] == [2, 2, 2, 2, 1, 2]


def test_too_few_rows_ask_nobody():
    found, fits = played("every", lambda *_: 0.2, 9, counts={toy.day(number): 5 for number in range(9)})
    assert [one.answer for one in found.steps] == [INSUFFICIENT] * 3
    assert found.steps[0].reason == "The interval has 5 rows; at least 10 are needed."
    assert len(fits.asked) == 1


def test_a_gate_without_a_holdout_is_insufficient():
    found, _ = played(Rival("hasty", lambda seen: True, is_gated=True), lambda *_: 0.2, 9)
    assert [one.answer for one in found.steps] == [RETRAIN] * 3  # the first champion's window ends before the holdout
    found, _ = played(Rival("calm", lambda seen: seen.number == 1), lambda *_: 0.2, 9)
    assert found.promotions == 1


def test_a_fit_that_fails_leaves_the_champion_and_is_told():
    found = replays.history(9, rows=replays.half_late)
    fits = replays.Told(found, lambda *_: 0.2)
    begun, scores = replays.begun(found, fits)

    def fail(_):
        raise DataError("Label 'late' takes the values [0.0].")

    fits.get = fail
    done = play(begun, scores, rivals.parse("every"))
    assert (done.fits, done.cpu_s) == (0, 0.0)
    assert {one.verdict for one in done.steps} == {"Label 'late' takes the values [0.0]."}
    fits.get = lambda _: None
    done = play(begun, scores, rivals.parse("every"))
    assert (done.fits, done.promotions) == (3, 0)


def test_no_first_champion_is_an_error():
    found = replays.history(9, rows=replays.half_late)
    fits = replays.Told(found, lambda *_: 0.2)
    fits.get = lambda _: None
    with pytest.raises(DataError, match="No candidate of parcels beats the floor on the first 3 intervals"):
        replays.begun(found, fits)


def test_a_policy_that_fails_is_named():
    with pytest.raises(SpecError, match=r"Policy broken failed on 2024-01-07.*ZeroDivisionError"):
        played(Rival("broken", lambda seen: 1 / 0), lambda *_: 0.2, 9)
    with pytest.raises(SpecError, match=r"Policy vague answered 'perhaps' on 2024-01-07"):
        played(Rival("vague", lambda seen: "perhaps"), lambda *_: 0.2, 9)


def decided(found, name):
    begun, scores = replays.begun(found, Fits(found, found.spec.candidates[:1], None))
    steps = play(begun, scores, rivals.parse(name)).steps
    return [(one.answer, one.reason, one.verdict) for one in steps]


@settings(max_examples=6)
@given(st.integers(replays.START, 15), st.sampled_from(["ours", "4+recalibration+gate", "3+recalibration"]))
def test_labels_that_are_not_known_yet_change_no_decision(day, name):
    policy = RecalibrationPolicy(minimum_intervals=1, minimum_proof=2)
    decision = replace(replays.SPEC.decision, maximum_age_intervals=4, cooldown_intervals=1, recent_intervals=2)
    spec = replace(replays.SPEC, recalibration=policy, decision=decision, label_delay=toy.DAY)
    found = replays.history(16, spec)
    turned = {one: rows.assign(late=1 - rows["late"]) for one, rows in found.rows.items() if replays.number(one) >= day}
    other = replace(found, rows={**found.rows, **turned})
    place = day - replays.START + 1  # the run of the day itself knows all labels but its own
    before, after = (decided(each, name)[:place] for each in (found, other))
    assert before == after
