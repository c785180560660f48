"""Scoring: rows with their labels by interval, and both contenders on the same rows."""

import numpy as np
import pandas as pd
import pytest

from include.retraining import keys, scoring, training
from include.retraining.errors import IntegrityError
from include.retraining.registry import Registry
from tests.retraining import toy

SPEC = toy.spec()
FRAMES = [toy.rows(number) for number in range(12)]
NAMED, NUMBERS = toy.task_spec("multiclass"), toy.task_spec("regression")
DAYS = [toy.task_rows(number) for number in range(12)]


class Guess:
    """An estimator that always says the same."""

    def __init__(self, chance: float) -> None:
        self.chance = chance

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        return np.column_stack([1 - np.full(len(rows), self.chance), np.full(len(rows), self.chance)])


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return an empty registry in a folder."""
    return Registry(store, keyring, "parcels")


def test_rows_are_joined_with_their_known_labels_by_interval(desk, keyring):
    inputs = toy.pin(desk.store, keyring, SPEC, FRAMES)
    found = scoring.labelled_rows(desk.store, SPEC, inputs, inputs.intervals("holdout"))
    assert list(found) == [toy.day(number) for number in (8, 9, 10)]
    assert found[toy.day(8)]["late"].tolist() == FRAMES[8]["late"].tolist()


@pytest.mark.parametrize(("rows", "scored"), [(29, False), (30, True)])
def test_an_interval_with_too_few_labels_is_left_out(desk, keyring, rows, scored):
    frames = [*FRAMES[:9], FRAMES[9][:rows], *FRAMES[10:]]
    inputs = toy.pin(desk.store, keyring, SPEC, frames)
    found = scoring.labelled_rows(desk.store, SPEC, inputs, inputs.intervals("holdout"))
    assert (toy.day(9) in found) == scored


def test_void_labels_are_not_scored(desk, keyring):
    frames = [frame.assign(void=[1.0] * 10 + [0.0] * 50) for frame in FRAMES]
    inputs = toy.pin(desk.store, keyring, SPEC, frames)
    assert {len(one) for one in scoring.labelled_rows(desk.store, SPEC, inputs, [toy.day(3)]).values()} == {50}


def test_refused_intervals_are_not_usable(desk, keyring):
    inputs = toy.pin(desk.store, keyring, SPEC, FRAMES)
    refused = {"refused": {keys.span(toy.day(9)): "Refused: too late."}}
    assert scoring.usable(inputs, refused, "holdout") == [toy.day(8), toy.day(10)]
    assert len(scoring.usable(inputs, refused, "training")) == 8


def test_a_corrupted_snapshot_is_found_before_it_is_scored(desk, keyring):
    inputs = toy.pin(desk.store, keyring, SPEC, FRAMES)
    key = inputs.snapshot(toy.day(8)).key
    desk.store.put(key, desk.store.get(key)[:-4])
    with pytest.raises(IntegrityError, match=f"{key} has .* bytes, its manifest says"):
        scoring.labelled_rows(desk.store, SPEC, inputs, inputs.intervals("holdout"))


def test_a_contender_is_scored_by_interval_and_by_slice():
    found = scoring.score_contender(Guess(0.5), {toy.day(0): FRAMES[0]}, SPEC)
    span = keys.span(toy.day(0))
    assert found.losses == {span: pytest.approx(np.log(2))}
    assert set(found.slices) == {"region=north", "region=south"}
    assert found.slices["region=north"] == {span: pytest.approx(np.log(2))}


def test_the_floor_is_the_base_rate_of_the_training_window():
    """Half of the labels at a base rate of 0.8: -(ln 0.8 + ln 0.2) / 2."""
    rows = {toy.day(0): FRAMES[0][:4].assign(late=[0.0, 1.0, 0.0, 1.0])}
    assert scoring.floor_losses(rows, SPEC, 0.8) == {
        keys.span(toy.day(0)): pytest.approx(-(np.log(0.8) + np.log(0.2)) / 2)
    }


def test_contenders_of_any_task_are_scored_by_interval_and_by_slice():
    for spec in (NAMED, NUMBERS):
        fitted = training.fit(spec.candidates[0], pd.concat(DAYS[:6], ignore_index=True), spec)
        found = scoring.score_contender(fitted, {toy.day(8): DAYS[8]}, spec)
        rows = [len(DAYS[8][DAYS[8]["region"] == region]) for region in ("north", "south")]
        parts = [next(iter(found.slices[f"region={region}"].values())) for region in ("north", "south")]
        assert next(iter(found.losses.values())) == pytest.approx(np.average(parts, weights=rows))


def test_floors_of_every_task_worked_by_hand():
    rows = {toy.day(0): DAYS[0][:2].assign(minutes=[1.0, 5.0], arrival=["late", "early"])}
    span = keys.span(toy.day(0))
    assert scoring.floor_losses(rows, NUMBERS, 2.0) == {span: 5.0}
    found = scoring.floor_losses(rows, NAMED, {"early": 0.25, "late": 0.75})
    assert found == {span: pytest.approx(-(np.log(0.25) + np.log(0.75)) / 2)}
