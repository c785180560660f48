"""ModelSpec: checked on construction, every mistake named in one error."""

from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.retraining.errors import SpecError
from include.retraining.spec import (
    Candidate,
    DecisionPolicy,
    DriftPolicy,
    ModelSpec,
    PromotionPolicy,
    SqlSource,
    TrainingPolicy,
    ValidationPolicy,
    Windows,
    local_midnight,
)
from tests.retraining import toy


def test_a_right_spec_is_accepted_and_frozen():
    spec = toy.spec()
    with pytest.raises(FrozenInstanceError):
        spec.label = "other"


def test_every_mistake_is_named_at_once():
    with pytest.raises(SpecError) as caught:
        toy.spec(name="Parcels!", owner=" ", schedule="daily", timezone="Mars/Base", label_delay=timedelta(days=-1))
    message = str(caught.value)
    assert message.startswith("Spec 'Parcels!' has 5 mistake(s):")
    for field in ("name: found", "owner: empty", "schedule: found", "timezone: found", "label_delay: found"):
        assert f"\n  - {field}" in message


MISTAKES = {
    "name with a slash": ({"name": "a/b"}, r"name: found 'a/b', expected lower-case letters"),
    "name in other letters": ({"name": "pаrcels"}, "name: found"),  # noqa: RUF001 - a Cyrillic letter
    "purpose empty": ({"purpose": ""}, "purpose: empty"),
    "task unknown": ({"task": "ranking"}, "task: found 'ranking', expected 'binary', 'multiclass' or 'regression'"),
    "candidate unknown": ({"candidates": (Candidate("magic"),)}, r"candidates: found \['magic'\]"),
    "candidate twice": ({"candidates": (Candidate("logistic_regression"),) * 2}, "expected distinct names"),
    "candidate of another task": (
        {"task": "regression", "candidates": (Candidate("logistic_regression"),)},
        r"candidates: found \['logistic_regression'\], expected distinct names among \['ridge', 'hist_gradient_boo",
    ),
    "candidate by a path of odd form": (
        {"candidates": (Candidate("sklearn.ensemble.RandomForestClassifier"),)},
        r"among \[.*'baseline'\] or import paths like 'sklearn.ensemble:RandomForestClassifier'",
    ),
    "no time at all": (
        {"candidates": (Candidate("baseline", seconds=0),)},
        "candidates: baseline has seconds=0, expected more than 0, or None for no budget",
    ),
    "memory not a number": ({"candidates": (Candidate("baseline", megabytes=float("nan")),)}, "has megabytes=nan"),
    "selection unknown": (
        {"training": TrainingPolicy(selection="best")},
        "training.selection: found 'best', expected 'off' or 'importance'",
    ),
    "gap into the future": ({"training": TrainingPolicy(gap_intervals=-1)}, "training.gap_intervals: found -1"),
    "labels later than the window is long": (
        {"label_delay": timedelta(days=4)},
        "windows.minimum_training_intervals: found 4, expected at least 6: folds leave 4 out, whose labels",
    ),
    "allowed of odd form": ({"allowed": ("sklearn.svm.SVC",)}, "allowed: found 'sklearn.svm.SVC', expected one class"),
    "label pseudonymised": ({"privacy": {"late": "pseudonymise"}}, r"\['late'\] are numbers or moments, or the label"),
    "no candidate": ({"candidates": ()}, r"candidates: found \[\]"),
    "mode unknown": ({"promotion": PromotionPolicy(mode="always")}, "promotion.mode: found 'always'"),
    "no feature": ({"numeric": (), "categorical": (), "slices": ()}, "both empty, expected at least one feature"),
    "no key": ({"key_columns": ()}, "key_columns: empty"),
    "feature twice": ({"numeric": ("weight", "weight")}, "'weight' stands twice"),
    "label as feature": ({"numeric": ("weight", "late")}, "'late' is the label or an observed column"),
    "void as feature": ({"numeric": ("void",)}, "'void' is the label or an observed column"),
    "observed as feature": ({"numeric": ("note",)}, "'note' is the label or an observed column"),
    "label observed": ({"observed": ("late",), "privacy": {}}, "observed: 'late' is the label"),
    "slice of no category": ({"slices": ("weight",)}, r"slices: \['weight'\] are not categorical"),
    "privacy rule unknown": ({"privacy": {"note": "hide"}}, "'note' has 'hide', expected one of"),
    "privacy of no column": ({"privacy": {"nota": "drop"}}, r"privacy: \['nota'\] are no columns of this spec"),
    "feature dropped": ({"privacy": {"weight": "drop"}}, r"privacy: \['weight'\] would be dropped"),
    "label dropped": ({"privacy": {"late": "drop"}}, r"privacy: \['late'\] would be dropped"),
    "number pseudonymised": ({"privacy": {"weight": "pseudonymise"}}, r"\['weight'\] are numbers or moments"),
    "six cron fields": ({"schedule": "0 0 * * * *"}, "schedule: found .* expected five cron fields"),
    "start without a zone": ({"start": datetime(2024, 1, 1)}, "start: .* has no time zone"),  # noqa: DTZ001
    "end before start": ({"end": datetime(2023, 1, 1, tzinfo=UTC)}, "end: .* is not after start"),
    "no training interval": ({"windows": Windows(training_intervals=0)}, "Windows.training_intervals: found 0"),
    "no holdout": ({"windows": Windows(holdout_intervals=0)}, "Windows.holdout_intervals: found 0"),
    "minimum above the most": ({"windows": Windows(5, 6)}, "minimum_training_intervals: larger than"),
    "completeness above one": ({"windows": Windows(minimum_completeness=1.5)}, "minimum_completeness: found 1.5"),
    "completeness not a number": ({"windows": Windows(minimum_completeness=float("nan"))}, "found nan"),
    "certain beyond doubt": ({"promotion": PromotionPolicy(confidence=1.0)}, "promotion.confidence: found 1.0"),
    "a runner-up by a coin": ({"promotion": PromotionPolicy(runner_up_confidence=0.5)}, "runner_up_confidence: found"),
    "worse is enough": ({"promotion": PromotionPolicy(moving_confidence=0.3)}, "moving_confidence: found 0.3"),
    "no look back": ({"promotion": PromotionPolicy(runner_up_every=-1)}, "runner_up_every must be 0 or more"),
    "a retrain for nothing": (
        {"decision": DecisionPolicy(price=0)},
        "decision.price: found 0, expected",
    ),
    "never a false alarm": ({"decision": DecisionPolicy(alarms_per_year=0)}, "decision.alarms_per_year: found 0"),
    "of age too soon": ({"decision": DecisionPolicy(maximum_age_intervals=6)}, "smaller than cooldown_intervals"),
    "harder to stay": (
        {"decision": DecisionPolicy(evidence_to_stay=6)},
        "decision.evidence_to_stay: found 6, expected",
    ),
    "little evidence": (
        {"decision": DecisionPolicy(evidence_intervals=27)},
        "decision.evidence_intervals: found 27, expected at least 28, or nothing would ever count as moving",
    ),
    "no evidence": ({"decision": DecisionPolicy(evidence_intervals=0)}, "DecisionPolicy.evidence_intervals: found 0"),
    "every minus-third": ({"windows": Windows(older_every=-3)}, "windows.older_every: found -3, expected 0"),
    "less certain than a coin": ({"promotion": PromotionPolicy(confidence=0.4)}, "promotion.confidence: found 0.4"),
    "one recent interval": ({"decision": DecisionPolicy(recent_intervals=1)}, "recent_intervals: found 1"),
    "no alarm ever": ({"drift": DriftPolicy(alarms_per_year=0)}, "drift.alarms_per_year: found 0"),
    "no row at once": ({"validation": ValidationPolicy(rows_at_once=0)}, "validation.rows_at_once: found 0"),
    "query missing": ({"source": SqlSource("warehouse", Path("/no/such.sql"))}, "source.query: no file at /no/such"),
    "suite missing": ({"suite": Path("/no/such.json")}, "suite: no file at /no/such.json"),
}


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_by_name(changes, message):
    with pytest.raises(SpecError, match=message):
        toy.spec(**changes)


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("binary", ["logistic_regression", "hist_gradient_boosting"]),
        ("multiclass", ["logistic_regression", "hist_gradient_boosting"]),
        ("regression", ["ridge", "hist_gradient_boosting"]),
    ],
)
def test_a_task_brings_its_candidates_the_simplest_first(task, names):
    assert [candidate.name for candidate in toy.spec(task=task).candidates] == names


def test_stored_columns_are_each_named_once_without_label_or_dropped_ones():
    spec = toy.spec(observed=("note", "phone"), privacy={"phone": "drop"})
    assert spec.stored == ("parcel", "sent_at", "weight", "distance", "region", "carrier", "note")


def test_what_enters_training_is_listed_in_one_place():
    assert set(toy.spec().training_fields) == {"name", "numeric", "categorical", "label", "task", "seed", "training"}
    assert set(toy.spec().training_fields) <= {field.name for field in fields(ModelSpec)}


def test_candidates_by_import_path_and_the_baseline_are_accepted_without_being_imported():
    named = ("baseline", "no_such_package.part:Name")
    assert [one.name for one in toy.spec(candidates=tuple(map(Candidate, named))).candidates] == list(named)


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"label_delay": timedelta(0)}, 0),
        ({"label_delay": timedelta(days=1)}, 0),
        ({"label_delay": timedelta(hours=25)}, 2),
        ({"label_delay": timedelta(hours=2), "schedule": "0 * * * *"}, 2),
        ({"label_delay": timedelta(days=2), "schedule": "0 0 * * 1-5"}, 2),
        ({"training": TrainingPolicy(gap_intervals=1)}, 1),
    ],
    ids=str,
)
def test_as_many_intervals_lie_between_past_and_judged_as_the_label_delay_spans(changes, gap):
    spec = toy.spec(**changes)
    assert spec.gap_intervals == spec.training_fields["training"]["gap_intervals"] == gap


@pytest.mark.parametrize(
    "changes", [{"owner": "other"}, {"seed": 1}, {"windows": Windows()}, {"notifier_arguments": {"to": "x"}}], ids=str
)
def test_any_change_makes_another_digest(changes):
    assert replace(toy.spec(), **changes).digest() != toy.spec().digest()


def test_the_digest_counts_the_query_and_not_where_it_lies(tmp_path):
    moved = tmp_path / "parcels.sql"
    moved.write_text((toy.HERE / "parcels.sql").read_text())
    spec = replace(toy.spec(), source=SqlSource("warehouse", moved))
    assert spec.digest() == toy.spec().digest()
    moved.write_text(moved.read_text() + "-- changed")
    assert spec.digest() != toy.spec().digest()


def test_the_lookback_counts_in_the_digest():
    spec = toy.spec(source=replace(toy.spec().source, lookback=timedelta(days=7)))
    assert spec.digest() != toy.spec().digest()


@pytest.mark.parametrize(("day", "offset"), [("2013-01-01", "-05:00"), ("2013-07-01", "-04:00")])
def test_local_midnight_is_on_the_clock_of_the_zone(day, offset):
    assert local_midnight(day, "America/New_York").isoformat() == f"{day}T00:00:00{offset}"
