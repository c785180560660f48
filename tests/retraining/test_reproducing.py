"""A version is trained again from what is stored: it predicts the same, or it is said why it cannot be shown."""

import json
from dataclasses import replace

import numpy as np
import pytest

from include.retraining import challengers, keys, libraries, policies, reproducing, signing, snapshots, training
from include.retraining.errors import DataError, IntegrityError, ObjectMissing
from include.retraining.registry import ARTIFACT, MANIFEST, Registry
from include.retraining.spec import Candidate
from tests.retraining import toy
from tests.retraining.desks import flip, objects

SPEC = replace(
    toy.spec(), candidates=(Candidate("logistic_regression"), Candidate("hist_gradient_boosting", {"max_iter": 5}))
)
FRAMES = [toy.rows(number) for number in range(9)]
SIMPLE, COMPLEX = (one.name for one in SPEC.candidates)


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return an empty registry in a folder."""
    return Registry(store, keyring, "parcels")


def registered(desk: Registry, name: str = SIMPLE, spec=SPEC) -> str:
    """Train one candidate as a run does, and register it."""
    inputs = toy.pin(desk.store, desk.keyring, spec, FRAMES)
    candidate = challengers.train(desk, spec, inputs, toy.PASSED, name)
    return str(challengers.select(desk, spec, inputs, toy.PASSED, [candidate])["version"])


def sign_again(desk: Registry, version: str, **changes: object) -> None:
    """Sign a manifest with changes; a change to ``...`` leaves the field out."""
    key = keys.version("parcels", version, MANIFEST)
    content = {**json.loads(desk.store.get(key)), **changes}
    kept = {name: held for name, held in content.items() if held is not ...}
    desk.store.put(key, signing.canonical(signing.sign(kept, desk.keyring, "version")))


@pytest.mark.parametrize("name", [SIMPLE, COMPLEX])
def test_a_version_trained_again_is_the_same_to_the_last_byte(desk, name):
    version = registered(desk, name)
    before = objects(desk.store)
    found = reproducing.reproduce(desk, SPEC, version)
    assert found.is_equal
    assert found.artifact_sha256[0] == found.artifact_sha256[1]
    assert found.version == (version, version)
    assert (found.intervals, found.training_rows, found.smoke_rows, found.remarks) == (5, 5 * toy.ROWS, 32, ())
    assert found.sentence.endswith(
        "from 5 stored intervals: byte for byte the same artifact, which predicts exactly the same."
    )
    assert [line["equal"] for line in found.rows] == ["yes"] * 4
    assert objects(desk.store) == before


def test_a_spec_that_has_changed_since_changes_nothing(desk):
    version = registered(desk)
    today = toy.spec(numeric=("weight",), observed=("note", "distance"), slices=(), seed=7)
    found = reproducing.reproduce(desk, today, version)
    assert found.is_equal
    assert found.version == (version, version)
    assert found.remarks == ("The spec has changed since in numeric, seed; the fields of then were used.",)


def test_a_column_that_is_judged_or_hidden_now_does_not_stand_in_the_way(desk):
    version = registered(desk, spec=replace(SPEC, categorical=("region",)))
    assert reproducing.reproduce(
        desk, toy.spec(slices=("carrier",), privacy={"carrier": "pseudonymise"}), version
    ).is_equal


def test_a_manifest_without_training_fields_is_trained_by_the_spec_of_today(desk):
    version = registered(desk)
    sign_again(desk, version, training_fields=...)
    found = reproducing.reproduce(desk, SPEC, version)
    assert found.is_equal
    assert found.remarks == ("Its manifest does not name the fields that entered training: those of today's spec did.",)


def test_rows_that_were_frozen_again_with_a_change_do_not_slip_in(desk):
    """Digests pin what was trained on; a newer object of the same interval is another object."""
    version = registered(desk)
    changed = FRAMES[0].assign(weight=FRAMES[0]["weight"] + 5)
    snapshots.freeze_snapshot(desk.store, desk.keyring, SPEC, toy.day(0), toy.day(8).end, changed)
    snapshots.freeze_labels(desk.store, desk.keyring, SPEC, toy.day(0), toy.day(8).end, changed.assign(late=1.0))
    assert reproducing.reproduce(desk, SPEC, version).is_equal


def test_what_would_be_trained_on_changed_rows_is_told(desk):
    """Signed by somebody who holds our key: the manifest names other rows than the artifact was trained on."""
    version = registered(desk, COMPLEX)
    as_of, changed = toy.day(8).end, FRAMES[0].assign(weight=FRAMES[0]["weight"][::-1].to_numpy())
    frozen = snapshots.freeze_snapshot(desk.store, desk.keyring, SPEC, toy.day(0), as_of, changed)
    digests = desk.manifest(version)["digests"]
    span = keys.span(toy.day(0))
    sign_again(desk, version, digests={**digests, span: [frozen.sha256, digests[span][1]]})
    found = reproducing.reproduce(desk, SPEC, version)
    assert not found.is_equal
    assert found.version[1] != version
    assert [line["equal"] for line in found.rows] == ["no"] * 4
    assert "an artifact of other bytes, which predicts otherwise, by up to 0." in found.sentence


def test_another_release_of_the_training_code_is_told(desk, monkeypatch, tmp_path):
    version = registered(desk)
    (tmp_path / "training.py").write_text("# another release")
    monkeypatch.setattr(training, "_sources", lambda: [tmp_path / "training.py"])
    found = reproducing.reproduce(desk, SPEC, version)
    assert found.is_equal
    assert found.version[1] != version
    assert found.remarks == ("It was trained by another release of the training code, which gives it another id.",)


def test_libraries_that_have_moved_are_told(desk):
    version = registered(desk)
    sign_again(desk, version, libraries={**libraries.versions(), "pandas": "0.1"})
    found = reproducing.reproduce(desk, SPEC, version)
    assert found.is_equal
    assert found.remarks == (f"Libraries have moved since: pandas 0.1 is {libraries.versions()['pandas']}.",)


def test_a_library_that_cannot_read_it_stops_it(desk):
    version = registered(desk)
    sign_again(desk, version, libraries={**libraries.versions(), "scikit-learn": "0.9"})
    with pytest.raises(IntegrityError, match=r"was written by scikit-learn 0.9, here is .*Install the former"):
        reproducing.reproduce(desk, SPEC, version)


@pytest.mark.parametrize("prefix", [keys.snapshots, keys.labels])
def test_what_retention_has_collected_is_told(desk, prefix):
    version = registered(desk)
    for found in list(desk.store.list(prefix("parcels", toy.day(1)))):
        desk.store.delete(found.key)
    spec = replace(SPEC, retention=policies.Retention(live_versions=3))
    with pytest.raises(
        ObjectMissing, match=r"1 of the 5 intervals .*20240102T000000Z--.* the last 3 live versions only .*Restore"
    ):
        reproducing.reproduce(desk, spec, version)


@pytest.mark.parametrize(
    ("prefix", "ending", "message"),
    [
        (keys.snapshots, ".parquet", "rows.parquet: the sha256 is"),
        (keys.labels, ".parquet", "parquet: the sha256 is"),
        (keys.snapshots, ".json", "manifest.json"),
        (lambda model: keys.versions(model), ARTIFACT, "model.joblib: the sha256 is"),
    ],
)
def test_what_was_altered_is_not_trained_on(desk, prefix, ending, message):
    version = registered(desk)
    key = next(found.key for found in desk.store.list(prefix("parcels")) if found.key.endswith(ending))
    desk.store.put(key, flip(desk.store.get(key)))
    with pytest.raises(IntegrityError, match=message):
        reproducing.reproduce(desk, SPEC, version)


def test_a_manifest_that_does_not_say_what_it_was_trained_on_is_told(desk):
    version = registered(desk)
    sign_again(desk, version, digests=...)
    with pytest.raises(IntegrityError, match="does not name digests, so nothing can be trained by it"):
        reproducing.reproduce(desk, SPEC, version)


def test_keys_that_have_changed_since_are_told(desk):
    version = registered(desk)
    with pytest.raises(DataError, match=r"have no column .*sender.*its key columns, \['sender'\], have changed since"):
        reproducing.reproduce(desk, toy.spec(key_columns=("sender",)), version)


def test_a_difference_in_the_last_bit_is_a_difference():
    found = reproducing.Reproduction(("a", "a"), ("b", "b"), 5, 300, float(np.spacing(0.5)), 32, 0.0, ())
    assert not found.is_equal
    assert "predicts otherwise, by up to 1.11e-16" in found.sentence


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_version_of_another_task_is_the_same_to_the_last_byte_too(desk, task):
    spec = toy.task_spec(task)
    inputs = toy.pin(desk.store, desk.keyring, spec, [toy.task_rows(number) for number in range(9)])
    trained = [challengers.train(desk, spec, inputs, toy.PASSED, one.name) for one in spec.candidates]
    for candidate in trained:
        version = challengers.select(desk, spec, inputs, toy.PASSED, [candidate])["version"]
        found = reproducing.reproduce(desk, spec, version)
        assert found.is_equal
        assert found.artifact_sha256[0] == found.artifact_sha256[1]


def test_a_version_is_trained_again_for_the_task_of_then(desk):
    """The spec has become a regression since, whose candidates a binary model does not know."""
    version = registered(desk)
    found = reproducing.reproduce(desk, toy.task_spec("regression"), version)
    assert found.is_equal
    assert found.remarks == ("The spec has changed since in label, task; the fields of then were used.",)
