"""Predictions lie beside a signed manifest; the first write stands, and nothing unverified is read."""

import json

import numpy as np
import pandas as pd
import pytest

from include.retraining import keys, predicting, predictions, signing
from include.retraining.errors import IntegrityError
from tests.conftest import ROOT
from tests.retraining import desks, shelves, toy

SPEC, DAY = toy.spec(), toy.day(3)
VERSION, OTHER = "20240105-00000000000a", "20240105-00000000000b"
ROWS = toy.rows(3, 5)
ABOUT = {
    "version": VERSION,
    "entry": 1,
    "snapshot_sha256": "5" * 64,
    "as_of": keys.stamp(DAY.end),
    "unusable": 0,
    "classes": [],
    "correction_sha256": None,
    "actor": "ann",
    "reason": None,
}


def table(chance: float = 0.25, classes: tuple[str, ...] = ()) -> pd.DataFrame:
    guess = np.full((len(ROWS), len(classes)), 1 / len(classes)) if classes else np.full(len(ROWS), chance)
    return predicting.table(ROWS, SPEC, guess, None, classes)


def write(store, keyring, chance: float = 0.25, version: str = VERSION, correction: str | None = None):
    key = keys.prediction_rows("parcels", DAY, version, correction)
    return predictions.write(
        store, keyring, key, table(chance), {**ABOUT, "version": version, "correction_sha256": correction}
    )


def find(store, keyring, version: str = VERSION):
    return predictions.find(store, keyring, "parcels", DAY, version)


@pytest.mark.door
def test_what_was_written_is_found_and_read(any_store, keyring):
    written = write(any_store, keyring)
    assert find(any_store, keyring) == written
    assert (written.rows, written.version, written.correction_sha256) == (5, VERSION, None)
    pd.testing.assert_frame_equal(predictions.read(any_store, written), table())


def test_it_is_a_parquet_and_a_manifest_that_meets_its_schema(store, keyring):
    import jsonschema

    written = write(store, keyring)
    assert written.key == f"parcels/predictions/{keys.span(DAY)}/{VERSION}-raw.parquet"
    manifest = json.loads(store.get(keys.rows_manifest(written.key)))
    schema = json.loads((ROOT / "include" / "retraining" / "schemas" / "predictions.json").read_text())
    jsonschema.validate(manifest, schema)
    assert (manifest["actor"], manifest["reason"]) == ("ann", None)


def test_classes_are_found_again(store, keyring):
    key = keys.prediction_rows("parcels", DAY, VERSION, None)
    predictions.write(store, keyring, key, table(classes=("a", "b")), {**ABOUT, "classes": ["a", "b"]})
    found = find(store, keyring)
    assert found.classes == ("a", "b")
    assert list(predictions.read(store, found)) == ["parcel", "prediction:a", "prediction:b"]


def test_before_anything_was_predicted_there_is_nothing(store, keyring):
    assert find(store, keyring) is None
    write(store, keyring, version=OTHER)
    assert find(store, keyring) is None, "another version predicted"


def test_the_first_write_stands(store, keyring):
    first = write(store, keyring, 0.25)
    before = desks.objects(store)
    assert write(store, keyring, 0.75) == write(store, keyring, 0.25) == first
    assert desks.objects(store) == before


def test_of_two_at_once_the_corrected_ones_count(store, keyring):
    write(store, keyring)
    corrected = write(store, keyring, correction="c" * 64)
    assert find(store, keyring) == corrected


def test_rows_without_a_manifest_are_none_and_a_rerun_ends_what_a_crash_left(store, keyring):
    for number in (1, 2):
        with pytest.raises(shelves.Killed):
            write(shelves.Mortal(store, number), keyring)
        assert find(store, keyring) is None
    assert write(store, keyring).rows == 5


def test_other_rows_that_a_crash_left_are_never_taken_for_predictions(store, keyring):
    with pytest.raises(shelves.Killed):
        write(shelves.Mortal(store, 2), keyring, 0.75)
    with pytest.raises(IntegrityError, match=r"raw.parquet holds other bytes .*a crash left them.*remove it, then run"):
        write(store, keyring, 0.25)


@pytest.mark.parametrize(
    ("harm", "check"),
    [(desks.flip, "hash"), (lambda data: data[:-1], "size"), (lambda data: data + b"x", "size")],
    ids=["flipped", "cut", "grown"],
)
def test_rows_that_are_not_those_that_were_written_are_never_read(store, keyring, harm, check):
    written = write(store, keyring)
    store.put(written.key, harm(store.get(written.key)))
    with pytest.raises(IntegrityError) as caught:
        predictions.read(store, written)
    assert caught.value.check == check


def test_rows_that_are_no_parquet_are_told(store, keyring):
    written = write(store, keyring)
    store.put(written.key, b"x")
    about = {**ABOUT, "key": written.key, "sha256": signing.sha256(b"x"), "size_bytes": 1, "rows": 1}
    manifest = signing.canonical(signing.sign({**about, "format_version": 1}, keyring, "predictions"))
    store.put(keys.rows_manifest(written.key), manifest)
    with pytest.raises(IntegrityError, match="is not Parquet"):
        predictions.read(store, find(store, keyring))


@pytest.mark.parametrize(
    ("harm", "check"),
    [
        (desks.unsigned, "signature"),
        (desks.resigned, "signature"),
        (lambda data: data.replace(b'"entry":1', b'"entry":2'), "signature"),
        (lambda _: b"{", "format"),
    ],
    ids=["unsigned", "by a stranger", "altered", "torn"],
)
def test_a_manifest_that_does_not_hold_is_refused(store, keyring, harm, check):
    key = keys.rows_manifest(write(store, keyring).key)
    store.put(key, harm(store.get(key)))
    with pytest.raises(IntegrityError) as caught:
        find(store, keyring)
    assert caught.value.check == check


def test_a_manifest_of_other_predictions_is_refused(store, keyring):
    one, other = write(store, keyring), write(store, keyring, version=OTHER)
    store.put(keys.rows_manifest(one.key), store.get(keys.rows_manifest(other.key)))
    with pytest.raises(IntegrityError, match="it was copied there"):
        find(store, keyring)


@pytest.mark.parametrize(("content", "message"), [({"format_version": 99}, "reads 1 to 1"), ({}, "whose predictions")])
def test_a_manifest_of_a_later_release_or_of_nothing_is_refused(store, keyring, content, message):
    key = write(store, keyring).key
    signed = signing.sign({"format_version": 1, "key": key, **content}, keyring, "predictions")
    store.put(keys.rows_manifest(key), signing.canonical(signed))
    with pytest.raises(IntegrityError, match=message):
        find(store, keyring)
