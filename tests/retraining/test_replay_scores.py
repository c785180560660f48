"""Losses and corrections in a replay are those that runs compute, for each task, and each is computed once."""

from dataclasses import replace

import pandas as pd
import pytest

from include.retraining import correcting, measuring, predicting, scoring, training
from include.retraining.correcting import Judged
from include.retraining.labelling import labels_of
from include.retraining.refits import Fits
from include.retraining.replay_scores import Scores
from tests.retraining import replays, toy

TRAINED, HELD = [toy.day(number) for number in range(4)], [toy.day(number) for number in (4, 5, 6)]
NUMBERS = {
    "binary": {"shift": 0.2, "slope": 0.8},
    "multiclass": {"shifts": {"early": 0.3, "late": -0.1}},
    "regression": {"shift": 2.0, "slope": 0.9},
}


@pytest.fixture(params=NUMBERS)
def scored(request):
    """Return scores of a task, and a fitted model with its estimator."""
    spec = toy.task_spec(request.param, windows=replays.SPEC.windows)
    found = replays.history(8, spec)
    fits = Fits(found, spec.candidates[:1], None)
    fitted = fits.get(TRAINED)
    return Scores(found, fits), fitted, fits._estimators[fitted.key], spec


def test_losses_and_slices_are_those_of_a_comparison(scored):
    scores, fitted, estimator, spec = scored
    rows, corrected = {one: scores.history.rows[one] for one in HELD}, {HELD[1]: NUMBERS[spec.task]}
    expected = scoring.score_contender(estimator, rows, spec, corrected)
    found = scores.scored(fitted, HELD, corrected)
    assert found.losses == pytest.approx(expected.losses, abs=1e-12)
    assert set(found.slices) == {"region=north", "region=south"}
    assert {name: pytest.approx(losses, abs=1e-12) for name, losses in expected.slices.items()} == found.slices


def test_the_floor_is_that_of_a_comparison(scored):
    scores, _, _, spec = scored
    floor = training.floor(pd.concat([scores.history.rows[one] for one in TRAINED], ignore_index=True), spec)
    expected = scoring.floor_losses({one: scores.history.rows[one] for one in HELD}, spec, floor)
    assert scores.floor(TRAINED, HELD) == pytest.approx(expected, abs=1e-12)


def test_how_an_interval_erred_is_what_an_evaluation_tells(scored):
    scores, fitted, estimator, spec = scored
    said, classes = predicting.predict(estimator, scores.history.rows[HELD[0]], spec, "v")
    rows = scores.history.rows[HELD[0]]
    expected = measuring.errors(spec.task, labels_of(rows, spec), said, classes, rows, spec.numeric)
    assert scores.errors(fitted, HELD[0]) == pytest.approx(expected, abs=1e-12)


def test_a_correction_is_that_of_a_run(scored):
    scores, fitted, estimator, spec = scored
    judged = []
    for one in HELD:
        said, classes = predicting.predict(estimator, scores.history.rows[one], spec, "v")
        judged.append(Judged(labels_of(scores.history.rows[one], spec), said))
    expected = correcting.fit(judged, spec.task, classes, spec.recalibration)
    assert scores.correction(fitted, HELD) == expected
    assert expected
    assert scores.correction(fitted, HELD[:2]) == {}


def test_a_spec_that_never_corrects_has_no_correction():
    spec = replace(replays.SPEC, recalibration=replace(replays.SPEC.recalibration, intervals=0))
    found = replays.history(8, spec)
    fits = replays.Told(found, lambda *_: 0.3)
    assert Scores(found, fits).correction(fits.get(TRAINED), HELD) == {}


def test_each_is_computed_once():
    found = replays.history(8)
    fits = replays.Told(found, lambda *_: 0.3)
    scores, fitted = Scores(found, fits), fits.get(TRAINED)
    first = scores.loss(fitted, HELD[0]), scores.correction(fitted, HELD)
    fits.says = lambda *_: pytest.fail("asked again")
    assert (scores.loss(fitted, HELD[0]), scores.correction(fitted, HELD)) == first
