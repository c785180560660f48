"""Fits of a replay: done once, kept as numbers alone, and done again where what was kept cannot be trusted."""

import json
import stat
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from include.retraining import fitting, parsimony, refits, training
from include.retraining.errors import DataError
from include.retraining.policies import Candidate
from include.retraining.refits import Fits
from tests.retraining import replays, toy

DAYS = [toy.day(number) for number in range(6)]
HISTORY = replays.history(12)
ONE = replays.SPEC.candidates[:1]


def fits(folder, history=HISTORY, candidates=ONE) -> Fits:
    return Fits(history, candidates, folder)


def test_a_model_says_what_training_would_let_it_say(tmp_path):
    found = fits(tmp_path)
    fitted = found.get(DAYS)
    estimator = training.fit(ONE[0], pd.concat([HISTORY.rows[one] for one in DAYS], ignore_index=True), replays.SPEC)
    for number in (6, 11):
        expected = training.predict(estimator, HISTORY.rows[toy.day(number)], replays.SPEC)
        np.testing.assert_allclose(found.predictions(fitted, toy.day(number)), expected, rtol=0, atol=1e-12)
    assert (fitted.candidate, fitted.trained, fitted.until) == ("logistic_regression", tuple(DAYS), DAYS[-1].end)
    assert fitted.cpu_s > 0


def test_what_was_kept_is_not_fitted_again(tmp_path):
    first, second = fits(tmp_path), fits(tmp_path)
    before = first.get(DAYS)
    after = second.get(DAYS)
    assert (first.made, second.made) == (1, 0)
    assert before == after
    np.testing.assert_array_equal(first.predictions(before, toy.day(7)), second.predictions(after, toy.day(7)))
    assert first.get(DAYS) is before
    assert first.made == 1


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_every_task_can_be_kept(tmp_path, task):
    history = replays.history(9, toy.task_spec(task, windows=replays.SPEC.windows))
    first, second = (Fits(history, history.spec.candidates[:1], tmp_path) for _ in range(2))
    before, after = first.get(DAYS), second.get(DAYS)
    assert (second.made, before) == (0, after)
    np.testing.assert_array_equal(first.predictions(before, toy.day(8)), second.predictions(after, toy.day(8)))


def other_rows():
    rows = {**HISTORY.rows, DAYS[0]: HISTORY.rows[DAYS[0]].assign(weight=1.0)}
    return replace(HISTORY, rows=rows)


@pytest.mark.parametrize(
    ("history", "candidates"),
    [
        (other_rows(), ONE),
        (replace(HISTORY, spec=replace(replays.SPEC, seed=1)), ONE),
        (HISTORY, (Candidate("logistic_regression", {"C": 0.5}),)),
        (HISTORY, (Candidate("hist_gradient_boosting"),)),
    ],
    ids=["rows", "spec", "parameters", "candidate"],
)
def test_whatever_makes_another_model_is_fitted(tmp_path, history, candidates):
    fits(tmp_path).get(DAYS)
    found = fits(tmp_path, history, candidates)
    found.get(DAYS)
    assert found.made == 1


def test_what_no_fit_looks_at_changes_nothing(tmp_path):
    fits(tmp_path).get(DAYS)
    rows = {one: frame.assign(note="another", sent_at=pd.NaT) for one, frame in HISTORY.rows.items()}
    found = fits(tmp_path, replace(HISTORY, rows=rows))
    found.get(DAYS)
    assert found.made == 0


def rewritten(path, **changes):
    with np.load(path) as held:
        arrays = {name: held[name] for name in held.files}
    about = json.loads(str(arrays["about"])) | changes.pop("about", {})
    np.savez(path, **(arrays | {"about": np.array(json.dumps(about))} | changes))


def flip(path):
    data = path.read_bytes()
    place = data.index(b"predictions.npy") + 400
    path.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])


def become_a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "flipped": flip,
    "another's": lambda path: rewritten(path, about={"key": "20240107-000000000000"}),
    "later release": lambda path: rewritten(path, about={"format_version": 2}),
    "no release": lambda path: rewritten(path, about={"format_version": None}),
    "shorter": lambda path: rewritten(path, lengths=np.array([1, 2])),
    "nan": lambda path: rewritten(path, predictions=np.full(6 * toy.ROWS, np.nan)),
    "text": lambda path: rewritten(path, predictions=np.array(["a"] * 6 * toy.ROWS)),
    "pickle": lambda path: rewritten(path, predictions=np.array([{"a": 1}], dtype="object")),
    "folder": become_a_folder,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_fitted_again(tmp_path, how):
    first = fits(tmp_path)
    expected = first.predictions(first.get(DAYS), toy.day(7))
    (path,) = (tmp_path / "parcels").glob("*.npz")
    DAMAGE[how](path)
    again = fits(tmp_path)
    np.testing.assert_array_equal(again.predictions(again.get(DAYS), toy.day(7)), expected)
    assert again.made == 1
    assert not list((tmp_path / "parcels").glob("*.part"))
    if how != "folder":
        healed = fits(tmp_path)
        healed.get(DAYS)
        assert healed.made == 0


def test_what_is_asked_for_late_is_predicted_then_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(refits, "AHEAD", 2)
    first = fits(tmp_path)
    fitted = first.get(DAYS)
    assert len(first._kept[fitted.key].predictions) == 2
    far = first.predictions(fitted, toy.day(10))
    assert (len(first._kept[fitted.key].predictions), first.made) == (6, 1)
    second = fits(tmp_path)
    np.testing.assert_array_equal(second.predictions(second.get(DAYS), toy.day(10)), far)
    assert second.made == 0


def test_a_history_that_has_grown_is_predicted_by_a_model_fitted_again(tmp_path):
    short = replace(
        HISTORY, intervals=HISTORY.intervals[:8], rows={one: HISTORY.rows[one] for one in HISTORY.intervals[:8]}
    )
    fits(tmp_path, short).get(DAYS)
    found, whole = fits(tmp_path), fits(None)
    expected = whole.predictions(whole.get(DAYS), toy.day(11))
    np.testing.assert_allclose(found.predictions(found.get(DAYS), toy.day(11)), expected, rtol=0, atol=1e-12)
    assert found.made == 1


def test_only_the_owner_may_read_what_is_kept(tmp_path):
    fits(tmp_path / "new" / "cache").get(DAYS)
    folder = tmp_path / "new" / "cache" / "parcels"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()] == [0o600]


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fits(None).get(DAYS)
    assert list(tmp_path.iterdir()) == []
    assert refits.default_folder() == tmp_path / "airflow-retraining" / "replay"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert refits.default_folder() == tmp_path / ".cache" / "airflow-retraining" / "replay"


def test_a_cache_that_is_no_folder_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be used for the cache: .*Give another --cache"):
        fits(tmp_path / "file")


def test_a_full_disk_costs_the_cache_alone(tmp_path, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    found = fits(tmp_path)
    assert found.get(DAYS) is not None
    assert "could not be kept (No space left on device)" in caplog.text
    assert list((tmp_path / "parcels").iterdir()) == []


def test_a_selection_is_that_of_a_run(tmp_path):
    spec, frames = replays.SPEC, [HISTORY.rows[one] for one in DAYS]
    losses = {one.name: fitting.fold_losses(one, frames, spec) for one in spec.candidates}
    order = [one.name for one in spec.candidates]
    expected = parsimony.select(losses, order, fitting.fold_losses(None, frames, spec), spec.task)["candidate"]
    found = fits(tmp_path, candidates=spec.candidates)
    fitted = found.get(DAYS)
    assert fitted.candidate == expected
    alone = fits(None, candidates=(next(one for one in spec.candidates if one.name == expected),))
    np.testing.assert_array_equal(found.predictions(fitted, toy.day(7)), alone.predictions(alone.get(DAYS), toy.day(7)))
    assert fits(tmp_path, candidates=spec.candidates).get(DAYS) == fitted


def test_a_selection_may_find_nothing_and_one_that_fails_does_not_stop_the_others(tmp_path):
    rows = {one: frame.assign(weight=1.0, distance=1.0, region="a", carrier="b") for one, frame in HISTORY.rows.items()}
    blind = replace(HISTORY, rows=rows)
    for _ in range(2):  # the second time from what was kept
        found = fits(tmp_path, blind, replays.SPEC.candidates)
        assert found.get(DAYS) is None
    assert found.made == 0
    broken = Candidate("tests.retraining.wayward:Absent")
    assert fits(None, candidates=(broken, *ONE)).get(DAYS).candidate == "logistic_regression"
    with pytest.raises(DataError, match="Absent"):
        fits(None, candidates=(broken, replace(broken, name="tests.retraining.wayward:Gone"))).get(DAYS)
