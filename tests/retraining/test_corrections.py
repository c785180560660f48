"""Corrections in force: signed, of one interval and version, and known before the interval began."""

import json
from dataclasses import replace

import pytest

from include.retraining import corrections, keys, signing
from include.retraining.corrections import Correction
from include.retraining.errors import IntegrityError
from tests.conftest import ROOT
from tests.retraining import desks, toy

DAY, VERSION, OTHER = toy.day(5), "20240105-00000000000a", "20240105-00000000000b"
NUMBERS = {"shift": 0.25, "slope": 1.5}
FOUND = Correction(VERSION, keys.stamp(DAY.start), "a" * 64, NUMBERS, {"gain": 0.01})


def write(store, keyring, found: Correction = FOUND, interval=DAY) -> str:
    return corrections.write(store, keyring, "parcels", interval, found)


def in_force(store, keyring, version: str = VERSION, interval=DAY) -> Correction | None:
    return corrections.in_force(store, keyring, "parcels", interval, version)


@pytest.mark.door
def test_what_was_written_is_in_force(any_store, keyring):
    assert write(any_store, keyring) == f"parcels/calibrations/{keys.span(DAY)}/{VERSION}-{'a' * 12}.json"
    assert in_force(any_store, keyring) == FOUND


def test_it_meets_its_schema(store, keyring):
    import jsonschema

    schema = json.loads((ROOT / "include" / "retraining" / "schemas" / "calibration.json").read_text())
    for numbers in (NUMBERS, {"shifts": {"late": -0.5}}):
        digest = signing.sha256(signing.canonical(numbers))
        key = write(store, keyring, replace(FOUND, numbers=numbers, labels_sha256=digest))
        jsonschema.validate(json.loads(store.get(key)), schema)


def test_another_version_or_interval_is_not_corrected_by_it(store, keyring):
    write(store, keyring)
    assert in_force(store, keyring, OTHER) is None
    assert in_force(store, keyring, interval=toy.day(6)) is None


def test_the_newest_that_was_known_when_the_interval_began_counts(store, keyring):
    older = replace(FOUND, as_of=keys.stamp(toy.day(4).start), labels_sha256="f" * 64)
    later = replace(FOUND, as_of=keys.stamp(toy.day(5).end), labels_sha256="9" * 64)
    write(store, keyring, later)
    assert in_force(store, keyring) is None, "it may know the interval's own labels"
    write(store, keyring, older)
    assert in_force(store, keyring) == older
    write(store, keyring)
    assert in_force(store, keyring) == FOUND


def test_the_first_write_stands(store, keyring):
    write(store, keyring)
    write(store, keyring, replace(FOUND, numbers={"shift": 9.0, "slope": 1.0}))
    assert in_force(store, keyring).numbers == NUMBERS


def test_its_digest_is_that_of_what_it_does():
    assert FOUND.digest == replace(FOUND, as_of="x", proof={}).digest
    assert FOUND.digest != replace(FOUND, numbers={**NUMBERS, "shift": 0.26}).digest


@pytest.mark.parametrize(
    ("harm", "check"),
    [
        (desks.unsigned, "signature"),
        (desks.resigned, "signature"),
        (lambda data: data.replace(b"0.25", b"9.25"), "signature"),
        (lambda _: b"[", "format"),
    ],
    ids=["unsigned", "by a stranger", "altered", "torn"],
)
def test_one_that_does_not_hold_corrects_nothing(store, keyring, harm, check):
    key = write(store, keyring)
    store.put(key, harm(store.get(key)))
    with pytest.raises(IntegrityError) as caught:
        in_force(store, keyring)
    assert caught.value.check == check


@pytest.mark.parametrize("what", ["interval", "version", "labels"])
def test_one_that_was_copied_there_is_refused(store, keyring, what):
    given = {
        "interval": (FOUND, toy.day(6)),
        "version": (replace(FOUND, version=OTHER), DAY),
        "labels": (replace(FOUND, labels_sha256="b" * 64), DAY),
    }[what]
    copied = write(store, keyring, *given)
    store.put(keys.calibration("parcels", DAY, VERSION, "a" * 64), store.get(copied))
    with pytest.raises(IntegrityError, match="it was copied there"):
        in_force(store, keyring)


@pytest.mark.parametrize(
    ("content", "message"), [({"format_version": 99}, "reads 1 to 1"), ({"format_version": 1}, "what it corrects")]
)
def test_one_of_a_later_release_or_of_nothing_is_refused(store, keyring, content, message):
    key = keys.calibration("parcels", DAY, VERSION, "a" * 64)
    store.put(key, signing.canonical(signing.sign(content, keyring, "correction")))
    with pytest.raises(IntegrityError, match=message):
        in_force(store, keyring)
