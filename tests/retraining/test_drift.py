"""Drift: limits from the reference itself, alarms only twice in a row, an answer for what cannot be compared."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.retraining import drift, effects, signing
from tests.conftest import ROOT
from tests.retraining import toy

SPEC = toy.spec()
REFERENCE = [toy.rows(number, 120) for number in range(14)]
BASELINE = drift.sketch(REFERENCE, SPEC)
TODAY = toy.rows(30, 120)
DAYS = [drift.WEEKDAYS[number % 7] for number in range(14)]
SCHEMA = json.loads((ROOT / "include/retraining/schemas/baseline.json").read_text())
FIRST_FORMAT = json.loads((Path(__file__).parent / "baseline_1.json").read_text())
"""Of ten days of the same parcels, as an earlier release wrote it."""


def line(report: dict[str, object], name: str) -> dict[str, object]:
    return next(one for one in report["features"] if one["name"] == name)


@settings(max_examples=25)
@given(st.permutations(range(len(TODAY))))
def test_the_order_of_rows_does_not_matter(order):
    assert drift.report(BASELINE, TODAY.iloc[list(order)], []) == drift.report(BASELINE, TODAY, [])


@settings(max_examples=10)
@given(st.permutations(list(TODAY.columns)), st.randoms(use_true_random=False))
def test_the_order_of_columns_and_of_the_reference_s_rows_does_not_matter(columns, random):
    turned = [frame[columns].sample(frac=1, random_state=random.randrange(1000)) for frame in REFERENCE]
    assert drift.sketch(turned, SPEC) == BASELINE
    assert drift.report(BASELINE, TODAY[columns], []) == drift.report(BASELINE, TODAY, [])


@settings(max_examples=25)
@given(st.lists(st.integers(0, 120), max_size=4))
def test_an_interval_in_parts_is_the_interval(cuts):
    bounds = [0, *sorted(cuts), 120]
    parts = [TODAY[start:end] for start, end in itertools.pairwise(bounds)]
    assert drift.report(BASELINE, iter(parts), []) == drift.report(BASELINE, TODAY, [])


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(-50, 50))
def test_effects_lie_between_zero_and_one(seed, shift):
    frame = toy.rows(40, 50, seed)
    report = drift.report(BASELINE, frame.assign(weight=frame["weight"] + shift), [])
    assert all(0 <= one["effect"] <= 1 for one in report["features"])


def test_the_reference_replayed_raises_no_alarm():
    shifted: list[str] = []
    for frame in REFERENCE:
        report = drift.report(BASELINE, frame, shifted)
        assert report["answer"] != "alarm"
        shifted = report["shifted"]


def test_a_doubled_unit_is_seen_and_alarms_only_twice_in_a_row():
    heavy = TODAY.assign(weight=TODAY["weight"] * 2.2)
    first = drift.report(BASELINE, heavy, [])
    assert (first["answer"], first["shifted"], first["alarms"]) == ("shifted", ["weight"], [])
    assert first["sentence"] == "Shifted today: weight; an alarm needs two intervals in a row."
    second = drift.report(BASELINE, heavy, first["shifted"])
    assert (second["answer"], second["alarms"]) == ("alarm", ["weight"])
    assert second["sentence"] == "Alarm: weight beyond the calibrated limit twice in a row."


def test_other_features_on_two_days_make_no_alarm():
    today = drift.report(BASELINE, TODAY.assign(weight=99.0), ["distance"])
    assert (today["answer"], today["alarms"]) == ("shifted", [])


def test_an_ordinary_day_is_stable_even_after_a_shift():
    assert drift.report(BASELINE, TODAY, ["weight"])["sentence"] == "Stable."


def test_missing_values_are_an_effect_of_their_own_and_a_feature_that_is_gone_is_named():
    gone = drift.report(BASELINE, TODAY.assign(distance=np.nan), [])
    assert gone["shifted"] == ["distance" + effects.NULLS]
    assert line(gone, "distance")["answer"] == "no values"


def test_a_feature_that_the_reference_never_had_is_named_too():
    never = drift.sketch([frame.assign(distance=np.nan) for frame in REFERENCE], SPEC)
    report = drift.report(never, TODAY, [])
    assert report["shifted"] == ["distance" + effects.NULLS]
    assert line(report, "distance")["answer"] == "no values"


def test_a_constant_feature_is_stable_until_it_moves():
    constant = drift.sketch([frame.assign(weight=5.0, region="north") for frame in REFERENCE], SPEC)
    same = drift.report(constant, TODAY.assign(weight=5.0, region="north"), [])
    assert (same["answer"], line(same, "weight")["effect"]) == ("stable", 0.0)
    moved = drift.report(constant, TODAY.assign(weight=5.1, region="south"), [])
    assert moved["shifted"] == ["region", "weight"]


def test_limits_are_never_below_what_nobody_would_act_on():
    report = drift.report(drift.sketch([REFERENCE[0]] * 9, SPEC), REFERENCE[0], [])
    assert line(report, "weight" + effects.NULLS)["limit"] == effects.NULL_FLOOR
    assert all(one["limit"] >= effects.NULL_FLOOR for one in report["features"])


def test_few_rows_need_a_larger_effect_and_many_no_smaller_one():
    known = drift.sketch([toy.rows(number, 900) for number in range(20)], SPEC)
    limits = [line(drift.report(known, toy.rows(40, rows), []), "weight")["limit"] for rows in (50, 900, 5000)]
    assert limits[0] > 2.5 * limits[1]
    assert limits[1] == pytest.approx(limits[2])


def test_intervals_much_smaller_than_the_reference_s_alarm_no_more_often():
    """A hundred days of 50 rows against twenty of 900, where nothing drifts."""
    known, shifted, alarms = drift.sketch([toy.rows(number, 900) for number in range(20)], SPEC), [], 0
    for number in range(100, 200):
        report = drift.report(known, toy.rows(number, 50), shifted)
        shifted, alarms = report["shifted"], alarms + bool(report["alarms"])
    assert alarms == 0


def test_a_user_who_bears_more_alarms_gets_no_higher_limits():
    weekly, yearly = (drift.report(BASELINE, TODAY, [], chance_of_alarm=one) for one in (1 / 7, drift.ONCE_A_YEAR))
    assert all(a["limit"] <= b["limit"] for a, b in zip(weekly["features"], yearly["features"], strict=True))
    assert weekly["chance_of_alarm"] <= 1 / 7
    assert yearly["chance_of_alarm"] == pytest.approx(1 / 225), "fourteen intervals cannot hold one a year"


@pytest.mark.parametrize(
    ("reference", "rows", "found"),
    [
        (REFERENCE, 29, "29 rows against 14"),
        (REFERENCE, 0, "0 rows against 14"),
        (REFERENCE[:6], 120, "120 rows against 6"),
        ([frame[:20] for frame in REFERENCE], 120, "against 0"),
        ([], 120, "against 0"),
    ],
    ids=["few rows", "no row", "few intervals", "only tiny intervals", "nothing"],
)
def test_too_little_is_no_answer_and_not_stable(reference, rows, found):
    report = drift.report(drift.sketch(reference, SPEC), TODAY[:rows], [])
    assert report["answer"] == "insufficient data"
    assert report["sentence"].startswith("Not tested: ")
    assert found in report["sentence"]


class TestNewCategories:
    def test_they_are_named_with_their_share(self):
        carrier = ["zeppelin"] * 6 + ["mule"] * 3 + TODAY["carrier"].tolist()[9:]
        report = drift.report(BASELINE, TODAY.assign(carrier=carrier), [])
        assert report["unseen"] == {"carrier": {"zeppelin": 0.05, "mule": 0.025}}
        assert report["sentence"].endswith(" New categories: carrier zeppelin (5.0%), carrier mule (2.5%).")

    def test_those_of_a_pseudonymised_feature_are_not_told(self):
        spec = toy.spec(privacy={"carrier": "pseudonymise"})
        report = drift.report(drift.sketch(REFERENCE, spec), TODAY.assign(carrier="f00d"), [])
        assert report["unseen"] == {"carrier": {"pseudonyms": 1.0}}

    def test_a_hidden_character_is_spelt_out(self):
        report = drift.report(BASELINE, TODAY.assign(carrier="van\u202e"), [])
        assert "carrier van\\u202e (100.0%)" in report["sentence"]

    def test_what_is_no_commoner_than_those_left_out_is_not_called_new(self, monkeypatch):
        monkeypatch.setattr("include.retraining.sketches.LEVELS", 3)
        codes = [frame.assign(carrier=[f"c{place % 40}" for place in range(120)]) for frame in REFERENCE]
        report = drift.report(drift.sketch(codes, SPEC), codes[0], [])
        assert (report["answer"], report["unseen"]) == ("stable", {})
        fresh = codes[0].assign(carrier=["x"] * 60 + codes[0]["carrier"].tolist()[60:])
        assert drift.report(drift.sketch(codes, SPEC), fresh, [])["unseen"] == {"carrier": {"x": 0.5}}


class TestPredictions:
    guesses = [1 / (1 + np.exp(10 - frame["weight"].to_numpy())) for frame in REFERENCE]
    known = drift.sketch(REFERENCE, SPEC, (), guesses)

    def test_a_champion_that_suddenly_says_otherwise_is_seen(self):
        guess = 1 / (1 + np.exp(10 - TODAY["weight"].to_numpy()))
        assert drift.report(self.known, TODAY, [], predictions=guess)["answer"] == "stable"
        assert drift.report(self.known, TODAY, [], predictions=guess**4)["shifted"] == [effects.PREDICTIONS]

    def test_they_have_no_missing_share_and_are_left_out_where_there_are_none(self):
        whole = drift.report(self.known, TODAY, [], predictions=np.full(120, 0.5))
        without = drift.report(self.known, TODAY, [])
        assert [one["name"] for one in whole["features"] if "predictions" in one["name"]] == [effects.PREDICTIONS]
        assert effects.PREDICTIONS not in {one["name"] for one in without["features"]}

    def test_a_baseline_without_any_ignores_them(self):
        assert drift.report(BASELINE, TODAY, [], predictions=np.ones(120)) == drift.report(BASELINE, TODAY, [])

    def test_classes_have_one_effect_of_their_mean_probabilities(self):
        def chances(frame: pd.DataFrame, power: float = 1) -> np.ndarray:
            late = 1 / (1 + np.exp(10 - frame["weight"].to_numpy()))
            return np.column_stack([late**power, 1 - late**power])

        known = drift.sketch(REFERENCE, SPEC, (), [chances(frame) for frame in REFERENCE])
        assert known == json.loads(signing.canonical(known))
        assert drift.report(known, TODAY, [], predictions=chances(TODAY))["answer"] == "stable"
        report = drift.report(known, TODAY, [], predictions=chances(TODAY, 4))
        assert report["shifted"] == [effects.PREDICTIONS]
        guess = np.concatenate([chances(frame) for frame in REFERENCE]).mean(axis=0)
        gap = abs(chances(TODAY, 4).mean(axis=0)[0] - guess[0])
        assert line(report, effects.PREDICTIONS)["effect"] == pytest.approx(gap, abs=1e-6)


class TestSameWeekday:
    """Three weeks whose Sundays are of heavy parcels."""

    frames = [toy.rows(number, 120) for number in range(21)]
    days = [drift.WEEKDAYS[number % 7] for number in range(21)]
    weeks = [
        frame.assign(weight=frame["weight"] + 5.0 * (day == "Sunday")) for frame, day in zip(frames, days, strict=True)
    ]
    known = drift.sketch(weeks, SPEC, days)

    def test_an_interval_is_compared_with_those_of_its_weekday(self):
        heavy = TODAY.assign(weight=TODAY["weight"] + 5.0)
        sunday, monday = (drift.report(self.known, heavy, [], day) for day in ("Sunday", "Monday"))
        assert sunday["reference"] == {"name": "Sunday", "intervals": 3}
        assert sunday["answer"] == "stable"
        assert monday["shifted"] == ["weight"]
        assert drift.report(self.known, TODAY, [], "Sunday")["shifted"] == ["weight"]

    def test_all_are_the_reference_where_a_weekday_has_too_few(self):
        fewer = drift.sketch(self.weeks[:20], SPEC, self.days[:20])
        assert drift.report(fewer, TODAY, [], "Sunday")["reference"] == {"name": "all", "intervals": 20}
        assert drift.about(fewer)["weekdays"] == list(drift.WEEKDAYS[:6])

    def test_tiny_intervals_make_no_weekday(self):
        frames = [frame[:20] if place == 6 else frame for place, frame in enumerate(self.weeks)]
        assert "Sunday" not in drift.sketch(frames, SPEC, self.days)["groups"]

    def test_a_weekday_is_told_by_the_clock_of_the_spec(self):
        moment = datetime(2024, 1, 1, 2, tzinfo=UTC)
        assert (drift.weekday(moment, "UTC"), drift.weekday(moment, "America/New_York")) == ("Monday", "Sunday")


class TestBaselines:
    def test_one_reads_back_from_json_and_follows_its_schema(self):
        read = json.loads(signing.canonical(BASELINE))
        assert read == BASELINE
        assert drift.report(read, TODAY, []) == drift.report(BASELINE, TODAY, [])
        for one in (read, FIRST_FORMAT, drift.sketch([], SPEC)):
            jsonschema.validate(one, SCHEMA)

    def test_one_of_an_earlier_release_gives_the_effects_and_limits_that_it_gave_then(self):
        report = drift.report(FIRST_FORMAT, TODAY, ["weight"], "Monday", np.ones(120))
        told = {one["name"]: (round(one["effect"], 4), round(one["limit"], 4)) for one in report["features"]}
        assert told["weight"] == (0.1092, 0.2236)
        assert told["carrier"] == (0.0733, 0.0767)
        assert told["distance" + effects.NULLS] == (0.0, 0.0383)
        below = TODAY.assign(weight=-99.0, carrier="zeppelin", distance=np.nan)
        changed = drift.report(FIRST_FORMAT, below, ["weight"])
        assert changed["shifted"] == ["carrier", "distance" + effects.NULLS, "weight"]
        assert [line(changed, name)["effect"] for name in ("weight", "carrier")] == [1.0, 1.0]
        assert changed["alarms"] == ["weight"]

    def test_fields_that_a_later_release_adds_change_nothing(self):
        assert drift.report({**BASELINE, "more": 1}, TODAY, []) == drift.report(BASELINE, TODAY, [])

    def test_one_does_not_grow_with_history(self):
        assert len(signing.canonical(drift.sketch(REFERENCE * 3, SPEC))) < 1.2 * len(signing.canonical(BASELINE))

    def test_one_of_five_thousand_categories_is_bounded(self):
        """Eight references of 502 counts each, of up to seven digits, and 500 names."""
        random = np.random.default_rng(0)
        codes = [frame.assign(carrier=random.integers(0, 5000, 120).astype(str)) for frame in REFERENCE * 2]
        assert len(signing.canonical(drift.sketch(codes, SPEC, DAYS * 2)["features"]["carrier"])) < 60_000

    def test_a_manifest_tells_what_intervals_are_compared_with(self):
        assert drift.about(BASELINE) == {"intervals": 14, "rows": 120.0, "weekdays": []}
