"""Challengers: trained once per input, chosen, and registered as exactly one version."""

import json
import re
import tracemalloc
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest

from include.retraining import challengers, effects, judging, keys, reproducing, signing
from include.retraining.errors import DataError, IntegrityError, ObjectMissing, SpecError
from include.retraining.registry import ARTIFACT, BASELINE, CARD, MANIFEST, SMOKE, Registry
from include.retraining.spec import Candidate, TrainingPolicy
from tests.conftest import ROOT
from tests.retraining import toy
from tests.retraining.desks import flip, objects, promoted

SPEC = replace(
    toy.spec(), candidates=(Candidate("logistic_regression"), Candidate("hist_gradient_boosting", {"max_iter": 5}))
)
FRAMES = [toy.rows(number) for number in range(9)]
SIMPLE, COMPLEX = (one.name for one in SPEC.candidates)


@pytest.fixture
def desk(store, keyring) -> Registry:
    """Return an empty registry in a folder."""
    return Registry(store, keyring, "parcels")


@pytest.fixture
def inputs(desk, keyring):
    """Return a run that is pinned on nine days."""
    return toy.pin(desk.store, keyring, SPEC, FRAMES)


def train(desk: Registry, inputs, name: str = SIMPLE, spec=SPEC, validation=toy.PASSED) -> str:
    return challengers.train(desk, spec, inputs, validation, name)


def select(desk: Registry, inputs, *versions: str, spec=SPEC) -> dict[str, object]:
    return challengers.select(desk, spec, inputs, toy.PASSED, versions)


def test_a_candidate_is_stored_under_its_version_with_its_losses(desk, inputs):
    version = train(desk, inputs)
    manifest = challengers._candidate(desk, version)
    assert version.startswith("20240106-"), "the day on which its training window ends"
    assert (manifest["candidate"], manifest["rows"], len(manifest["intervals"])) == (SIMPLE, 5 * toy.ROWS, 5)
    assert len(manifest["fold_losses"]) == len(manifest["floor_losses"]) == 3
    assert manifest["missing_shares"]["distance"] == pytest.approx(FRAMES[0]["distance"].isna().mean())


def test_training_again_finds_it_trained(desk, inputs):
    version, before = train(desk, inputs), objects(desk.store)
    assert train(desk, inputs) == version
    assert objects(desk.store) == before


def test_another_run_on_the_same_rows_makes_the_same_version(desk, inputs, keyring):
    other = toy.pin(desk.store, keyring, SPEC, FRAMES, run="another", actor="bob", reason="again")
    assert train(desk, other) == train(desk, inputs)


def test_an_unrelated_field_makes_no_version_and_a_training_field_does(desk, inputs):
    version = train(desk, inputs)
    assert train(desk, inputs, spec=replace(SPEC, owner="other")) == version
    assert train(desk, inputs, spec=replace(SPEC, seed=1)) != version


def test_other_rows_and_refused_intervals_make_other_versions(desk, inputs, keyring):
    other = toy.pin(desk.store, keyring, SPEC, [toy.rows(0, seed=1), *FRAMES[1:]], run="other")
    refused = {**toy.PASSED, "refused": {keys.span(toy.day(0)): "Refused."}}
    assert len({train(desk, inputs), train(desk, other), train(desk, inputs, validation=refused)}) == 3


def test_nothing_is_trained_on_the_holdout(desk, inputs, keyring):
    changed = [*FRAMES[:5], *(frame.assign(late=1 - frame["late"]) for frame in FRAMES[5:])]
    other = toy.pin(desk.store, keyring, SPEC, changed, run="other")
    assert other.intervals("holdout")[0] == toy.day(5)
    assert train(desk, other) == train(desk, inputs)


def test_a_challenger_is_registered_with_all_its_files(desk, inputs):
    found = select(desk, inputs, train(desk, inputs, SIMPLE), train(desk, inputs, COMPLEX))
    manifest = desk.manifest(found["version"])
    assert desk.versions() == [found["version"]]
    assert set(manifest["files"]) == {ARTIFACT, BASELINE, CARD, SMOKE}
    assert (manifest["asked_by"], manifest["run"], manifest["candidate"]) == ("ann", inputs.prefix, found["candidate"])
    assert manifest["digests"][keys.span(toy.day(0))] == [
        inputs.snapshot(toy.day(0)).sha256,
        inputs.labels(toy.day(0)).sha256,
    ]
    assert found["base_rate"] == pytest.approx(pd.concat(FRAMES[:5])["late"].mean())
    assert desk.load(found["version"])


def test_what_drift_is_measured_against_is_made_of_the_training_rows_and_their_predictions(desk, inputs):
    version = select(desk, inputs, train(desk, inputs))["version"]
    baseline = json.loads(desk.file(version, BASELINE))
    assert baseline["intervals"] == desk.manifest(version)["drift"]["intervals"] == 5
    rows = {name: sum(one["counts"]["all"]) for name, one in baseline["features"].items()}
    assert rows == dict.fromkeys([*SPEC.features, effects.PREDICTIONS], 5 * toy.ROWS)


def test_a_candidate_of_an_earlier_release_without_a_baseline_is_trained_again(desk, inputs):
    version = train(desk, inputs)
    manifest = challengers._candidate(desk, version)
    files = {name: one for name, one in manifest["files"].items() if name != BASELINE}
    content = {name: held for name, held in manifest.items() if name != "signature"} | {"files": files}
    signed = signing.sign(content, desk.keyring, challengers.CANDIDATE)
    desk.store.put(keys.candidate(desk.model, version, MANIFEST), signing.canonical(signed))
    assert train(desk, inputs) == version
    assert BASELINE in challengers._candidate(desk, version)["files"]


def test_selecting_again_changes_nothing(desk, inputs):
    versions = train(desk, inputs, SIMPLE), train(desk, inputs, COMPLEX)
    first, before = select(desk, inputs, *versions), objects(desk.store)
    assert select(desk, inputs, *versions) == first
    assert objects(desk.store) == before


def test_another_person_who_asks_for_the_same_training_gets_the_same_version(desk, inputs, keyring):
    """Two runs of one interval at once, or one after the other: one version, and who asked first stays named."""
    first = select(desk, inputs, train(desk, inputs))
    other = toy.pin(desk.store, keyring, SPEC, FRAMES, run="another", actor="bob", reason="again")
    second = select(desk, other, train(desk, other), spec=replace(SPEC, owner="other"))
    assert second["version"] == first["version"]
    assert desk.manifest(first["version"])["asked_by"] == "ann"


def test_a_registration_that_was_cut_short_is_finished_by_another_run(desk, inputs, keyring):
    """Killed before the manifest: what lies there already is the same, whoever asks next."""
    version = select(desk, inputs, train(desk, inputs))["version"]
    desk.store.delete(keys.version("parcels", version, MANIFEST))
    other = toy.pin(desk.store, keyring, SPEC, FRAMES, run="another", actor="bob")
    assert select(desk, other, train(desk, other))["version"] == version
    assert desk.manifest(version)["asked_by"] == "bob"


def test_one_candidate_is_enough(desk, inputs):
    assert select(desk, inputs, train(desk, inputs, COMPLEX))["candidate"] == COMPLEX


def test_where_no_candidate_beats_the_base_rate_nothing_is_registered(desk, keyring):
    """The world turned round: what was late is on time in all that the folds are judged on."""
    turned = [*FRAMES[:2], *(frame.assign(late=1 - frame["late"]) for frame in FRAMES[2:])]
    inputs = toy.pin(desk.store, keyring, SPEC, turned)
    found = select(desk, inputs, train(desk, inputs, SIMPLE))
    assert found["version"] is None
    assert found["reason"].startswith("No candidate beats the base rate")
    assert desk.versions() == []


def test_a_feature_without_any_value_is_dropped_and_named(desk, keyring):
    inputs = toy.pin(desk.store, keyring, SPEC, [frame.assign(distance=np.nan) for frame in FRAMES])
    version = select(desk, inputs, train(desk, inputs))["version"]
    manifest = desk.manifest(version)
    assert manifest["treatment"]["dropped"] == ["distance"]
    assert "distance" not in manifest["features"]
    assert b"Dropped because no training row had a value: distance." in desk.file(version, CARD)


FOREST, NEIGHBOURS = "sklearn.ensemble:RandomForestClassifier", "sklearn.neighbors:KNeighborsClassifier"
ALLOWED = {
    FOREST: (
        "sklearn.ensemble._forest:RandomForestClassifier",
        "sklearn.tree._classes:DecisionTreeClassifier",
        "sklearn.tree._tree:Tree",
    ),
    NEIGHBOURS: ("sklearn.neighbors._classification:KNeighborsClassifier",),
}


@pytest.mark.parametrize(
    ("name", "parameters"), [(FOREST, {"min_samples_leaf": 20}), (NEIGHBOURS, {"n_neighbors": 15})], ids=ALLOWED
)
def test_an_estimator_by_import_path_goes_the_whole_way_once_the_spec_allows_its_classes(
    store, keyring, inputs, name, parameters
):
    spec = replace(SPEC, candidates=(Candidate(name, parameters, seconds=120),))
    desk, before = Registry(store, keyring, "parcels"), objects(store)
    with pytest.raises(SpecError, match=f"Candidate {name} makes an artifact that no task would load") as refused:
        train(desk, inputs, name, spec)
    assert objects(store) == before
    said = re.findall(r'"([\w.]+:\w+)"', str(refused.value))
    assert set(ALLOWED[name]) <= set(said)
    spec = replace(spec, allowed=tuple(said))
    desk = Registry(store, keyring, "parcels", spec.allowed_pairs)
    found = select(desk, inputs, train(desk, inputs, name, spec), spec=spec)
    asked = {"reason": "", "actor": "ann", "verdict_sha256": "v", "nonce": "n"}
    desk.promote(found["version"], 0, toy.day(8).end, asked)
    fitted = desk.load(found["version"])
    assert type(fitted[-1]).__name__ == name.partition(":")[2]
    assert found["losses"][name] < found["floor_loss"]
    assert reproducing.reproduce(desk, spec, found["version"]).is_equal
    with pytest.raises(IntegrityError, match=r"names sklearn\."):
        Registry(store, keyring, "parcels").load(found["version"])


def test_a_candidate_that_fails_leaves_the_others_as_they_are(desk, inputs):
    failing = Candidate("tests.retraining.wayward:Nothing")
    spec = replace(SPEC, candidates=(failing, *SPEC.candidates))
    with pytest.raises(DataError, match=r"Candidate tests\.retraining\.wayward:Nothing answers NaN"):
        train(desk, inputs, failing.name, spec)
    assert select(desk, inputs, train(desk, inputs, SIMPLE, spec), spec=spec)["candidate"] == SIMPLE


def test_a_baseline_that_was_named_is_registered_where_nothing_is_worth_more(desk, keyring):
    spec = replace(SPEC, candidates=(Candidate("baseline"), *SPEC.candidates))
    turned = [*FRAMES[:2], *(frame.assign(late=1 - frame["late"]) for frame in FRAMES[2:])]
    inputs = toy.pin(desk.store, keyring, spec, turned)
    found = select(desk, inputs, *(train(desk, inputs, name, spec) for name in ("baseline", SIMPLE)), spec=spec)
    assert found["candidate"] == "baseline"
    assert found["losses"]["baseline"] == pytest.approx(found["floor_loss"])
    assert desk.load(found["version"])


def test_a_selection_is_in_the_manifest_and_on_the_card_and_the_version_is_trained_again_by_it(desk, keyring):
    spec = replace(SPEC, training=TrainingPolicy("importance"))
    frames = [frame.assign(distance=5.0) for frame in FRAMES]
    inputs = toy.pin(desk.store, keyring, spec, frames)
    version = select(desk, inputs, train(desk, inputs, spec=spec), spec=spec)["version"]
    manifest = desk.manifest(version)
    assert manifest["importance"]["dropped"]["distance"] == {"mean": 0.0, "high": 0.0}
    assert "distance" not in {*manifest["features"], *manifest["treatment"]["kept"]}
    assert "weight" in manifest["features"]
    assert manifest["constant"] == []
    assert "| distance | 0 | 0 | dropped |" in desk.file(version, CARD).decode()
    found = reproducing.reproduce(desk, SPEC, version)
    assert found.is_equal
    assert found.version == (version, version)
    assert found.remarks == ("The spec has changed since in training; the fields of then were used.",)


@pytest.mark.parametrize("kind", ["candidate", "version"])
def test_a_manifest_with_a_selection_meets_its_schema(desk, inputs, kind):
    spec = replace(SPEC, training=TrainingPolicy("importance"))
    version = select(desk, inputs, train(desk, inputs, spec=spec), spec=spec)["version"]
    manifest = desk.manifest(version) if kind == "version" else challengers._candidate(desk, version)
    schema = ROOT / "include" / "retraining" / "schemas" / f"{kind}.json"
    jsonschema.validate(json.loads(signing.canonical(manifest)), json.loads(schema.read_text()))


def test_a_feature_that_never_changed_is_named_on_the_card(desk, keyring):
    inputs = toy.pin(desk.store, keyring, SPEC, [frame.assign(carrier="van") for frame in FRAMES])
    version = select(desk, inputs, train(desk, inputs))["version"]
    assert desk.manifest(version)["constant"] == ["carrier"]
    assert b"The same in every training row, so nothing was learned from it: carrier." in desk.file(version, CARD)


WRONG = {
    "one class": (lambda frame: frame.assign(late=0.0), r"Label 'late' takes the values \[0.0\] in \d+ training rows"),
    "text": (lambda frame: frame.assign(weight="heavy"), "Feature 'weight' is not numeric"),
    "too few labels": (lambda frame: frame[:29], "None of 5 training intervals has 30 known labels"),
    "doubled keys": (lambda frame: pd.concat([frame, frame[:1]]), r"1 rows and 1 labels of parcels have the key"),
}


@pytest.mark.parametrize(("damage", "message"), WRONG.values(), ids=WRONG)
def test_rows_that_cannot_be_trained_on_leave_the_store_as_it_was(desk, keyring, damage, message):
    inputs = toy.pin(desk.store, keyring, SPEC, [damage(frame) for frame in FRAMES])
    before = objects(desk.store)
    with pytest.raises(DataError, match=message):
        train(desk, inputs)
    assert objects(desk.store) == before


def test_when_validation_refused_everything_there_is_nothing_to_train_on(desk, inputs):
    refused = {**toy.PASSED, "refused": {keys.span(one): "Refused." for one in inputs.intervals("training")}}
    with pytest.raises(DataError, match=r"No validated, labelled interval is left to train on\. See which"):
        train(desk, inputs, validation=refused)


def test_a_corrupted_snapshot_stops_training(desk, inputs):
    key = inputs.snapshot(toy.day(2)).key
    promoted(desk, 1)
    desk.store.put(key, b"x")
    before, head = objects(desk.store), desk.head()
    with pytest.raises(IntegrityError, match=f"{key} has 1 bytes"):
        train(desk, inputs)
    assert (objects(desk.store), desk.head()) == (before, head)


def altered(data: bytes) -> bytes:
    return signing.canonical({**json.loads(data), "fold_losses": [0.0, 0.0, 0.0]})


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (ARTIFACT, lambda data: data[:-1], "model.joblib has .* bytes, its manifest says"),
        (MANIFEST, altered, "manifest.json: the signature does not match"),
    ],
    ids=["truncated artifact", "altered losses"],
)
def test_a_damaged_candidate_is_never_registered(desk, inputs, name, damage, message):
    version = train(desk, inputs)
    key = keys.candidate("parcels", version, name)
    desk.store.put(key, damage(desk.store.get(key)))
    with pytest.raises(IntegrityError, match=message):
        select(desk, inputs, version)
    assert desk.versions() == []


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (ARTIFACT, flip),
        (ARTIFACT, lambda data: data[:-1]),
        (ARTIFACT, None),
        (SMOKE, lambda data: data + b" "),
        (MANIFEST, altered),
        (MANIFEST, lambda _: b"{"),
    ],
    ids=["flipped", "truncated", "gone", "other rows", "altered manifest", "torn manifest"],
)
def test_a_damaged_candidate_is_trained_again(desk, inputs, name, damage):
    version, before = train(desk, inputs), objects(desk.store)
    key = keys.candidate("parcels", version, name)
    desk.store.put(key, damage(desk.store.get(key))) if damage else desk.store.delete(key)
    assert train(desk, inputs) == version
    assert objects(desk.store) == before
    assert select(desk, inputs, version)["version"] == version


def test_a_large_candidate_is_registered_without_being_in_memory(desk, inputs):
    version = train(desk, inputs)
    large = b"x" * (32 << 20)
    manifest = json.loads(desk.store.get(keys.candidate("parcels", version, MANIFEST)))
    manifest["files"][ARTIFACT] = {"sha256": signing.sha256(large), "size_bytes": len(large)}
    signed = signing.canonical(signing.sign(manifest, desk.keyring, challengers.CANDIDATE))
    desk.store.put(keys.candidate("parcels", version, ARTIFACT), large)
    desk.store.put(keys.candidate("parcels", version, MANIFEST), signed)
    del large
    tracemalloc.start()
    select(desk, inputs, version)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_candidate_that_was_copied_under_another_id_is_refused(desk, inputs):
    version, other = train(desk, inputs), "20240106-ffffffffffff"
    for name in (ARTIFACT, MANIFEST):
        data = desk.store.get(keys.candidate("parcels", version, name))
        desk.store.put(keys.candidate("parcels", other, name), data)
    with pytest.raises(IntegrityError, match=f"{other}/manifest.json describes {version}: it was copied there"):
        select(desk, inputs, other)


def test_a_candidate_that_is_gone_is_told(desk, inputs):
    with pytest.raises(ObjectMissing, match="There is no object parcels/candidates/20240106-ffffffffffff/manifest"):
        select(desk, inputs, "20240106-ffffffffffff")


@pytest.mark.parametrize(
    ("task", "floor"), [("multiclass", {"early", "late", "on time"}), ("regression", float), ("binary", float)]
)
def test_a_challenger_of_any_task_is_trained_chosen_and_registered(desk, keyring, task, floor):
    spec = toy.task_spec(task)
    inputs = toy.pin(desk.store, keyring, spec, [toy.task_rows(number) for number in range(9)])
    trained = [train(desk, inputs, one.name, spec) for one in spec.candidates]
    found = select(desk, inputs, *trained, spec=spec)
    manifest = desk.manifest(found["version"])
    assert manifest["training_fields"]["task"] == task
    assert manifest["floor"] == found["floor"]
    assert set(found["floor"]) == floor if isinstance(floor, set) else isinstance(found["floor"], floor)
    assert ("base_rate" in manifest) == (task == "binary"), "its name in earlier releases"
    assert found["losses"][found["candidate"]] < found["floor_loss"]
    assert judging.task_of(desk.load(found["version"])) == task
    assert desk.file(found["version"], CARD).startswith(b"# parcels ")
